import type { Prng } from './prng.ts';

/** What goes wrong in one run. Swarm testing: the seed draws the mix, so runs differ in kind. */
export interface FaultMix {
  /** Part of gossip deliveries that are lost. */
  readonly loss: number;
  /** Part of gossip deliveries that come twice. */
  readonly duplication: number;
  readonly delayMinMs: number;
  readonly delayMaxMs: number;
  /** Times the network splits in two for a while. */
  readonly partitions: number;
  readonly partitionMs: number;
  /** How long a lost connection goes unnoticed. */
  readonly detectMs: number;
  /** Part of the crashes after which the peer comes back with its journal. */
  readonly restart: number;
}

export const NO_FAULTS: FaultMix = {
  loss: 0,
  duplication: 0,
  delayMinMs: 5,
  delayMaxMs: 30,
  partitions: 0,
  partitionMs: 0,
  detectMs: 50,
  restart: 1,
};

export const drawFaults = (prng: Prng): FaultMix => ({
  loss: prng.pick([0, 0, 0.02, 0.1, 0.2]),
  duplication: prng.pick([0, 0.05, 0.3]),
  delayMinMs: 1 + prng.below(10),
  delayMaxMs: 20 + prng.below(prng.pick([50, 400])),
  partitions: prng.pick([0, 0, 1, 2]),
  partitionMs: 1_000 + prng.below(8_000),
  detectMs: prng.pick([20, 500, 3_000]),
  restart: prng.pick([0, 0.5, 1]),
});

export const FAULT_KINDS = [
  'loss',
  'duplication',
  'partition',
  'crash',
  'restart',
  'cut-request',
] as const;
export type FaultKind = (typeof FAULT_KINDS)[number];
