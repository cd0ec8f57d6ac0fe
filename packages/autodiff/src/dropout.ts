import { elementCount, float, tensorOf } from '@starling/onnx';
import type { Ops } from './ops.ts';
import { createGenerator, type Generator } from './seeded.ts';

/** Random words that one dropout takes for one batch. */
export const WORDS_PER_DROPOUT = 2;

/**
 * Masks for the dropouts of one batch. The bits are a·c + b modulo 2^32 for a fixed table of random
 * words c, one for each element, and two random words a and b that are fed for each dropout and
 * batch: the multiply-shift hash, whose high bits are uniform and independent pair by pair
 * (Dietzfelbinger 1996). It takes two int32 operators that run everywhere, and the masks follow
 * from the words alone.
 */
export interface DropoutMasks {
  /** For each element of `shape` 0 with probability `ratio` and 1 else, as float32. */
  kept(shape: readonly number[], ratio: number): string;
}

/** @param words int32 [WORDS_PER_DROPOUT · dropouts of the model] */
export function dropoutMasks(g: Ops, words: string): DropoutMasks {
  const count = elementCount(g.shape(words));
  const scalars = g.builder.addMany('Split', [words], new Map(), {
    outputs: Array.from({ length: count }, (_, i) => `dropout/${i}`),
  });
  let used = 0;
  return {
    kept: (shape, ratio) => {
      const [factor, offset] = [scalars[used]!, scalars[used + 1]!];
      used += WORDS_PER_DROPOUT;
      const hash = hashedWords(g, shape, factor, offset);
      // 1 above the threshold and 0 up to it: whole numbers have nothing in between, and a truth
      // value would cost twice as much.
      const threshold = (ratio - 0.5) * 2 ** 32;
      const attributes = { alpha: float(1), beta: float(-Math.fround(threshold)) };
      return g.call('HardSigmoid', [g.cast(hash, 'float32')], attributes);
    },
  };
}

/** Counts dropouts: for a dry run. */
export function countingMasks(g: Ops): DropoutMasks & { readonly count: () => number } {
  let used = 0;
  return {
    kept: (shape) => {
      used += 1;
      return g.builder.input(`kept/${used}`, { dtype: 'float32', shape });
    },
    count: () => used,
  };
}

/** In the graph: a hash of 32 random bits for each element of `shape`, from two words. */
export const hashedWords = (
  g: Ops,
  shape: readonly number[],
  factor: string,
  offset: string,
): string => g.add(g.mul(table(g, shape), factor), offset);

/** A random word for each element: a function of their number, so that graphs repeat. */
function table(g: Ops, shape: readonly number[]): string {
  const size = elementCount(shape);
  const generator = createGenerator(size);
  const words = Array.from({ length: size }, () => randomWord(generator));
  return g.builder.constant(tensorOf('int32', shape, words), `dropout/table/${shape.join('x')}`);
}

/** An int32 of 32 random bits. */
export const randomWord = (generator: Generator) => (generator.uniform() * 2 ** 32) | 0;

/**
 * Words for `batches` batches of a model with `dropouts` dropouts, as a step graph and an epoch
 * graph are fed with: [batches, WORDS_PER_DROPOUT · dropouts]. Factors are odd: then the hash is a
 * bijection.
 */
export function dropoutWords(batches: number, dropouts: number, generator: Generator): Int32Array {
  const words = Int32Array.from({ length: batches * dropouts * WORDS_PER_DROPOUT }, () =>
    randomWord(generator),
  );
  for (let i = 0; i < words.length; i += WORDS_PER_DROPOUT) words[i]! |= 1;
  return words;
}
