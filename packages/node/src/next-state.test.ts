import { FEDAVG, initialState, type JobCodec, updateCodec } from '@starling/federation';
import { expect, test } from 'vitest';
import { Prng } from '../../sim/src/prng.ts';
import type { OpenedCell } from './compute.ts';
import { kernels } from './kernels.ts';
import { addSums, nextState } from './next-state.ts';

const WEIGHTS = 2_000;
const CLIP = 3;
const PEERS = 4;

const codecWith = (bits: number): JobCodec => ({
  ...{ bits, peersMax: 16, clippingNorm: CLIP, bufferRange: 10 },
  optimizer: FEDAVG,
  combination: { kind: 'norm-clip' },
});

/** An update of this length towards one corner of the space, and somewhat beside it. */
function updateOf(prng: Prng, length: number): Float32Array {
  const update = Float32Array.from({ length: WEIGHTS }, () => 0.5 + prng.unit());
  const norm = Math.hypot(...update);
  return update.map((value) => (value * length) / norm);
}

/** The sum of peers' words. */
function cellOf(prng: Prng, codec: JobCodec, lengths: readonly number[]): OpenedCell {
  const inputs = lengths.map((length) => {
    const { words } = kernels.quantise({
      update: updateOf(prng, length),
      trainable: WEIGHTS,
      effort: { examples: 1, localSteps: 1 },
      metrics: { lossSum: 1, correct: 1, examples: 1 },
      seed: Uint8Array.from({ length: 32 }, () => prng.below(256)),
      codec,
    });
    return { words, survivors: 1 };
  });
  return { words: addSums(inputs), survivors: lengths.length };
}

/** What liars send obeys no clipping norm, only the grid: the same sum, so many times as long. */
function stretched({ words, survivors }: OpenedCell, times: number): OpenedCell {
  const zero = (survivors * updateCodec(codecWith(24)).valueMax) / 2;
  const longer = (word: number) => Math.round(zero + times * (word - zero));
  return { words: words.map((word, i) => (i < WEIGHTS ? longer(word) : word)), survivors };
}

const state = () => initialState(new Float32Array(WEIGHTS), WEIGHTS, FEDAVG);
const honest = Array.from({ length: PEERS }, () => CLIP);

test('no cell of honest peers is taken for spoilt, on the finest grid and the coarsest', () => {
  for (const bits of [24, 16, 12, 10]) {
    for (let seed = 0; seed < 20; seed++) {
      const prng = new Prng(BigInt(1000 * bits + seed));
      const codec = codecWith(bits);
      const cells = [cellOf(prng, codec, honest), cellOf(prng, codec, honest.slice(1))];
      expect(nextState(state(), cells, codec).spoilt).toEqual([]);
    }
  }
});

test('a cell with a mean longer than clipping allows is left out [R-56]', () => {
  const prng = new Prng(3n);
  const codec = codecWith(24);
  const [first, last] = [cellOf(prng, codec, honest), cellOf(prng, codec, honest)];
  const spoilt = stretched(cellOf(prng, codec, honest), 3);
  const all = nextState(state(), [first, spoilt, last], codec);
  expect(all.spoilt).toEqual([1]);
  expect(all.state.model).toEqual(nextState(state(), [first, last], codec).state.model);
});

test('where every cell is spoilt the model moves no further than an honest update', () => {
  const codec = codecWith(24);
  const cell = stretched(cellOf(new Prng(4n), codec, honest), 9);
  const { state: next, spoilt } = nextState(state(), [cell], codec);
  expect(spoilt).toEqual([0]);
  expect(Math.hypot(...next.model)).toBeLessThan(1.01 * CLIP);
  expect(Math.hypot(...next.model)).toBeGreaterThan(0.9 * CLIP);
});

test('plain means trust every cell', () => {
  const codec: JobCodec = { ...codecWith(24), combination: { kind: 'mean' } };
  const cell = stretched(cellOf(new Prng(4n), codec, honest), 9);
  const { state: next, spoilt } = nextState(state(), [cell], codec);
  expect(spoilt).toEqual([]);
  expect(Math.hypot(...next.model)).toBeGreaterThan(5 * CLIP);
});
