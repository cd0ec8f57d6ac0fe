import { assert, type BlobHash } from '@starling/core';
import { hashHex } from '@starling/crypto';
import {
  DEFAULT_AGGREGATION,
  DEFAULT_TRAINING,
  type Manifest,
  NO_PRIVACY,
} from '@starling/protocol-rounds';
import type { SimOptions } from './types.ts';

const RING_BITS = 24;
/** The sums of a thousand inputs fit into 32 bits. */
const WIDE_RING_BITS = 22;

/** Most peers of a job with fewer ring bits than 16. */
const NARROW_PEERS = 16;

export const ringBitsOf = ({ graph, smaller }: Pick<SimOptions, 'graph' | 'smaller'>): number =>
  smaller?.ringBits ?? (graph === 'wide' ? WIDE_RING_BITS : RING_BITS);

/** Updates enough for any simulation: how many are lost is not what one wants to see. */
const NOISE = { mechanism: 'distributed-gaussian', delta: 1e-5, updatesMax: 1_000_000 } as const;

/** The job that a simulation runs. */
export function manifestOf(options: SimOptions, model: Uint8Array): Manifest {
  const { peers, rounds, replication, cellSize, graph, unmasking, noiseMultiplier } = options;
  const ringBits = ringBitsOf(options);
  assert(peers >= 3, 'a swarm of fewer than three peers cannot aggregate');
  return {
    name: 'simulated',
    model: hashHex(model) as BlobHash,
    data: {
      ...{ task: 'simulated', inputType: 'float32', inputShape: [1] },
      ...{ target: 'classes', classes: 2 },
    },
    loss: 'softmax-cross-entropy',
    training: { ...DEFAULT_TRAINING, batchSize: 1 },
    aggregation: {
      ...DEFAULT_AGGREGATION,
      ...options.smaller,
      ringBits,
      replication: replication ?? 0,
      cellSize: cellSize ?? 0,
      graph: graph ?? 'complete',
      unmasking: unmasking ?? 'local',
      phaseSeconds: 2,
    },
    privacy: noiseMultiplier === undefined ? NO_PRIVACY : { ...NOISE, noiseMultiplier },
    admission: {
      ...{ minPeers: 3, maxPeers: ringBits < 16 ? NARROW_PEERS : Math.max(128, peers) },
      ...{ joinWindowSeconds: 5, participation: 1 },
    },
    stop: { rounds, target: null, seconds: 0 },
    nonce: new Uint8Array(16),
  };
}
