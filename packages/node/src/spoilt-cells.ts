import { honestNormMax, weightCodec } from '@starling/federation';
import { type CellMeans, type CellPart, pieces, sentMean } from './cell-means.ts';

/** Parts that may be combined, and which cells somebody spoilt. */
export interface Bounded {
  readonly parts: readonly CellPart[];
  readonly spoilt: readonly number[];
}

/**
 * A cell in which somebody must have lied is left out; where all are so, each is cut to the length
 * that an honest one may have. Plain means trust everybody. A rotation changes no length, and of a
 * part of the weights no more is asked than of all.
 */
export function boundedParts(input: CellMeans): Bounded {
  const { parts, codec, trainable, layout } = input;
  if (codec.combination.kind === 'mean') return { parts, spoilt: [] };
  const grid = weightCodec(codec, trainable);
  const scales = parts.map((part) => {
    const most = honestNormMax(grid, part.survivors, part.tail.divisor, layout.weights);
    return Math.min(1, most / lengthOf(input, part));
  });
  const spoilt = [...parts.keys()].filter((cell) => scales[cell]! < 1);
  if (spoilt.length < parts.length) {
    return { parts: parts.filter((_, cell) => scales[cell] === 1), spoilt };
  }
  return { parts: parts.map((part, cell) => ({ ...part, scale: scales[cell]! })), spoilt };
}

function lengthOf(input: CellMeans, part: CellPart): number {
  let squares = 0;
  for (const [from, to] of pieces(input.layout.weights)) {
    const mean = sentMean(input, part, from, to);
    for (let i = 0; i < mean.length; i++) squares += mean[i]! * mean[i]!;
  }
  return Math.sqrt(squares);
}
