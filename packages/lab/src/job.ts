import { type JobFile, manifestOf } from '@starling/control';
import { ConfigError, ProtocolError } from '@starling/core';
import type { Manifest } from '@starling/protocol-rounds';
import { manifestFault, noiseForJob, sumPeersMax, type TrainerJob } from '@starling/rounds';
import type { LabData } from './data/lab-data.ts';
import type { Settings } from './schema.ts';

/** Fewest peers that a sum hides anything of. */
const CELL_PEERS_MIN = 3;
const CELL_PEERS_MAX = 64;

/** Clients of one round: C·K, and never none (McMahan et al. 2017, algorithm 1). */
export const participantsOf = ({ clients, participation }: Settings): number =>
  Math.max(1, Math.round(clients * participation));

function checkAlgorithm({ aggregation, training, attack }: Settings): void {
  const { algorithm, rotation, sparsity, errorFeedback } = aggregation;
  const isPlain = rotation === 'none' && sparsity === 1 && !errorFeedback;
  if (attack !== undefined && !(isPlain && algorithm !== 'scaffold')) {
    const what = 'attackers know neither rotation, sparsity, errorFeedback nor scaffold';
    throw new ConfigError('attack', what, 'Leave them away, or the attack');
  }
  if (algorithm === 'fedprox' && training.proximal === 0) {
    const what = 'fedprox needs a proximal term above 0, such as 0.01';
    throw new ConfigError('training.proximal', what);
  }
}

/** The job that a launch of these settings over these data would make. */
export function labManifest(settings: Settings, data: LabData, model: Uint8Array): Manifest {
  checkAlgorithm(settings);
  const participants = participantsOf(settings);
  const { cells } = settings;
  const least = Math.floor(participants / cells);
  if (least < CELL_PEERS_MIN) {
    const what = `${participants} participants in ${cells} cells: fewer than 3 in a cell`;
    throw new ConfigError('cells', what, 'Choose fewer cells, or raise clients or participation');
  }
  if (Math.ceil(participants / cells) > 2 * CELL_PEERS_MAX) {
    const what = `${participants} participants in ${cells} cells: more than 128 in a cell`;
    throw new ConfigError('cells', what, 'Choose more cells');
  }
  const manifest = { ...manifestOf(jobFile(settings, data), model), nonce: new Uint8Array(16) };
  const fault = manifestFault(manifest);
  if (fault !== undefined) throw new ConfigError('experiment', fault);
  if (Math.ceil(participants / cells) > sumPeersMax(manifest)) {
    const what = `a cell has up to ${Math.ceil(participants / cells)} peers`;
    throw new ConfigError('cells', `${what}, its sum room for ${sumPeersMax(manifest)}`);
  }
  return manifest;
}

/**
 * The same once the model is known: noise that the file gives by its epsilon has its size.
 * @param parameters trainable weights
 */
export function withNoise(manifest: Manifest, settings: Settings, parameters: number): Manifest {
  const { epsilon } = settings.privacy;
  if (epsilon === undefined) return manifest;
  try {
    const noiseMultiplier = noiseForJob(manifest, parameters, epsilon);
    return { ...manifest, privacy: { ...manifest.privacy, noiseMultiplier } };
  } catch (error) {
    if (!(error instanceof ProtocolError)) throw error;
    throw new ConfigError('privacy.epsilon', error.message, 'Raise aggregation.ringBits');
  }
}

function jobFile(settings: Settings, { task, train }: LabData): JobFile {
  const { name, model, loss, training, aggregation, privacy, stop, cells } = settings;
  const { info } = train;
  const { target } = info;
  const classes = target.kind === 'classes' || target.kind === 'sequence' ? target.count : 0;
  const dtype = info.elements.dtype === 'int32' ? 'int32' : 'float32';
  const participants = participantsOf(settings);
  const cellSize = cells === 1 ? 0 : Math.min(CELL_PEERS_MAX, Math.ceil(participants / cells));
  // Real peers draw who takes part; the plain engine draws it for them.
  const isSecure = settings.engine === 'secure';
  const peers = isSecure ? settings.clients : participants;
  return {
    ...{ name, model, loss, training, privacy },
    aggregation: { ...aggregation, cellSize },
    data: { task, input: { dtype, shape: [...info.shape] }, target: target.kind, classes },
    admission: {
      ...{ minPeers: CELL_PEERS_MIN, maxPeers: Math.max(CELL_PEERS_MIN, peers) },
      ...{ joinWindowSeconds: 5, participation: isSecure ? settings.participation : 1 },
    },
    stop: { rounds: stop.rounds },
  };
}

/** What prepares the job for training. */
export function trainerJob(manifest: Manifest, model: Uint8Array): Omit<TrainerJob, 'dataset'> {
  const { loss, training, aggregation, data } = manifest;
  const { task, inputType, inputShape, target, classes } = data;
  const control = aggregation.algorithm === 'scaffold';
  return {
    ...{ modelHash: manifest.model, model, loss, training },
    clippingNorm: aggregation.clippingNorm,
    ...(control && { control }),
    data: { task, input: { dtype: inputType, shape: inputShape }, target, classes },
  };
}
