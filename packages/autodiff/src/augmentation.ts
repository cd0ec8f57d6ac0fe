import { elementCount, int, int64s, tensorOf } from '@starling/onnx';
import { hashedWords, randomWord } from './dropout.ts';
import type { Ops } from './ops.ts';
import type { Generator } from './seeded.ts';

/** What is changed at random in each example of a minibatch, and never in evaluation. */
export interface Augmentation {
  /** Images are mirrored left to right, every other one on average. */
  readonly flip: boolean;
  /** Pixels of zeros put around an image, of which a window of its size is cut; 0 for none. */
  readonly crop: number;
  /** Standard deviation of the normal noise that is added to every number; 0 for none. */
  readonly noise: number;
}

/** Numbers that place one image: by how much a column moves, and where the first one lies. */
export const NUMBERS_PER_MOVE = 2;
/** Random words that the noise of one minibatch takes: two hashes of two words. */
export const NOISE_WORDS = 4;

export const movesImages = ({ flip, crop }: Augmentation): boolean => flip || crop > 0;

interface Frame {
  readonly channels: number;
  readonly height: number;
  readonly width: number;
}

/** @param example [height, width] or [channels, height, width] */
function frameOf(example: readonly number[]): Frame {
  const [channels, height, width] = example.length === 2 ? [1, ...example] : example;
  return { channels: channels!, height: height!, width: width! };
}

/**
 * Where each image's pixels come from in its padded self, as an epoch graph is fed with it:
 * [count, NUMBERS_PER_MOVE]. Pixel (y, x) comes from place y·(padded width) + x·step + first, so
 * that mirror and window are one gather.
 */
export function imageMoves(
  { flip, crop }: Augmentation,
  example: readonly number[],
  count: number,
  generator: Generator,
): Int32Array {
  const { width } = frameOf(example);
  const moves = new Int32Array(count * NUMBERS_PER_MOVE);
  for (let at = 0; at < moves.length; at += NUMBERS_PER_MOVE) {
    const mirrored = flip && generator.below(2) === 1;
    const top = generator.below(2 * crop + 1);
    const left = generator.below(2 * crop + 1);
    moves[at] = mirrored ? -1 : 1;
    moves[at + 1] = top * (width + 2 * crop) + left + (mirrored ? width - 1 : 0);
  }
  return moves;
}

/** Words of the noise of `batches` minibatches, [batches, NOISE_WORDS]; factors are odd. */
export function noiseWords(batches: number, generator: Generator): Int32Array {
  const words = Int32Array.from({ length: batches * NOISE_WORDS }, () => randomWord(generator));
  for (let i = 0; i < words.length; i += 2) words[i]! |= 1;
  return words;
}

/** Integers one by one: WebGPU has no Slice of them, but a Split. */
const splitWords = (
  g: Ops,
  words: string,
  { axis, count }: { readonly axis: number; readonly count: number },
): readonly string[] =>
  g.builder.addMany('Split', [words], new Map([['axis', int(axis)]]), {
    outputs: Array.from({ length: count }, (_, i) => `${words}/${i}`),
  });

/**
 * In the graph: images at the places that `imageMoves` drew.
 * @param batch float32 [batch, …example]
 * @param moves int32 [batch, NUMBERS_PER_MOVE]
 */
export function movedImages(g: Ops, batch: string, moves: string, crop: number): string {
  const [count = 0, ...example] = g.shape(batch);
  const { channels, height, width } = frameOf(example);
  const [tall, wide] = [height + 2 * crop, width + 2 * crop];
  const images = g.reshape(batch, [count, channels, height, width]);
  const padded = g.pad(images, [0, 0, crop, crop], [0, 0, crop, crop]);
  const columns = Array.from({ length: height * width }, (_, i) => i % width);
  const rows = columns.map((_, i) => Math.floor(i / width) * wide);
  const table = (values: readonly number[]) =>
    g.builder.constant(tensorOf('int32', [1, 1, values.length], values));
  const [step, first] = splitWords(g, moves, { axis: 1, count: NUMBERS_PER_MOVE }).map((part) =>
    g.reshape(part, [count, 1, 1]),
  );
  const places = g.add(g.add(g.mul(step!, table(columns)), table(rows)), first!);
  const each = g.call('Expand', [
    places,
    g.builder.constant(int64s([count, channels, height * width])),
  ]);
  const flat = g.reshape(padded, [count, channels, tall * wide]);
  return g.reshape(g.call('GatherElements', [flat, each], { axis: int(2) }), [count, ...example]);
}

/**
 * In the graph: numbers with normal noise, by Box and Muller (1958) from two hashes.
 * @param words int32 [NOISE_WORDS]
 */
export function withNoise(g: Ops, batch: string, words: string, deviation: number): string {
  const shape = g.shape(batch);
  const drawn = splitWords(g, words, { axis: 0, count: NOISE_WORDS }).map((word) =>
    g.reshape(word, []),
  );
  const hash = (at: number) => g.cast(hashedWords(g, shape, drawn[at]!, drawn[at + 1]!), 'float32');
  // From just above 0 to 1: the logarithm is finite.
  const above = g.add(g.add(hash(0), g.number(2 ** 31)), g.number(0.5));
  const length = g.call('Sqrt', [g.scale(g.log(g.scale(above, 2 ** -32)), -2)]);
  const direction = g.call('Cos', [g.scale(hash(2), Math.PI / 2 ** 31)]);
  return g.add(batch, g.scale(g.mul(length, direction), deviation));
}

/** Elements of an example that can be moved: an image. */
export const isImage = (example: readonly number[]): boolean =>
  (example.length === 2 || example.length === 3) && elementCount(example) > 0;
