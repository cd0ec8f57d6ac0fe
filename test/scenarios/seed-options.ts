import type { SimOptions } from '@starling/sim';

/** A virtual swarm for each seed, with the fault mix that the seed draws. */
export const optionsOf = (seed: number): SimOptions => ({
  // Every fifth seed the size that the issue of the first slice names, the others smaller and
  // quicker.
  peers: seed % 5 === 0 ? 20 : 4 + (seed % 9),
  dim: 200 + 37 * seed,
  rounds: 2,
  dropout: [0, 0.1, 0.2][seed % 3]!,
  byzantine: 0,
  unmasking: seed % 2 === 0 ? 'local' : 'shared',
  seed,
});
