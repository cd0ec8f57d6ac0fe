import { ProtocolError } from '@starling/core';
import { MODEL_LIMITS } from './limits.ts';
import { numbersOf } from './tensor.ts';
import type { Node, Tensor, ValueType } from './types.ts';

/** What is known of an input: its type always, its value when it is a constant. */
export interface Known extends ValueType {
  readonly value?: Tensor;
}

/** Types of the outputs. An absent optional input is undefined. */
export type InferenceRule = (call: InferenceCall) => readonly ValueType[];

/** Least and largest number of inputs; exactly one where none is given. */
export type Arity = readonly [least: number, most: number];

export type InferenceEntry = readonly [op: string, rule: InferenceRule, arity?: Arity];

/** Longest list of axes, sizes or pads that an operator can make sense of. */
const LIST_MAX = 2 * MODEL_LIMITS.rankMax;

/** One operator call with checked access to its inputs. */
export class InferenceCall {
  readonly node: Node;
  readonly #inputs: readonly (Known | undefined)[];
  constructor(node: Node, inputs: readonly (Known | undefined)[]) {
    this.node = node;
    this.#inputs = inputs;
  }

  input(index: number): Known {
    return this.#inputs[index] ?? this.fail(`input ${index} is missing`);
  }

  optional(index: number): Known | undefined {
    return this.#inputs[index];
  }

  get inputs(): readonly Known[] {
    return this.#inputs.map((_, i) => this.input(i));
  }

  /** Refuses a call with too many inputs, or without one that must be there. */
  checkArity([least, most]: Arity): void {
    const count = this.#inputs.length;
    if (count > most) this.fail(`${count} inputs, at most ${most}`);
    for (let i = 0; i < least; i++) this.input(i);
  }

  /** Numbers of a constant input. */
  constants(index: number): readonly number[] {
    const { value } = this.input(index);
    if (value === undefined) this.fail(`input ${index} (a shape, axes or bounds) is not constant`);
    return numbersOf(value);
  }

  /** Numbers of a constant input that has about one for each axis. */
  list(index: number): readonly number[] {
    const count = this.input(index).value?.data.length ?? 0;
    if (count > LIST_MAX) this.fail(`input ${index} lists ${count} axes or sizes`);
    return this.constants(index);
  }

  /** The number of a constant input of one element. */
  scalar(index: number): number {
    const count = this.input(index).value?.data.length ?? 1;
    if (count !== 1) this.fail(`input ${index} holds ${count} numbers, expected one`);
    return this.constants(index)[0]!;
  }

  /** `axis` counted from the front, checked. */
  axis(axis: number, rank: number): number {
    const at = axis < 0 ? axis + rank : axis;
    if (!Number.isInteger(at) || at < 0 || at >= rank) this.fail(`axis ${axis} of rank ${rank}`);
    return at;
  }

  /** Distinct axes counted from the front, checked. */
  axes(axes: readonly number[], rank: number): number[] {
    if (axes.length > rank) this.fail(`${axes.length} axes of rank ${rank}`);
    const found = axes.map((axis) => this.axis(axis, rank));
    if (new Set(found).size !== found.length) this.fail(`axes [${axes}] of rank ${rank} repeat`);
    return found;
  }

  fail(message: string): never {
    throw new ProtocolError('model-shape', `${this.#where}: ${message}`);
  }

  /** For a call that fits but asks for what is not done here. */
  refuse(message: string): never {
    throw new ProtocolError('unsupported-operator', `${this.#where}: ${message}`);
  }

  get #where(): string {
    return `node "${this.node.name}" (${this.node.op})`;
  }
}
