import { type Generator, permutation } from '@starling/autodiff';
import { dirichletPartition } from '@starling/trainer';

export interface QuantityOptions {
  readonly count: number;
  readonly clients: number;
  /** Concentration: 0.5 gives few clients most, 100 all nearly the same. */
  readonly alpha: number;
  readonly minimum: number;
  readonly generator: Generator;
}

/**
 * Clients differ in how much they have, not in what: sizes from Dirichlet(alpha), the quantity skew
 * of Li et al. 2022 (NIID-Bench, §4.3).
 */
export function quantityPartition(options: QuantityOptions): readonly Int32Array[] {
  const { count, clients, alpha, minimum, generator } = options;
  const order = permutation(count, generator);
  // One class for all examples: what is left of the split by class is their number.
  const labels = new Uint8Array(count);
  const shares = dirichletPartition({ labels, peers: clients, alpha, minimum, generator });
  return shares.map((share) => share.map((index) => order[index]!));
}
