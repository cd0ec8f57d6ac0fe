import type { BlobHash } from '@starling/core';
import { hashHex, type SigningKey } from '@starling/crypto';
import { type Card, type PublishedCard, signCard } from '@starling/protocol-models';
import { type Job, readJob } from '@starling/protocol-rounds';
import type { Chain } from '@starling/rounds';
import { certifiedMetrics, lineageOf } from '../certified.ts';
import { type ModelValues, valuesOf } from '../model-values.ts';
import { chainOf, KEYS, modelAfter, proofOf, SIGNED } from './hand-made-job.ts';

export const sized = (bytes: Uint8Array) => ({
  hash: hashHex(bytes) as BlobHash,
  bytes: bytes.length,
});

const values = new WeakMap<Uint8Array, ModelValues>();

/** Read once for each model: it takes longer than all else here. */
function knownValues(model: Uint8Array): ModelValues {
  const known = values.get(model) ?? valuesOf(model);
  values.set(model, known);
  return known;
}

/** A card that claims nothing about where `model` is from. */
export function plainCard(model: Uint8Array, name = 'by-hand'): Card {
  return {
    ...{ name, version: 1, task: 'mnist', summary: 'made by hand', tags: ['digits'] },
    ...knownValues(model),
    ...{ model: sized(model), blob: sized(model), access: 'open', proof: null, lineage: null },
    ...{ recipe: null, parents: [], data: 'none', metrics: [], privacy: null },
    ...{ licence: 'Apache-2.0', published: 1_700_000_000, swarm: null },
  };
}

/** The card of a job's last round. */
export function cardOfJob(
  model = modelAfter(0.5),
  chain: Chain = chainOf(),
  job: Job = readJob(SIGNED)!,
): Card {
  return {
    ...plainCard(model),
    proof: sized(proofOf(chain)),
    lineage: lineageOf(chain, job),
    metrics: certifiedMetrics(chain, job),
  };
}

/** Publishes nothing of the jobs: only its key is used. */
export const PUBLISHER: SigningKey = KEYS[3]!;
export const published = (card: Card, key = PUBLISHER): PublishedCard => signCard(card, key);
