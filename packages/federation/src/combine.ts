import { assert, unreachable } from '@starling/core';

/**
 * How the means of a round's cells become one. A cell's sum is public, a peer's update is not: so
 * robustness is a matter of cells. All but the two coordinate-wise rules give a linear combination
 * of the cells' means, whose coefficients follow from their inner products; only + − × ÷ and
 * Math.sqrt, in a fixed order.
 */
export type Combination =
  /** By the weights in each cell. */
  | { readonly kind: 'mean' }
  /** The same, with no cell longer than the median of all (Sun et al. 2019, with an own bound). */
  | { readonly kind: 'norm-clip' }
  /** Centered clipping (Karimireddy et al. 2021), the radius being the median distance. */
  | { readonly kind: 'centered-clip' }
  /** Smoothed Weiszfeld steps (Pillutla et al. 2022, RFA). */
  | { readonly kind: 'geometric-median' }
  /** Multi-Krum (Blanchard et al. 2017) over cells. */
  | { readonly kind: 'multi-krum'; readonly corrupt: number }
  /** Coordinate by coordinate (Yin et al. 2018). */
  | { readonly kind: 'median' }
  | { readonly kind: 'trimmed-mean'; readonly corrupt: number };
// `corrupt`: part of the cells, below one half, that may be spoilt.

/** What there is to do with one cell, or with cells that are all trusted. */
export const MEAN: Combination = { kind: 'mean' };

type CoordinateWise = Extract<Combination, { kind: 'median' | 'trimmed-mean' }>;
export type Linear = Exclude<Combination, CoordinateWise>;

export const isCoordinateWise = (rule: Combination): rule is CoordinateWise =>
  rule.kind === 'median' || rule.kind === 'trimmed-mean';

/** Steps of the iterative rules: the same for everybody, so that bits agree. */
const STEPS = 16;

/**
 * Coefficients of the cells' means.
 * @param gram inner products of the means, [cells][cells]
 * @param weights of the cells, positive
 */
export function coefficients(
  rule: Linear,
  gram: readonly Float64Array[],
  weights: readonly number[],
): readonly number[] {
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  const shares = weights.map((weight) => weight / total);
  const norms = gram.map((row, i) => Math.sqrt(row[i]!));
  switch (rule.kind) {
    case 'mean':
      return shares;
    case 'norm-clip':
      return normClipped(shares, norms);
    case 'centered-clip':
      return centeredClip(gram, shares, normClipped(shares, norms));
    case 'geometric-median':
      return geometricMedian(gram, shares);
    case 'multi-krum':
      return multiKrum(gram, shares, rule.corrupt);
    default:
      return unreachable(rule);
  }
}

function normClipped(shares: readonly number[], norms: readonly number[]): readonly number[] {
  const bound = medianOf(norms);
  return shares.map((share, i) => (norms[i]! > bound ? (share * bound) / norms[i]! : share));
}

/** v ← v + Σ share · (m − v) · min(1, radius / |m − v|), v being a combination of the means. */
function centeredClip(
  gram: readonly Float64Array[],
  shares: readonly number[],
  start: readonly number[],
): readonly number[] {
  let center = start;
  for (let step = 0; step < STEPS; step++) {
    const distances = distancesTo(gram, center);
    const radius = medianOf(distances);
    const pulls = shares.map((share, i) => {
      return distances[i]! > radius ? (share * radius) / distances[i]! : share;
    });
    const pull = pulls.reduce((sum, each) => sum + each, 0);
    center = center.map((each, i) => each * (1 - pull) + pulls[i]!);
  }
  return center;
}

/** Part of the median distance below which a mean pulls no harder. */
const SMOOTHING = 1e-6;

function geometricMedian(
  gram: readonly Float64Array[],
  shares: readonly number[],
): readonly number[] {
  let center = shares;
  for (let step = 0; step < STEPS; step++) {
    const distances = distancesTo(gram, center);
    const least = SMOOTHING * medianOf(distances);
    if (least === 0) return center;
    const pulls = shares.map((share, i) => share / Math.max(distances[i]!, least));
    const total = pulls.reduce((sum, pull) => sum + pull, 0);
    center = pulls.map((pull) => pull / total);
  }
  return center;
}

/** Means whose nearest others are nearest; what is left over after the suspects is averaged. */
function multiKrum(
  gram: readonly Float64Array[],
  shares: readonly number[],
  corrupt: number,
): readonly number[] {
  const count = gram.length;
  const suspects = suspectsOf(count, corrupt);
  const near = Math.max(1, count - suspects - 2);
  const scores = gram.map((row, i) => {
    const squares = gram.map((other, j) => row[i]! - 2 * row[j]! + other[j]!);
    const others = squares.filter((_, j) => j !== i).sort((a, b) => a - b);
    return others.slice(0, near).reduce((sum, square) => sum + square, 0);
  });
  const order = [...scores.keys()].sort((a, b) => scores[a]! - scores[b]! || a - b);
  const chosen = new Set(order.slice(0, count - suspects));
  const total = shares.reduce((sum, share, i) => sum + (chosen.has(i) ? share : 0), 0);
  return shares.map((share, i) => (chosen.has(i) ? share / total : 0));
}

const suspectsOf = (cells: number, corrupt: number): number =>
  Math.min(Math.floor(cells * corrupt + 1e-9), Math.floor((cells - 1) / 2));

/** Distances of all means to a combination of them. */
function distancesTo(gram: readonly Float64Array[], center: readonly number[]): readonly number[] {
  const products = gram.map((row) => row.reduce((sum, each, j) => sum + each * center[j]!, 0));
  const square = products.reduce((sum, each, i) => sum + each * center[i]!, 0);
  return gram.map((row, i) => {
    return Math.sqrt(Math.max(0, row[i]! - 2 * products[i]! + square));
  });
}

function medianOf(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

/** A stretch of the combined mean from the same stretch of every cell's; `out` is written. */
export function combineStretch(
  rule: Combination,
  means: readonly Float64Array[],
  factors: readonly number[],
  out: Float64Array,
): void {
  assert(means.length === factors.length || isCoordinateWise(rule), 'a coefficient for each cell');
  if (!isCoordinateWise(rule)) {
    out.fill(0);
    for (const [cell, mean] of means.entries()) {
      const factor = factors[cell]!;
      for (let i = 0; i < out.length; i++) out[i] = out[i]! + factor * mean[i]!;
    }
    return;
  }
  const cut =
    rule.kind === 'median' ? (means.length - 1) >> 1 : suspectsOf(means.length, rule.corrupt);
  const values = new Float64Array(means.length);
  for (let i = 0; i < out.length; i++) {
    for (const [cell, mean] of means.entries()) values[cell] = mean[i]!;
    values.sort();
    let sum = 0;
    for (let k = cut; k < values.length - cut; k++) sum += values[k]!;
    out[i] = sum / (values.length - 2 * cut);
  }
}

/** Adds a stretch of the means' inner products to `gram`, [cells][cells]. */
export function addProducts(gram: readonly Float64Array[], means: readonly Float64Array[]): void {
  for (const [i, row] of gram.entries()) {
    for (let j = 0; j <= i; j++) {
      const [a, b] = [means[i]!, means[j]!];
      let sum = row[j]!;
      for (let k = 0; k < a.length; k++) sum += a[k]! * b[k]!;
      row[j] = sum;
      gram[j]![i] = sum;
    }
  }
}
