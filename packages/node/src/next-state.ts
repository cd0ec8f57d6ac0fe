import { assert } from '@starling/core';
import {
  addProducts,
  applyMean,
  bufferCodec,
  coefficients,
  combineStretch,
  decodeTail,
  dequantiseSum,
  honestNormMax,
  isCoordinateWise,
  type JobCodec,
  type JobState,
  type Metrics,
  type Tail,
  tailWords,
  updateCodec,
} from '@starling/federation';
import { sumInto } from '@starling/secagg';
import type { OpenedCell } from './compute.ts';

/** Coordinates that are applied at a time. */
const PIECE_WORDS = 32 * 1024;

/** The cells' sums as one; whole numbers, which all together stay below 2^32. */
export function addSums(cells: readonly Pick<OpenedCell, 'words'>[]): Uint32Array {
  const [first, ...others] = cells;
  assert(first !== undefined, 'no sums');
  if (others.length === 0) return first.words;
  const total = first.words.slice();
  for (const { words } of others) sumInto(total, words);
  return total;
}

interface CellPart extends OpenedCell {
  readonly tail: Tail;
  /** What its weights' mean is multiplied by. */
  readonly scale: number;
}

export interface NextState {
  readonly state: JobState;
  readonly metrics: Metrics;
  /** Cells whose mean is longer than honest peers' can be: at least one in each is a liar. */
  readonly spoilt: readonly number[];
}

/**
 * The state after a round, from the opened sums of its cells; `state` is overwritten piece by
 * piece, since nothing else holds it.
 * @throws ProtocolError 'sum-out-of-range' where no honest peers can have made a sum
 */
export function nextState(
  state: JobState,
  cells: readonly OpenedCell[],
  codec: JobCodec,
): NextState {
  const { model, trainable, moments } = state;
  for (const { words } of cells) {
    const behind = words.length - model.length;
    assert(behind === tailWords(codec), `${words.length} sums for a model of ${model.length}`);
  }
  const tails = cells.map(({ words, survivors }) => ({
    words: words.slice(model.length),
    survivors,
  }));
  const survivors = cells.reduce((sum, cell) => sum + cell.survivors, 0);
  const all = decodeTail(codec, addSums(tails), survivors);
  const { parts, spoilt } = boundedParts(state, partsOf(cells, tails, codec), codec);
  const factors = factorsOf(state, parts, codec);
  for (let at = 0; at < model.length; at = endOf(state, at)) {
    const end = endOf(state, at);
    const piece: JobState = {
      round: state.round,
      model: model.subarray(at, end),
      trainable: Math.max(0, Math.min(trainable, end) - at),
      moments: moments.map((moment) => moment.subarray(at, end)),
    };
    const mean = new Float64Array(end - at);
    combineStretch(codec.combination, meansOf(state, parts, codec, at), factors, mean);
    if (at < trainable && all.steps !== 1) {
      for (let i = 0; i < mean.length; i++) mean[i] = mean[i]! * all.steps;
    }
    const next = applyMean(piece, mean, codec.optimizer);
    model.set(next.model, at);
    for (const [i, moment] of next.moments.entries()) {
      moments[i]!.set(moment, Math.min(at, trainable));
    }
  }
  return { state: { ...state, round: state.round + 1 }, metrics: all.metrics, spoilt };
}

/** With one cell there is nothing to combine, and with plain means nothing to tell apart. */
function partsOf(
  cells: readonly OpenedCell[],
  tails: readonly OpenedCell[],
  codec: JobCodec,
): readonly CellPart[] {
  const isPlain = codec.combination.kind === 'mean';
  if (!isPlain) {
    return cells.map((cell, i) => {
      return { ...cell, tail: decodeTail(codec, tails[i]!.words, cell.survivors), scale: 1 };
    });
  }
  const survivors = cells.reduce((sum, cell) => sum + cell.survivors, 0);
  const tail = decodeTail(codec, addSums(tails), survivors);
  return [{ words: addSums(cells), survivors, tail, scale: 1 }];
}

/**
 * A cell in which somebody must have lied is left out; where all are so, each is cut to the length
 * that an honest one may have. Plain means trust everybody.
 */
function boundedParts(
  state: JobState,
  parts: readonly CellPart[],
  codec: JobCodec,
): { readonly parts: readonly CellPart[]; readonly spoilt: readonly number[] } {
  if (codec.combination.kind === 'mean') return { parts, spoilt: [] };
  const grid = updateCodec(codec);
  const squares = parts.map(() => 0);
  for (let at = 0; at < state.trainable; at = endOf(state, at)) {
    for (const [cell, mean] of meansOf(state, parts, codec, at).entries()) {
      for (let i = 0; i < mean.length; i++) squares[cell] = squares[cell]! + mean[i]! * mean[i]!;
    }
  }
  const scales = parts.map(({ survivors, tail }, cell) => {
    const most = honestNormMax(grid, survivors, tail.divisor, state.trainable);
    return Math.min(1, most / Math.sqrt(squares[cell]!));
  });
  const spoilt = [...parts.keys()].filter((cell) => scales[cell]! < 1);
  if (spoilt.length < parts.length) {
    return { parts: parts.filter((_, cell) => scales[cell] === 1), spoilt };
  }
  return { parts: parts.map((part, cell) => ({ ...part, scale: scales[cell]! })), spoilt };
}

/** A piece is all weights or all buffers, which have a grid of their own. */
const endOf = ({ model, trainable }: JobState, at: number): number =>
  Math.min(at + PIECE_WORDS, at < trainable ? trainable : model.length);

/** The same stretch of every cell's mean. */
function meansOf(
  state: JobState,
  parts: readonly CellPart[],
  codec: JobCodec,
  at: number,
): readonly Float64Array[] {
  const grid = at < state.trainable ? updateCodec(codec) : bufferCodec(codec);
  const end = endOf(state, at);
  return parts.map(({ words, survivors, tail, scale }) => {
    const mean = dequantiseSum(words.subarray(at, end), survivors, grid, tail.divisor);
    if (scale === 1 || at >= state.trainable) return mean;
    return mean.map((value) => value * scale);
  });
}

/** How much of each cell's mean is taken: by its weights alone, not by its buffers. */
function factorsOf(
  state: JobState,
  parts: readonly CellPart[],
  codec: JobCodec,
): readonly number[] {
  const { combination } = codec;
  if (isCoordinateWise(combination)) return [];
  if (parts.length === 1) return [1];
  const gram = parts.map(() => new Float64Array(parts.length));
  for (let at = 0; at < state.trainable; at = endOf(state, at)) {
    addProducts(gram, meansOf(state, parts, codec, at));
  }
  const weights = parts.map(({ tail }) => tail.divisor);
  return coefficients(combination, gram, weights);
}
