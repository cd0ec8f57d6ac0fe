import { assert } from '@starling/core';
import {
  applyMean,
  decodeTail,
  type JobCodec,
  type JobState,
  type MetricSums,
  type Tail,
  wordLayout,
} from '@starling/federation';
import { sumInto } from '@starling/secagg';
import { type CellPart, meanOfCells, PIECE_WORDS } from './cell-means.ts';
import type { OpenedCell } from './compute.ts';
import { boundedParts } from './spoilt-cells.ts';

/** The cells' sums as one; whole numbers, which all together stay below 2^32. */
export function addSums(cells: readonly Pick<OpenedCell, 'words'>[]): Uint32Array {
  const [first, ...others] = cells;
  assert(first !== undefined, 'no sums');
  if (others.length === 0) return first.words;
  const total = first.words.slice();
  for (const { words } of others) sumInto(total, words);
  return total;
}

export interface NextState {
  readonly state: JobState;
  readonly metrics: MetricSums;
  /** Cells whose mean is longer than honest peers' can be: at least one in each is a liar. */
  readonly spoilt: readonly number[];
}

/**
 * The state after a round, from the opened sums of its cells; `state` is overwritten piece by
 * piece, since nothing else holds it.
 * @param publicSeed the round's, as the updates were quantised with it
 * @throws ProtocolError 'sum-out-of-range' where no honest peers can have made a sum
 */
export function nextState(
  state: JobState,
  cells: readonly OpenedCell[],
  codec: JobCodec,
  publicSeed?: Uint8Array,
): NextState {
  const { model, trainable, moments } = state;
  const layout = wordLayout(codec, { parameters: trainable, buffers: model.length - trainable });
  for (const { words } of cells) {
    assert(words.length === layout.length, `${words.length} sums of ${layout.length}`);
  }
  const tails = cells.map(({ words, survivors }) => ({
    words: words.slice(layout.length - layout.tail),
    survivors,
  }));
  const survivors = cells.reduce((sum, cell) => sum + cell.survivors, 0);
  const tail = decodeTail(codec, addSums(tails), survivors);
  const means = { codec, trainable, layout, publicSeed };
  const all = partsOf(cells, tails, tail, codec);
  const { parts, spoilt } = boundedParts({ ...means, parts: all });
  const meanOf = meanOfCells({ ...means, parts });
  for (let at = 0; at < model.length; at = endOf(state, at)) {
    const end = endOf(state, at);
    const piece: JobState = {
      round: state.round,
      model: model.subarray(at, end),
      trainable: Math.max(0, Math.min(trainable, end) - at),
      moments: moments.map((moment) => moment.subarray(at, end)),
    };
    const next = applyMean(piece, meanOf(at, end), codec.optimizer, tail.steps);
    model.set(next.model, at);
    for (const [i, moment] of next.moments.entries()) {
      moments[i]!.set(moment, Math.min(at, trainable));
    }
  }
  return { state: { ...state, round: state.round + 1 }, metrics: tail.metrics, spoilt };
}

/** With one cell there is nothing to combine, and with plain means nothing to tell apart. */
function partsOf(
  cells: readonly OpenedCell[],
  tails: readonly OpenedCell[],
  all: Tail,
  codec: JobCodec,
): readonly CellPart[] {
  if (codec.combination.kind !== 'mean') {
    return cells.map((cell, i) => {
      return { ...cell, tail: decodeTail(codec, tails[i]!.words, cell.survivors), scale: 1 };
    });
  }
  const survivors = cells.reduce((sum, cell) => sum + cell.survivors, 0);
  return [{ words: addSums(cells), survivors, tail: all, scale: 1 }];
}

/** A piece is all weights or all buffers, which have a grid of their own. */
const endOf = ({ model, trainable }: JobState, at: number): number =>
  Math.min(at + PIECE_WORDS, at < trainable ? trainable : model.length);
