import { type Generator, permutation } from '@starling/autodiff';
import { assert } from '@starling/core';

export interface PartitionOptions {
  readonly labels: ArrayLike<number>;
  readonly peers: number;
  /** Concentration: 0.1 gives each peer a class or two, 100 is nearly even. */
  readonly alpha: number;
  /** Examples that every peer gets at least. */
  readonly minimum: number;
  readonly generator: Generator;
}

/**
 * Splits examples among peers, class by class, in proportions drawn from Dirichlet(alpha).
 * @returns indices per peer, each example once
 */
export function dirichletPartition(options: PartitionOptions): readonly Int32Array[] {
  const { labels, peers, alpha, minimum, generator } = options;
  assert(peers >= 1 && alpha > 0, `${peers} peers, alpha ${alpha}`);
  assert(peers * minimum <= labels.length, `${minimum} examples for each of ${peers} peers`);
  const shares = Array.from({ length: peers }, (): number[] => []);
  const byClass = new Map<number, number[]>();
  for (const index of permutation(labels.length, generator)) {
    const list = byClass.get(labels[index]!) ?? [];
    list.push(index);
    byClass.set(labels[index]!, list);
  }
  for (const label of [...byClass.keys()].sort((a, b) => a - b)) {
    deal(byClass.get(label)!, shares, dirichlet(peers, alpha, generator));
  }
  topUp(shares, minimum);
  return shares.map((share) => Int32Array.from(share));
}

/** Cuts one class at the cumulated proportions. */
function deal(indices: readonly number[], shares: number[][], parts: readonly number[]): void {
  let from = 0;
  let cumulated = 0;
  for (const [peer, part] of parts.entries()) {
    cumulated += part;
    const last = peer === parts.length - 1;
    const to = last ? indices.length : Math.floor(cumulated * indices.length);
    shares[peer]!.push(...indices.slice(from, to));
    from = Math.max(from, to);
  }
}

/** Moves examples from the richest peer to those below the minimum. */
function topUp(shares: number[][], minimum: number): void {
  for (const poor of shares) {
    while (poor.length < minimum) {
      const rich = shares.reduce((best, share) => (share.length > best.length ? share : best));
      poor.push(rich.pop()!);
    }
  }
}

function dirichlet(count: number, alpha: number, generator: Generator): readonly number[] {
  const draws = Array.from({ length: count }, () => gamma(alpha, generator));
  const total = draws.reduce((sum, draw) => sum + draw, 0);
  // With a tiny alpha every draw may underflow to zero.
  return draws.map((draw) => (total > 0 ? draw / total : 1 / count));
}

/** Gamma(shape, 1) by Marsaglia and Tsang (2000); shapes below 1 by their boost. */
function gamma(shape: number, generator: Generator): number {
  if (shape < 1) return gamma(shape + 1, generator) * openUniform(generator) ** (1 / shape);
  const d = shape - 1 / 3;
  const c = 1 / Math.sqrt(9 * d);
  for (;;) {
    const x = normal(generator);
    const v = (1 + c * x) ** 3;
    if (v <= 0) continue;
    if (Math.log(openUniform(generator)) < 0.5 * x * x + d - d * v + d * Math.log(v)) return d * v;
  }
}

/** Uniform in (0, 1): its logarithm is finite. */
const openUniform = (generator: Generator) => generator.uniform() + 2 ** -33;

const normal = (generator: Generator) =>
  Math.sqrt(-2 * Math.log(openUniform(generator))) * Math.cos(2 * Math.PI * generator.uniform());
