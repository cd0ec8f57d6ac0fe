import { type JobFile, type LaunchedView, manifestOf } from '@starling/control';
import { type BlobHash, ConfigError, ProtocolError } from '@starling/core';
import { hashHex } from '@starling/crypto';
import type { StarlingNode } from '@starling/node';
import { withOutput } from '@starling/onnx';
import { type Manifest, NO_PRIVACY } from '@starling/protocol-rounds';
import { manifestFault, noiseForJob } from '@starling/rounds';
import { guaranteeView } from './privacy-view.ts';

type Launcher = Pick<StarlingNode, 'describe' | 'launch'>;

/** The restricted card of another peer that a file is the model of, if it is one. */
export type RestrictedBy = (model: BlobHash) => string | undefined;

/**
 * Launches what a job file says, with the output of the model that it names.
 * @throws ConfigError or ProtocolError when nobody could take part in it
 */
export async function launchJob(
  node: Launcher,
  file: JobFile,
  given: Uint8Array,
  restrictedBy: RestrictedBy,
): Promise<LaunchedView> {
  const card = restrictedBy(hashHex(given) as BlobHash);
  if (card !== undefined) {
    const what = `it is the restricted model of card ${card}, and a job gives its model to all`;
    throw new ConfigError('job.model', what, 'Ask its publisher to launch the job');
  }
  const measured = file.training.metrics.map(({ output }) => output);
  const model = file.output === undefined ? given : withOutput(given, file.output, measured);
  const manifest = await withNoise(node, file, model);
  const { guarantee, ...launched } = await node.launch(manifest, model);
  return { ...launched, privacy: guaranteeView(guarantee) };
}

/** The job's manifest; where its file names an epsilon, with the noise that gives it. */
async function withNoise(node: Launcher, file: JobFile, model: Uint8Array): Promise<Manifest> {
  const manifest = manifestOf(file, model);
  const { epsilon } = file.privacy;
  if (epsilon === undefined) return manifest;
  const { privacy } = manifest;
  // The faults of everything but the noise come first, and by their own names.
  const fault = manifestFault({ ...manifest, privacy: NO_PRIVACY });
  if (fault !== undefined) throw new ConfigError('job', fault);
  const { layout } = await node.describe(model, manifest.training);
  const noiseMultiplier = noiseOf(manifest, layout.parameters, epsilon);
  return { ...manifest, privacy: { ...privacy, noiseMultiplier } };
}

function noiseOf(manifest: Manifest, parameters: number, epsilon: number): number {
  try {
    return noiseForJob(manifest, parameters, epsilon);
  } catch (error) {
    if (!(error instanceof ProtocolError)) throw error;
    const hint = 'Raise aggregation.ringBits or admission.minPeers, or lower admission.maxPeers';
    throw new ConfigError('job.privacy.epsilon', error.message, hint);
  }
}
