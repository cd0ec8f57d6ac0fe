import { elementCount, GraphBuilder, type Node, tensorOf, writeModel } from '@starling/onnx';
import { InferenceSession } from 'onnxruntime-node';
import { expect, test } from 'vitest';
import { Ops } from './ops.ts';
import type { Share } from './rule.ts';
import { createGenerator, type Generator } from './seeded.ts';
import { joinShares } from './shares.ts';

/** A share with small whole numbers, and what it adds to each element of [shape]. */
interface Drawn {
  readonly share: Share;
  readonly add: (total: Float64Array) => void;
}

const digits = (generator: Generator, count: number) =>
  Array.from({ length: count }, () => generator.below(9) - 4);

function constant(g: Ops, shape: readonly number[], values: readonly number[]): string {
  return g.builder.constant(tensorOf('float32', shape, values));
}

/** A value that was broadcast from [rows, columns] along a new axis in front, or was not. */
function drawNamed(g: Ops, generator: Generator, [rows, columns]: readonly number[]): Drawn {
  const repeats = 1 + generator.below(3);
  const values = digits(generator, repeats * rows! * columns!);
  const shape = repeats === 1 ? [rows!, columns!] : [repeats, rows!, columns!];
  const size = rows! * columns!;
  return {
    share: constant(g, shape, values),
    add: (total) => {
      for (const [i, value] of values.entries()) total[i % size]! += value;
    },
  };
}

function drawPiece(g: Ops, generator: Generator, shape: readonly number[]): Drawn {
  const axis = generator.below(2);
  const start = generator.below(shape[axis]!);
  const length = 1 + generator.below(shape[axis]! - start);
  const part = shape.with(axis, length);
  const values = digits(generator, elementCount(part));
  return {
    share: { kind: 'piece', value: constant(g, part, values), axis, start },
    add: (total) => {
      for (const [i, value] of values.entries()) {
        const at = [Math.floor(i / part[1]!), i % part[1]!];
        at[axis]! += start;
        total[at[0]! * shape[1]! + at[1]!]! += value;
      }
    },
  };
}

function drawProduct(g: Ops, generator: Generator, [rows, columns]: readonly number[]): Drawn {
  const depth = 1 + generator.below(3);
  const alpha = 1 + generator.below(2);
  const [left, right] = [digits(generator, depth * rows!), digits(generator, depth * columns!)];
  return {
    share: {
      kind: 'product',
      rows: constant(g, [depth, rows!], left),
      columns: constant(g, [depth, columns!], right),
      alpha,
    },
    add: (total) => {
      for (let k = 0; k < depth; k++) {
        for (let i = 0; i < rows!; i++) {
          for (let j = 0; j < columns!; j++) {
            total[i * columns! + j]! += alpha * left[k * rows! + i]! * right[k * columns! + j]!;
          }
        }
      }
    },
  };
}

const KINDS = [drawNamed, drawPiece, drawProduct];

test('shares of all kinds add up, however many and whatever they overlap', async () => {
  const shape = [3, 4];
  for (let seed = 0; seed < 40; seed++) {
    const generator = createGenerator(seed);
    const builder = new GraphBuilder();
    const g = new Ops(builder);
    const drawn = Array.from({ length: 1 + generator.below(7) }, () =>
      KINDS[generator.below(KINDS.length)]!(g, generator, shape),
    );
    const expected = new Float64Array(elementCount(shape));
    for (const { add } of drawn) add(expected);
    const joined = joinShares(
      g,
      drawn.map(({ share }) => share),
      shape,
    );
    const graph = builder.finish('shares', [builder.named(joined!, 'y')]);
    const session = await InferenceSession.create(writeModel({ graph }), { logSeverityLevel: 4 });
    const { y } = await session.run({});
    await session.release();
    expect(y!.dims).toEqual(shape);
    expect(Array.from(y!.data, Number)).toEqual([...expected]);
  }
});

test('nothing is made of no share', () => {
  const builder = new GraphBuilder();
  expect(joinShares(new Ops(builder), [], [2])).toBeUndefined();
  expect(builder.nodes).toEqual([]);
});

/** Operators that joining writes for inputs of [2, 3]. */
function operators(make: (g: Ops, inputs: readonly string[]) => readonly Share[], count: number) {
  const builder = new GraphBuilder();
  const g = new Ops(builder);
  const inputs = Array.from({ length: count }, (_, i) =>
    builder.input(`x${i}`, { dtype: 'float32', shape: [2, 3] }),
  );
  joinShares(g, make(g, inputs), [6, 3]);
  return builder.nodes.map(({ op }: Node) => op);
}

test('pieces that tile an axis are one Concat; a gap is zeros in it', () => {
  const pieces = (starts: readonly number[]) => (_: Ops, inputs: readonly string[]) =>
    starts.map((start, i): Share => ({ kind: 'piece', value: inputs[i]!, axis: 0, start }));
  expect(operators(pieces([4, 0, 2]), 3)).toEqual(['Concat']);
  expect(operators(pieces([4, 0]), 2)).toEqual(['Concat']);
  expect(operators(pieces([2]), 1)).toEqual(['Pad']);
  expect(operators(pieces([0, 0]), 2)).toEqual(['Add', 'Pad']);
});

test('a weight that is used at every step gets one product over all', () => {
  const builder = new GraphBuilder();
  const g = new Ops(builder);
  const shares = Array.from({ length: 5 }, (_, i): Share => {
    const input = (name: string, width: number) =>
      builder.input(`${name}${i}`, { dtype: 'float32', shape: [2, width] });
    return { kind: 'product', rows: input('a', 6), columns: input('b', 3), alpha: 1 };
  });
  joinShares(g, shares, [6, 3]);
  expect(builder.nodes.map(({ op }) => op)).toEqual(['Concat', 'Concat', 'Gemm']);
});
