import { assert, remembered } from '@starling/core';
import { hashHex, type KeystreamReader, keystreamFrom, Secret, sha256 } from '@starling/crypto';
import {
  addNoise,
  bufferCodec,
  decodeState,
  encodeState,
  encodeTail,
  normalisationOf,
  quantise,
  squaredSteps,
  tailWords,
  type UpdateCodec,
  updateCodec,
  weightOf,
} from '@starling/federation';
import {
  clipToNorm,
  type DiscreteGaussian,
  discreteGaussian,
  roundedNorm,
} from '@starling/privacy';
import {
  type ChunkLayout,
  chunkLayout,
  masker,
  maskTo,
  packedBytes,
  packInto,
  type RingShape,
  ringBudget,
  sumInto,
  tagger,
  unpackInto,
} from '@starling/secagg';
import type { ComputeTasks, PlainTerm, TaskName } from './compute.ts';
import { nextState } from './next-state.ts';
import { newBytes, newWords } from './shared-memory.ts';
import { free, movable } from './transfers.ts';

export type Kernels = {
  readonly [N in TaskName]: (input: ComputeTasks[N]['in']) => ComputeTasks[N]['out'];
};

/**
 * Every kernel goes through its vectors piece by piece, with scratch memory for one piece: a vector
 * of 25 million words is 100 MB, and only inputs and outputs are held whole.
 */
export const kernels: Kernels = {
  decode: ({ state }) => ({ model: decodeState(state).model }),

  quantise({ update, trainable, effort, metrics, seed, codec }) {
    const weights = update.subarray(0, trainable);
    scale(weights, normalisationOf(codec, effort));
    const { clipped } = clipToNorm(weights, codec.clippingNorm);
    const weight = weightOf(codec, effort);
    const uniform = keystreamFrom(new Secret(seed), 0);
    const words = newWords(update.length + tailWords(codec));
    const write = (values: Float32Array, from: number, grid: UpdateCodec) => {
      scale(values, weight);
      for (let at = 0; at < values.length; at += PIECE_WORDS) {
        const piece = values.subarray(at, at + PIECE_WORDS);
        words.set(quantise(piece, grid, uniform.next(4 * piece.length)), from + at);
      }
    };
    if (codec.noise !== undefined) {
      assert(update.length === trainable, `${update.length - trainable} buffers without noise`);
      writeHidden(clipped, words, updateCodec(codec), uniform);
      return { words };
    }
    write(clipped, 0, updateCodec(codec));
    write(update.subarray(trainable), trainable, bufferCodec(codec));
    words.set(encodeTail(codec, effort, metrics), update.length);
    return { words };
  },

  mask({ words, terms, shape, range }) {
    const layout = layoutOf(shape);
    const { first, count } = range ?? { first: 0, count: layout.count };
    const numbers = Array.from({ length: count }, (_, i) => first + i);
    const chunks = newChunks(numbers.map((chunk) => layout.bytesOf(chunk)));
    const scratch = scratchOf(layout);
    const add = masker(terms.map(secretTerm), layout.offsetOf(first));
    for (const [i, chunk] of numbers.entries()) {
      const from = layout.offsetOf(chunk);
      const masked = scratch.subarray(0, layout.wordsOf(chunk));
      masked.set(words.subarray(from, from + masked.length));
      add(masked);
      maskTo(masked, shape.bits);
      packInto(chunks[i]!, masked, shape.bits);
    }
    return { chunks, hashes: chunks.map((chunk) => sha256(chunk)) };
  },

  sum({ parts, shape, peers }) {
    const layout = layoutOf(shape);
    const bits = ringBudget(shape.bits, peers);
    const results = newChunks(parts.map(({ chunk }) => packedBytes(layout.wordsOf(chunk), bits)));
    const [total, scratch] = [scratchOf(layout), scratchOf(layout)];
    const sums = parts.map(({ chunk, packed }, i) => {
      const sum = total.subarray(0, layout.wordsOf(chunk)).fill(0);
      const addend = scratch.subarray(0, sum.length);
      for (const bytes of packed) {
        unpackInto(addend, bytes, shape.bits);
        sumInto(sum, addend);
      }
      const bytes = results[i]!;
      packInto(bytes, sum, bits);
      return { chunk, bytes, hash: sha256(bytes) };
    });
    return { sums };
  },

  tag({ parts, bits, shape, seed }) {
    const layout = layoutOf(shape);
    const scratch = scratchOf(layout);
    const tagOf = tagger(new Secret(seed));
    const tags = parts.map(({ chunk, bytes }) => {
      const words = scratch.subarray(0, layout.wordsOf(chunk));
      unpackInto(words, bytes, bits);
      return tagOf(words, layout.offsetOf(chunk));
    });
    return { tags };
  },

  unmask({ sums, terms, shape, peers, survivors, part }) {
    const layout = layoutOf(shape);
    const { first, count } = part?.range ?? { first: 0, count: layout.count };
    assert(sums.length === count, `${sums.length} chunk sums of ${count}`);
    const words = part?.words ?? newWords(shape.length);
    const most = survivors * shape.coordinateMax;
    const removeMasks = masker(terms.map(secretTerm), layout.offsetOf(first));
    let inRange = true;
    for (const [i, bytes] of sums.entries()) {
      const from = layout.offsetOf(first + i);
      const opened = words.subarray(from, from + layout.wordsOf(first + i));
      unpackInto(opened, bytes, ringBudget(shape.bits, peers));
      removeMasks(opened);
      maskTo(opened, shape.bits);
      inRange &&= greatest(opened) <= most;
    }
    return { words, inRange };
  },

  'unmask-chunks'({ parts, terms, shape, peers }) {
    const layout = layoutOf(shape);
    const bits = ringBudget(shape.bits, peers);
    const results = newChunks(parts.map(({ chunk }) => layout.bytesOf(chunk)));
    const scratch = scratchOf(layout);
    const secrets = terms.map(secretTerm);
    const sums = parts.map(({ chunk, bytes: packed }, i) => {
      const opened = scratch.subarray(0, layout.wordsOf(chunk));
      unpackInto(opened, packed, bits);
      masker(secrets, layout.offsetOf(chunk))(opened);
      maskTo(opened, shape.bits);
      const bytes = results[i]!;
      packInto(bytes, opened, shape.bits);
      return { chunk, bytes, hash: sha256(bytes) };
    });
    return { sums };
  },

  assemble({ chunks, shape, survivors }) {
    const layout = layoutOf(shape);
    assert(chunks.length === layout.count, `${chunks.length} plain sums of ${layout.count}`);
    const words = newWords(shape.length);
    const most = survivors * shape.coordinateMax;
    let inRange = true;
    for (const [chunk, bytes] of chunks.entries()) {
      const from = layout.offsetOf(chunk);
      const part = words.subarray(from, from + layout.wordsOf(chunk));
      unpackInto(part, bytes, shape.bits);
      inRange &&= greatest(part) <= most;
    }
    return { words, inRange };
  },

  pack({ words, bits }) {
    const bytes = newBytes(packedBytes(words.length, bits));
    packInto(bytes, words, bits);
    return { bytes, hash: sha256(bytes) };
  },

  unpack({ bytes, bits, length }) {
    const words = newWords(length);
    unpackInto(words, bytes, bits);
    return { words };
  },

  apply({ state, cells, codec }) {
    const before = decodeState(state);
    free(movable([state]));
    const next = nextState(before, cells, codec);
    const bytes = encodeState(next.state);
    const { metrics, spoilt } = next;
    return { state: bytes, stateHash: hashHex(bytes), metrics, spoilt };
  },
};

