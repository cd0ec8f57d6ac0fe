import { chunkLayout, type RingShape } from '@starling/secagg';
import type { ChunkRange, ComputeTasks, TaskName } from './compute.ts';
import { newSharedWords } from './shared-memory.ts';

type In<N extends TaskName> = ComputeTasks[N]['in'];
type Out<N extends TaskName> = ComputeTasks[N]['out'];

/** How one task becomes several by its chunks, and their outputs become one. */
interface Split<N extends TaskName> {
  /** At most `pieces` inputs. */
  readonly split: (input: In<N>, pieces: number) => readonly In<N>[];
  /** The output of the whole task from those of its pieces, in their order. */
  readonly join: (outputs: readonly Out<N>[]) => Out<N>;
}
type Splits = { readonly [N in TaskName]?: Split<N> };

/** Tasks that are not here run on one worker. */
const SPLITS: Splits = {
  mask: {
    split: (input, pieces) => {
      if (input.range !== undefined) return [input];
      return rangesOf(chunksOf(input.shape), pieces).map((range) => ({ ...input, range }));
    },
    join: (outputs) => ({
      chunks: outputs.flatMap(({ chunks }) => chunks),
      hashes: outputs.flatMap(({ hashes }) => hashes),
    }),
  },
  sum: {
    split: (input, pieces) => piecesOf(input.parts, pieces).map((parts) => ({ ...input, parts })),
    join: (outputs) => ({ sums: outputs.flatMap(({ sums }) => sums) }),
  },
  tag: {
    split: (input, pieces) => piecesOf(input.parts, pieces).map((parts) => ({ ...input, parts })),
    join: (outputs) => ({ tags: outputs.flatMap(({ tags }) => tags) }),
  },
  'unmask-chunks': {
    split: (input, pieces) => piecesOf(input.parts, pieces).map((parts) => ({ ...input, parts })),
    join: (outputs) => ({ sums: outputs.flatMap(({ sums }) => sums) }),
  },
  unmask: {
    split: (input, pieces) => {
      const { shape, part, sums } = input;
      // A wrong number of sums is left whole: the kernel refuses it.
      if (part !== undefined || sums.length !== chunksOf(shape)) return [input];
      const words = newSharedWords(shape.length);
      return rangesOf(sums.length, pieces).map((range) => ({
        ...input,
        sums: sums.slice(range.first, range.first + range.count),
        part: { range, words },
      }));
    },
    join: (outputs) => ({
      words: outputs[0]!.words,
      inRange: outputs.every(({ inRange }) => inRange),
    }),
  },
};

/** Below this many words one worker is done before a second has begun. */
const SPLIT_FROM_WORDS = 1_000_000;

export interface SplitTask<N extends TaskName> {
  readonly inputs: readonly In<N>[];
  readonly join: (outputs: readonly Out<N>[]) => Out<N>;
}

/**
 * The inputs for at most `workers` workers; their joined output is that of the whole task, bit for
 * bit, whatever `workers` is. Small tasks stay whole.
 */
export function splitTask<N extends TaskName>(
  name: N,
  input: In<N>,
  { workers, fromWords = SPLIT_FROM_WORDS }: { workers: number; fromWords?: number | undefined },
): SplitTask<N> {
  const rule = SPLITS[name] as Split<N> | undefined;
  const large = 'shape' in input && input.shape.length >= fromWords;
  const inputs = rule === undefined || !large || workers === 1 ? [] : rule.split(input, workers);
  if (rule === undefined || inputs.length <= 1) {
    return { inputs: [input], join: ([output]) => output! };
  }
  return { inputs, join: rule.join };
}

const chunksOf = ({ length, bits, chunkBytes }: RingShape): number =>
  chunkLayout(length, bits, { chunkBytes }).count;

/** 0 … count−1 in at most `pieces` ranges of nearly equal length, none of them empty. */
function rangesOf(count: number, pieces: number): readonly ChunkRange[] {
  const ranges = Math.min(pieces, count);
  const edge = (i: number) => Math.floor((i * count) / ranges);
  return Array.from({ length: ranges }, (_, i) => {
    return { first: edge(i), count: edge(i + 1) - edge(i) };
  });
}

const piecesOf = <T>(items: readonly T[], pieces: number): readonly (readonly T[])[] =>
  rangesOf(items.length, pieces).map(({ first, count }) => items.slice(first, first + count));
