import { assert } from '@starling/core';
import {
  type Attribute,
  broadcastShapes,
  equalShapes,
  expandFunction,
  float,
  type GraphBuilder,
  int,
  int64s,
  ints,
  scalar,
} from '@starling/onnx';

const CAST_TO = { float32: 1, int32: 6, int64: 7, bool: 9 } as const;

/** How an `Ops.gemm` reads its operands. */
export interface GemmOptions {
  readonly transA?: boolean;
  readonly transB?: boolean;
  readonly alpha?: number;
}

/** Short names for what gradient rules write: every method adds nodes and names the result. */
export class Ops {
  readonly builder: GraphBuilder;
  constructor(builder: GraphBuilder) {
    this.builder = builder;
  }

  shape(x: string): readonly number[] {
    return this.builder.shape(x);
  }

  call(op: string, inputs: readonly string[], attributes: Record<string, Attribute> = {}): string {
    return this.builder.add(op, inputs, attributes);
  }

  /** Adds an operator that is written as others. */
  expand(op: string, inputs: readonly string[], attributes: Record<string, Attribute>): string {
    const name = `${op}_gradient`;
    const node = {
      name,
      op,
      inputs,
      outputs: [name],
      attributes: new Map(Object.entries(attributes)),
    };
    const made = expandFunction(this.builder, node, inputs);
    assert(made?.[0] !== undefined, `${op} is no function`);
    return made[0];
  }

  /** A float32 scalar. */
  number(value: number): string {
    return this.builder.constant(scalar(value));
  }

  add = (a: string, b: string) => this.call('Add', [a, b]);
  sub = (a: string, b: string) => this.call('Sub', [a, b]);
  mul = (a: string, b: string) => this.call('Mul', [a, b]);
  div = (a: string, b: string) => this.call('Div', [a, b]);
  neg = (a: string) => this.call('Neg', [a]);
  exp = (a: string) => this.call('Exp', [a]);
  log = (a: string) => this.call('Log', [a]);
  square = (a: string) => this.mul(a, a);
  where = (condition: string, a: string, b: string) => this.call('Where', [condition, a, b]);
  greater = (a: string, b: string) => this.call('Greater', [a, b]);
  equal = (a: string, b: string) => this.call('Equal', [a, b]);
  matmul = (a: string, b: string) => this.call('MatMul', [a, b]);

  scale(a: string, factor: number): string {
    return factor === 1 ? a : this.mul(a, this.number(factor));
  }

  cast(a: string, to: keyof typeof CAST_TO): string {
    return this.builder.type(a).dtype === to ? a : this.call('Cast', [a], { to: int(CAST_TO[to]) });
  }

  gemm(a: string, b: string, { transA = false, transB = false, alpha = 1 }: GemmOptions): string {
    return this.call('Gemm', [a, b], {
      transA: int(Number(transA)),
      transB: int(Number(transB)),
      alpha: float(alpha),
    });
  }

  transpose(a: string, perm: readonly number[]): string {
    return perm.every((axis, i) => axis === i)
      ? a
      : this.call('Transpose', [a], { perm: ints(perm) });
  }

  /** Swaps the last two axes. */
  transposeMatrix(a: string): string {
    const rank = this.shape(a).length;
    const perm = Array.from({ length: rank }, (_, i) => i);
    return this.transpose(a, [...perm.slice(0, -2), rank - 1, rank - 2]);
  }

  reshape(a: string, shape: readonly number[]): string {
    if (equalShapes(this.shape(a), shape)) return a;
    // Else a 0 would mean: as it was.
    const empty = shape.includes(0) ? { allowzero: int(1) } : {};
    return this.call('Reshape', [a, this.builder.constant(int64s(shape))], empty);
  }

  reduceSum(a: string, axes: readonly number[], keepdims = true): string {
    if (axes.length === 0) return a;
    const list = this.builder.constant(int64s(axes));
    return this.call('ReduceSum', [a, list], { keepdims: int(Number(keepdims)) });
  }

  concat(parts: readonly string[], axis: number): string {
    return parts.length === 1 ? parts[0]! : this.call('Concat', parts, { axis: int(axis) });
  }

  /** Elements `starts[i]`, `starts[i] + steps[i]`, … below `ends[i]` along `axes[i]`. */
  slice(
    a: string,
    ranges: readonly { axis: number; start: number; end: number; step?: number }[],
  ): string {
    const shape = this.shape(a);
    const cut = ranges.filter(
      ({ axis, start, end, step }) => start > 0 || end < shape[axis]! || (step ?? 1) !== 1,
    );
    if (cut.length === 0) return a;
    const list = (pick: (range: (typeof cut)[number]) => number) =>
      this.builder.constant(int64s(cut.map(pick)));
    return this.call('Slice', [
      a,
      list(({ start }) => start),
      list(({ end }) => end),
      list(({ axis }) => axis),
      list(({ step }) => step ?? 1),
    ]);
  }

  /** The elements along `axis` in the opposite order. */
  reverse(a: string, axis: number): string {
    // An end before the first element: −1 would mean the last.
    const ends = -this.shape(a)[axis]! - 1;
    const list = [-1, ends, axis, -1].map((value) => this.builder.constant(int64s([value])));
    return this.call('Slice', [a, ...list]);
  }

  /** Pads with `value`; counts per axis, none negative. */
  pad(a: string, begin: readonly number[], end: readonly number[], value = 0): string {
    if ([...begin, ...end].every((count) => count === 0)) return a;
    const pads = this.builder.constant(int64s([...begin, ...end]));
    return this.call('Pad', [a, pads, this.number(value)]);
  }

  /** `a` repeated to `shape`, which it broadcasts to. */
  broadcastTo(a: string, shape: readonly number[]): string {
    if (equalShapes(this.shape(a), shape)) return a;
    return this.call('Expand', [a, this.builder.constant(int64s(shape))]);
  }

  /** Float32 zeros of `shape`. */
  zeros(shape: readonly number[]): string {
    return this.broadcastTo(this.number(0), shape);
  }

  /** The reverse of broadcasting: sums `a` over the axes along which `shape` was repeated. */
  sumTo(a: string, shape: readonly number[]): string {
    const from = this.shape(a);
    if (equalShapes(from, shape)) return a;
    const fits = `${broadcastShapes(from, shape)}` === `${from}`;
    assert(fits, `[${from}] is no broadcast of [${shape}]`);
    const shift = from.length - shape.length;
    const axes = from.flatMap((dim, i) => (i < shift || shape[i - shift] !== dim ? [i] : []));
    return this.reshape(this.reduceSum(a, axes, false), shape);
  }
}
