import { assert } from '@starling/core';
import {
  addProducts,
  bufferCodec,
  chosenCoordinates,
  coefficients,
  combineStretch,
  dequantiseSum,
  isCoordinateWise,
  type JobCodec,
  joinNumbers,
  scatter,
  sparsityScale,
  type Tail,
  unrotate,
  type WordLayout,
  weightCodec,
  wordsOfNumber,
} from '@starling/federation';
import type { OpenedCell } from './compute.ts';

/** Coordinates that are worked on at a time. */
export const PIECE_WORDS = 32 * 1024;

export interface CellPart extends OpenedCell {
  readonly tail: Tail;
  /** What its weights' mean is multiplied by. */
  readonly scale: number;
}

export interface CellMeans {
  readonly parts: readonly CellPart[];
  readonly codec: JobCodec;
  /** Weights of the model; buffers follow them. */
  readonly trainable: number;
  readonly layout: WordLayout;
  readonly publicSeed: Uint8Array | undefined;
}

/** The mean of all cells for coordinates [from, to) of the model, all weights or all buffers. */
export type MeanOf = (from: number, to: number) => Float64Array;

/** How a job's combination, rotation and sparsity make one mean of the cells' sums. */
export function meanOfCells(input: CellMeans): MeanOf {
  const { parts, codec, trainable } = input;
  const factors = factorsOf(input);
  const combine = (means: readonly Float64Array[]): Float64Array => {
    const out = new Float64Array(means[0]!.length);
    combineStretch(codec.combination, means, factors, out);
    return out;
  };
  const isWhole = codec.rotation === undefined && codec.sparsity === undefined;
  const weights = isWhole ? undefined : restored(input, combine);
  return (from, to) => {
    if (from < trainable) {
      return weights?.(from, to) ?? combine(parts.map((part) => sentMean(input, part, from, to)));
    }
    return combine(parts.map((part) => bufferMean(input, part, from, to)));
  };
}

/**
 * The mean of all weights from what was sent of them. Rules that are linear have the same
 * coefficients before and after a rotation, and one vector is turned back; those that go by
 * coordinates mean the model's, and each cell's mean is turned back. Weights that were not drawn
 * have a mean of 0.
 */
function restored(
  input: CellMeans,
  combine: (means: readonly Float64Array[]) => Float64Array,
): MeanOf {
  const { parts, codec, trainable, layout, publicSeed: seed } = input;
  assert(seed !== undefined, 'weights are turned or drawn by a public seed');
  const chosen = codec.sparsity && chosenCoordinates(trainable, layout.weights, seed);
  const scale = sparsityScale(codec, trainable);
  const turned = (meanOf: MeanOf): Float32Array => {
    const whole = new Float32Array(trainable);
    for (const [from, to] of pieces(layout.weights)) {
      if (!chosen) whole.set(meanOf(from, to), from);
      else scatter(whole, meanOf(from, to), chosen.subarray(from, to), scale);
    }
    if (codec.rotation !== undefined) unrotate(whole, seed);
    return whole;
  };
  const stretch = (whole: Float32Array, from: number, to: number) =>
    Float64Array.from(whole.subarray(from, to));
  if (isCoordinateWise(codec.combination)) {
    const wholes = parts.map((part) => turned((from, to) => sentMean(input, part, from, to)));
    return (from, to) => combine(wholes.map((whole) => stretch(whole, from, to)));
  }
  const all: MeanOf = (from, to) => combine(parts.map((part) => sentMean(input, part, from, to)));
  const whole = turned(all);
  return (from, to) => stretch(whole, from, to);
}

/** A cell's mean of the words [from, to) of weights, as they were sent. */
export function sentMean(
  { codec, trainable }: CellMeans,
  { words, survivors, tail, scale }: CellPart,
  from: number,
  to: number,
): Float64Array {
  const grid = weightCodec(codec, trainable);
  const mean = dequantiseSum(words.subarray(from, to), survivors, grid, tail.divisor);
  return scale === 1 ? mean : mean.map((value) => value * scale);
}

/** A cell's mean of the model's coordinates [from, to), which are buffers. */
function bufferMean(
  { codec, trainable, layout }: CellMeans,
  { words, survivors, tail }: CellPart,
  from: number,
  to: number,
): Float64Array {
  const grid = bufferCodec(codec);
  const word = weightCodec(codec, trainable);
  const each = wordsOfNumber(word);
  const at = (coordinate: number) => layout.weights + (coordinate - trainable) * each;
  const points = joinNumbers(words.subarray(at(from), at(to)), survivors, word);
  return dequantiseSum(points, survivors, grid, tail.divisor);
}

/** How much of each cell's mean is taken: by its weights alone, not by its buffers. */
function factorsOf(input: CellMeans): readonly number[] {
  const { parts, codec, layout } = input;
  const { combination } = codec;
  if (isCoordinateWise(combination)) return [];
  if (parts.length === 1) return [1];
  const gram = parts.map(() => new Float64Array(parts.length));
  for (const [from, to] of pieces(layout.weights)) {
    const means = parts.map((part) => sentMean(input, part, from, to));
    addProducts(gram, means);
  }
  const weights = parts.map(({ tail }) => tail.divisor);
  return coefficients(combination, gram, weights);
}

/** Stretches of so many coordinates, one after the other. */
export function* pieces(length: number): Iterable<readonly [from: number, to: number]> {
  for (let from = 0; from < length; from += PIECE_WORDS) {
    yield [from, Math.min(length, from + PIECE_WORDS)];
  }
}
