import type { AttributeRecord, GraphBuilder } from './builder.ts';
import { type Arity, InferenceCall } from './inference.ts';
import { equalShapes, int64s, scalar } from './tensor.ts';
import { int, ints, type Node } from './types.ts';

/** Adds nodes in place of a call and names its outputs; trailing ones nobody asked for may lack. */
export type FunctionBody = (call: FunctionCall) => readonly string[];

export type FunctionEntry = readonly [op: string, body: FunctionBody, arity?: Arity];

/**
 * One call of an operator that is written as others: checked access to its inputs, and short names
 * for the nodes that take its place. Numbers are of the type of its first input.
 */
export class FunctionCall extends InferenceCall {
  readonly builder: GraphBuilder;
  /** Names of the inputs in the builder; an absent one is empty. */
  readonly x: readonly string[];
  constructor(builder: GraphBuilder, node: Node, x: readonly string[]) {
    const known = x.map((name) => {
      if (name === '') return undefined;
      const value = builder.valueOf(name);
      return value === undefined ? builder.type(name) : { ...builder.type(name), value };
    });
    super(node, known);
    this.builder = builder;
    this.x = x;
  }

  /** Adds a node with one output, named after the call. */
  op(op: string, inputs: readonly string[], attributes: AttributeRecord = {}): string {
    return this.builder.add(op, inputs, attributes, { name: `${this.node.name}/${op}` });
  }

  add = (a: string, b: string) => this.op('Add', [a, b]);
  sub = (a: string, b: string) => this.op('Sub', [a, b]);
  mul = (a: string, b: string) => this.op('Mul', [a, b]);
  div = (a: string, b: string) => this.op('Div', [a, b]);
  sqrt = (a: string) => this.op('Sqrt', [a]);
  square = (a: string) => this.mul(a, a);

  number(value: number): string {
    return this.builder.constant(scalar(value, this.input(0).dtype));
  }

  scale(a: string, factor: number): string {
    return factor === 1 ? a : this.mul(a, this.number(factor));
  }

  /** Name of input `index` if it is there. */
  given(index: number): string | undefined {
    const name = this.x[index] ?? '';
    return name === '' ? undefined : name;
  }

  /** `a` plus input `index` if that is there. */
  addGiven(a: string, index: number): string {
    const term = this.given(index);
    return term === undefined ? a : this.add(a, term);
  }

  integers(values: readonly number[]): string {
    return this.builder.constant(int64s(values));
  }

  reshape(a: string, shape: readonly number[]): string {
    if (equalShapes(this.builder.shape(a), shape)) return a;
    // Else a 0 would mean: as it was.
    const empty = shape.includes(0) ? { allowzero: int(1) } : {};
    return this.op('Reshape', [a, this.integers(shape)], empty);
  }

  transpose(a: string, perm: readonly number[]): string {
    return this.op('Transpose', [a], { perm: ints(perm) });
  }

  /** Positions `start` to `end` along `axis`. */
  cut(a: string, axis: number, start: number, end: number): string {
    return this.op('Slice', [a, ...[start, end, axis].map((value) => this.integers([value]))]);
  }

  /** Parts of the given sizes along `axis`. */
  split(a: string, axis: number, sizes: readonly number[]): readonly string[] {
    const name = `${this.node.name}/Split`;
    const outputs = sizes.map((_, i) => `${name}/output_${i}`);
    const attributes = new Map([['axis', int(axis)]]);
    const inputs = [a, this.integers(sizes)];
    return this.builder.addMany('Split', inputs, attributes, { name, outputs });
  }

  concat(parts: readonly string[], axis: number): string {
    return parts.length === 1 ? parts[0]! : this.op('Concat', parts, { axis: int(axis) });
  }
}
