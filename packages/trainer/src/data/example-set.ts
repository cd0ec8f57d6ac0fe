import { assert } from '@starling/core';
import { type DataSource, type Examples, type SourceInfo, targetWidth } from './source.ts';

/** Examples in memory, with what they are. */
export interface ExampleSet {
  readonly info: SourceInfo;
  readonly examples: Examples;
}

/** Images of bytes, each of one class. */
export interface ByteImages {
  /** Of one image. */
  readonly shape: readonly number[];
  /** [count, …shape] */
  readonly pixels: Uint8Array;
  /** Class of each image, [count]. */
  readonly labels: ArrayLike<number>;
  readonly classes: number;
}

/** Pixels become numbers from 0 to 1. */
export function byteImages({ shape, pixels, labels, classes }: ByteImages): ExampleSet {
  const count = labels.length;
  return {
    info: {
      ...{ format: 'idx', count, shape, elements: { dtype: 'uint8', scale: 1 / 255 } },
      target: { kind: 'classes', count: classes, names: null },
    },
    examples: { count, inputs: pixels, targets: Int32Array.from(labels) },
  };
}

/** Numbers of one example's input. */
export const inputWidth = ({ shape }: SourceInfo): number =>
  shape.reduce((product, dim) => product * dim, 1);

/** The examples at `indices`, copied. */
export function pickExamples(
  info: SourceInfo,
  { inputs, targets }: Examples,
  indices: Int32Array,
): Examples {
  return {
    count: indices.length,
    inputs: pickRows(inputs, indices, inputWidth(info)),
    targets: targets && pickRows(targets, indices, targetWidth(info.target)),
  };
}

/** The examples at `indices` as a set of their own. */
export const selectExamples = ({ info, examples }: ExampleSet, indices: Int32Array): ExampleSet => {
  const picked = pickExamples(info, examples, indices);
  return { info: { ...info, count: picked.count }, examples: picked };
};

type Numbers = Uint8Array | Int32Array | Float32Array;

/** Rows of `width` numbers, copied to the start of `into` or to an array of their own. */
export function pickRows<T extends Numbers>(
  rows: T,
  indices: Int32Array,
  width: number,
  into = sameKind(rows, indices.length * width),
): T {
  for (let i = 0; i < indices.length; i++) {
    const from = indices[i]! * width;
    into.set(rows.subarray(from, from + width), i * width);
  }
  return into;
}

/** An array of zeros of the same element type. */
export function sameKind<T extends Numbers>(like: T, length: number): T {
  const kinds = { Uint8Array, Int32Array, Float32Array };
  const kind = like[Symbol.toStringTag] as keyof typeof kinds;
  return new kinds[kind](length) as T;
}

/** A set in memory, read like any other. */
export const memorySource = ({ info, examples }: ExampleSet): DataSource => ({
  info,
  read: async (from, count) => {
    assert(from >= 0 && from + count <= info.count, `examples ${from} to ${from + count}`);
    const [input, target] = [inputWidth(info), targetWidth(info.target)];
    const part = <T extends Numbers>(rows: T, width: number): T =>
      rows.subarray(from * width, (from + count) * width) as T;
    const { inputs, targets } = examples;
    return { count, inputs: part(inputs, input), targets: targets && part(targets, target) };
  },
  close: async () => {},
});
