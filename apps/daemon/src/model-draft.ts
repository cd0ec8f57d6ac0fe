import type { CardFile } from '@starling/control';
import { type BlobHash, ConfigError, errorMessage, ProtocolError } from '@starling/core';
import { hashHex } from '@starling/crypto';
import {
  type CardDraft,
  certifiedMetrics,
  lineageOf,
  type OpenProof,
  openProof,
  privacyOf,
  valuesOf,
} from '@starling/models';
import { type CardId, isModelName, MODELS_LIMITS } from '@starling/protocol-models';

export interface DraftParts {
  readonly file: CardFile;
  readonly model: Uint8Array;
  readonly proof: Uint8Array | undefined;
  readonly parents: readonly CardId[];
}

/**
 * A card of what its publisher wrote and of what follows from the files: inputs and outputs from
 * the model; lineage, certified metrics and privacy from the proof.
 * @throws ConfigError that names what is missing or does not fit
 */
export function draftCard({ file, model, proof, parents }: DraftParts): CardDraft {
  const opened = proof && opening(proof);
  const lineage = opened ? lineageOf(opened.proof.certificates, opened.job) : null;
  const certified = opened ? certifiedMetrics(opened.proof.certificates, opened.job) : [];
  const claimed = file.metrics.map((metric) => ({ ...metric, certified: null }));
  const metrics = [...certified, ...claimed];
  if (metrics.length > MODELS_LIMITS.metricsMax) {
    const most = MODELS_LIMITS.metricsMax;
    const what = `${metrics.length} with those of the certificate, at most ${most}`;
    throw new ConfigError('card.metrics', what, 'Leave some away');
  }
  const sized = (bytes: Uint8Array) => ({
    ...{ hash: hashHex(bytes) as BlobHash, bytes: bytes.length },
  });
  const { version, summary, tags, data, licence } = file;
  return {
    ...{ name: nameOf(file, opened), version, summary, tags, data, licence, parents, lineage },
    task: file.task ?? opened?.job.manifest.data.task ?? '',
    ...readValues(model),
    ...{ model: sized(model), blob: sized(model), access: 'open', recipe: null },
    // A job without a certified round leads nowhere yet: its proof proves nothing.
    proof: proof === undefined || lineage === null ? null : sized(proof),
    metrics,
    privacy: (opened && privacyOf(opened.job, model)) ?? file.privacy ?? null,
  };
}

function opening(proof: Uint8Array): OpenProof {
  const opened = openProof(proof);
  if (!('fault' in opened)) return opened;
  throw new ConfigError('proof', opened.fault, 'Publish the file without it, or pull it again');
}

function readValues(model: Uint8Array) {
  try {
    return valuesOf(model);
  } catch (error) {
    if (!(error instanceof ProtocolError)) throw error;
    throw new ConfigError('model', `cannot be read: ${errorMessage(error)}`);
  }
}

/** The job's name as a card may have it: `MNIST (5 peers)` becomes `mnist-5-peers`. */
function nameOf({ name }: CardFile, opened: OpenProof | undefined): string {
  if (name !== undefined) return name;
  const hint = 'Give it one with --name, or `name:` in the card';
  if (opened === undefined) throw new ConfigError('card.name', 'the model has no name', hint);
  const found = opened.job.manifest.name
    .normalize('NFKD')
    .toLowerCase()
    .replaceAll(/\p{M}+/gu, '')
    .replaceAll(/[^a-z0-9._-]+/g, '-')
    .replaceAll(/^[^a-z0-9]+|-+$/g, '')
    .slice(0, MODELS_LIMITS.nameCharsMax);
  if (isModelName(found)) return found;
  const what = `the job's name "${opened.job.manifest.name}" is none for a card`;
  throw new ConfigError('card.name', what, hint);
}
