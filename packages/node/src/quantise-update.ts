import { assert, remembered } from '@starling/core';
import { type KeystreamReader, keystreamFrom, Secret } from '@starling/crypto';
import {
  addNoise,
  bufferCodec,
  chosenCoordinates,
  dequantiseSum,
  encodeTail,
  gather,
  type JobCodec,
  nextOwnVariate,
  normalisationOf,
  quantise,
  residualOf,
  rotate,
  scatter,
  sentWeights,
  splitNumbers,
  squaredSteps,
  type UpdateCodec,
  unrotate,
  updateCodec,
  weightCodec,
  weightOf,
  wordLayout,
} from '@starling/federation';
import {
  clipToNorm,
  type DiscreteGaussian,
  discreteGaussian,
  roundedNorm,
} from '@starling/privacy';
import type { ComputeTasks } from './compute.ts';
import { newWords } from './shared-memory.ts';

type Task = ComputeTasks['quantise'];

/** The kernel `quantise`, piece by piece. */
export function quantiseUpdate(input: Task['in']): Task['out'] {
  const { update, trainable, effort, metrics, seed, publicSeed, codec } = input;
  const weights = update.subarray(0, trainable);
  const buffers = update.subarray(trainable);
  scale(weights, normalisationOf(codec, effort));
  if (input.residual !== undefined) addTo(weights, input.residual);
  const { clipped } = clipToNorm(weights, codec.clippingNorm);
  const weight = weightOf(codec, effort);
  const uniform = keystreamFrom(new Secret(seed), 0);
  const layout = wordLayout(codec, { parameters: trainable, buffers: buffers.length });
  const words = newWords(layout.length);
  if (codec.noise !== undefined) {
    assert(buffers.length === 0, `${buffers.length} buffers without noise`);
    writeHidden(clipped, words, updateCodec(codec), uniform);
    return { words };
  }
  // What is left over is found from the update as it was.
  const isKept = codec.errorFeedback === true && clipped === weights;
  const sent = isKept ? weights.slice() : clipped;
  scale(sent, weight);
  if (codec.rotation !== undefined) rotate(sent, seedFor(publicSeed));
  const chosen = chosenOf(codec, trainable, publicSeed);
  const part = chosen === undefined ? sent : gather(sent, chosen);
  const grid = weightCodec(codec, trainable);
  write(words, part, grid, uniform);
  scale(buffers, weight);
  const points = new Uint32Array(buffers.length);
  write(points, buffers, bufferCodec(codec), uniform);
  words.set(splitNumbers(points, grid), layout.weights);
  words.set(encodeTail(codec, effort, metrics), layout.weights + layout.buffers);
  if (input.correction !== undefined) {
    return { words, own: nextOwnVariate(input.correction, words, codec) };
  }
  if (codec.errorFeedback !== true) return { words };
  readBack(sent, part, { words, grid, chosen, codec, publicSeed });
  return { words, residual: residualOf(weights, sent, weight, codec) };
}

/** The kernel `restore`. */
export function restoreUpdate(input: ComputeTasks['restore']['in']): { residual: Float32Array } {
  const { words, residual, effort, publicSeed, codec } = input;
  const trainable = residual.length;
  const chosen = chosenOf(codec, trainable, publicSeed);
  const sent = new Float32Array(trainable);
  const part = chosen === undefined ? sent : new Float32Array(chosen.length);
  const grid = weightCodec(codec, trainable);
  readBack(sent, part, { words, grid, chosen, codec, publicSeed });
  // What was taken from it is given back.
  return { residual: residualOf(residual, sent, -weightOf(codec, effort), codec) };
}

/** The weights that are sent; undefined when all are. */
function chosenOf(
  codec: JobCodec,
  trainable: number,
  publicSeed: Uint8Array | undefined,
): Uint32Array | undefined {
  if (codec.sparsity === undefined) return undefined;
  return chosenCoordinates(trainable, sentWeights(codec, trainable), seedFor(publicSeed));
}

function seedFor(publicSeed: Uint8Array | undefined): Uint8Array {
  assert(publicSeed !== undefined, 'weights are turned or drawn by a public seed');
  return publicSeed;
}

/** Coordinates that are quantised at a time: 128 KiB of keystream. */
const PIECE_WORDS = 32 * 1024;

interface Sent {
  readonly words: Uint32Array;
  readonly grid: UpdateCodec;
  readonly chosen: Uint32Array | undefined;
  readonly codec: JobCodec;
  readonly publicSeed: Uint8Array | undefined;
}

/** What a mean of these words alone would say, into `all`; `part` is written over, may be it. */
function readBack(all: Float32Array, part: Float32Array, sent: Sent): void {
  const { words, grid, chosen, codec, publicSeed } = sent;
  for (let at = 0; at < part.length; at += PIECE_WORDS) {
    const end = Math.min(part.length, at + PIECE_WORDS);
    part.set(dequantiseSum(words.subarray(at, end), 1, grid), at);
  }
  if (chosen !== undefined) scatter(all.fill(0), part, chosen, 1);
  if (codec.rotation !== undefined) unrotate(all, seedFor(publicSeed));
}

/** The grid points of `values` at the start of `words`. */
function write(
  words: Uint32Array,
  values: Float32Array,
  grid: UpdateCodec,
  uniform: KeystreamReader,
): void {
  for (let at = 0; at < values.length; at += PIECE_WORDS) {
    const piece = values.subarray(at, at + PIECE_WORDS);
    words.set(quantise(piece, grid, uniform.next(4 * piece.length)), at);
  }
}

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

/** In place. */
function addTo(values: Float32Array, addend: Float32Array): void {
  assert(values.length === addend.length, `a residual of ${addend.length} weights`);
  for (let i = 0; i < values.length; i++) values[i] = values[i]! + addend[i]!;
}

/** In place. */
function scale(values: Float32Array, factor: number): void {
  if (factor === 1) return;
  for (let i = 0; i < values.length; i++) values[i] = values[i]! * factor;
}