/**
 * Rounds `update` to the grid, anew until its norm is within what the accountant counts with, and
 * adds noise: what leaves here is hidden from all who know only the sum.
 */
function writeHidden(
  update: Float32Array,
  words: Uint32Array,
  grid: UpdateCodec,
  stream: KeystreamReader,
): void {
  const { step, clippingNorm: norm, sigma } = grid;
  const most = (roundedNorm({ norm, step, dimension: update.length }) / step) ** 2;
  const pieces = <T>(each: (from: number, to: number) => T): T[] =>
    Array.from({ length: Math.ceil(update.length / PIECE_WORDS) }, (_, i) => {
      return each(i * PIECE_WORDS, Math.min(update.length, (i + 1) * PIECE_WORDS));
    });
  const round = (): number => {
    const squares = pieces((from, to) => {
      const points = quantise(update.subarray(from, to), grid, stream.next(4 * (to - from)));
      words.set(points, from);
      return squaredSteps(points, grid);
    });
    return squares.reduce((sum, each) => sum + each, 0);
  };
  while (round() > most);
  const noise = gaussianOf(String(sigma), () => discreteGaussian(sigma));
  pieces((from, to) => addNoise(words.subarray(from, to), noise.sample(to - from, stream), grid));
}

/** A job's table is the same in every round. */
const gaussianOf = remembered<DiscreteGaussian>(2);

/** Coordinates that are quantised at a time: 128 KiB of keystream. */
const PIECE_WORDS = 32 * 1024;

const secretTerm = ({ seed, sign }: PlainTerm) => ({ seed: new Secret(seed), sign });

const layoutOf = ({ length, bits, chunkBytes }: RingShape): ChunkLayout =>
  chunkLayout(length, bits, { chunkBytes });

/** Scratch for the words of any one chunk: the first is a longest. */
const scratchOf = (layout: ChunkLayout): Uint32Array => new Uint32Array(layout.wordsOf(0));

function greatest(words: Uint32Array): number {
  let most = 0;
  for (let i = 0; i < words.length; i++) most = Math.max(most, words[i]!);
  return most;
}

/** Packed chunks of these sizes side by side in one piece of memory, each on a word's boundary. */
function newChunks(sizes: readonly number[]): readonly Uint8Array[] {
  const aligned = (size: number) => 4 * Math.ceil(size / 4);
  const memory = newBytes(sizes.reduce((sum, size) => sum + aligned(size), 0));
  let at = 0;
  return sizes.map((size) => {
    const chunk = memory.subarray(at, at + size);
    at += aligned(size);
    return chunk;
  });
}

/** In place. */
function scale(values: Float32Array, factor: number): void {
  if (factor === 1) return;
  for (let i = 0; i < values.length; i++) values[i] = values[i]! * factor;
}
