import { ProtocolError } from '@starling/core';
import type { GraphBuilder } from './builder.ts';
import { MODEL_LIMITS } from './limits.ts';
import { int64s, numbersOf, scalar } from './tensor.ts';
import { int, type Node, numberAttribute } from './types.ts';

/** A name in the builder, or a list of them. */
type Value = string | readonly string[];

interface SequenceCall {
  readonly builder: GraphBuilder;
  readonly node: Node;
  readonly inputs: readonly Value[];
}

type SequenceRule = (call: SequenceCall) => Value;

/** Operators over lists of tensors; a list exists only while a model is repeated. */
const RULES: ReadonlyMap<string, SequenceRule> = new Map<string, SequenceRule>([
  ['SequenceEmpty', () => []],
  ['SequenceConstruct', (call) => call.inputs.map((_, i) => tensor(call, i))],
  ['SequenceLength', (call) => call.builder.constant(scalar(list(call, 0).length, 'int64'))],
  ['SequenceAt', (call) => list(call, 0)[position(call, 1, list(call, 0).length - 1)]!],
  [
    'SequenceInsert',
    (call) => {
      const before = list(call, 0);
      const count = before.length;
      const at = call.inputs[2] === undefined ? count : position(call, 2, count, count);
      return before.toSpliced(at, 0, tensor(call, 1));
    },
  ],
  [
    'SequenceErase',
    (call) => {
      const before = list(call, 0);
      const last = before.length - 1;
      return before.toSpliced(call.inputs[1] === undefined ? last : position(call, 1, last), 1);
    },
  ],
  ['SplitToSequence', splitToSequence],
  ['ConcatFromSequence', concatFromSequence],
]);

export const SEQUENCE_OPERATORS: ReadonlySet<string> = new Set(RULES.keys());

/** The sequences of a model while it is repeated: lists under names that no builder knows. */
export class Sequences {
  readonly #builder: GraphBuilder;
  readonly #lists = new Map<string, readonly string[]>();
  constructor(builder: GraphBuilder) {
    this.#builder = builder;
  }

  has(name: string): boolean {
    return this.#lists.has(name);
  }

  /**
   * Writes an operator over sequences; undefined when the node is none.
   * @throws ProtocolError naming the node, where a position or a length depends on data, and where
   * an operator over tensors gets a sequence
   */
  replay(node: Node, names: readonly string[]): readonly string[] | undefined {
    const rule = RULES.get(node.op);
    const inputs = names.map((name): Value => this.#lists.get(name) ?? name);
    const call = { builder: this.#builder, node, inputs };
    if (rule === undefined) {
      const given = inputs.findIndex((value) => typeof value !== 'string');
      if (given < 0) return undefined;
      if (node.op === 'Identity') return names;
      return fail(call, `input ${given} is a sequence`);
    }
    const made = rule(call);
    if (typeof made === 'string') return [made];
    if (made.length > MODEL_LIMITS.aritiesMax) fail(call, `a sequence of ${made.length} tensors`);
    const name = `\0sequence ${this.#lists.size}`;
    this.#lists.set(name, made);
    return [name];
  }
}

function fail({ node }: SequenceCall, message: string): never {
  throw new ProtocolError('model-shape', `node "${node.name}" (${node.op}): ${message}`);
}

function list(call: SequenceCall, index: number): readonly string[] {
  const value = call.inputs[index];
  return Array.isArray(value) ? value : fail(call, `input ${index} is not a sequence`);
}

function tensor(call: SequenceCall, index: number): string {
  const value = call.inputs[index];
  if (typeof value === 'string' && value !== '') return value;
  return fail(call, `input ${index} is not a tensor`);
}

/** A constant position from 0 to `last`; a negative one counts from the end of `count` tensors. */
function position(call: SequenceCall, index: number, last: number, count = last + 1): number {
  const given = call.builder.valueOf(tensor(call, index))?.data[0];
  if (given === undefined) return fail(call, `input ${index} (a position) is not constant`);
  const at = Number(given) < 0 ? Number(given) + count : Number(given);
  return at >= 0 && at <= last ? at : fail(call, `position ${given} of ${count}`);
}

/** Parts of the given sizes, of one size, or without it single elements. */
function splitToSequence(call: SequenceCall): readonly string[] {
  const { builder, node } = call;
  const x = tensor(call, 0);
  const shape = builder.shape(x);
  const asked = numberAttribute(node, 'axis', 0);
  const axis = asked < 0 ? asked + shape.length : asked;
  const size = shape[axis] ?? fail(call, `axis ${asked} of [${shape}]`);
  const single = call.inputs[1] === undefined || call.inputs[1] === '';
  const sizes = single ? evenSizes(call, size, 1) : givenSizes(call, size);
  const outputs = sizes.map((_, i) => `${node.name}/${i}`);
  const attributes = new Map([['axis', int(axis)]]);
  const inputs = [x, builder.constant(int64s(sizes))];
  const parts = builder.addMany('Split', inputs, attributes, { name: node.name, outputs });
  if (!single || numberAttribute(node, 'keepdims', 1) === 1) return parts;
  const axes = builder.constant(int64s([axis]));
  return parts.map((part) => builder.add('Squeeze', [part, axes]));
}

function givenSizes(call: SequenceCall, size: number): readonly number[] {
  const value = call.builder.valueOf(tensor(call, 1));
  if (value === undefined) return fail(call, 'input 1 (sizes) is not constant');
  const sizes = numbersOf(value);
  return value.shape.length === 0 ? evenSizes(call, size, sizes[0]!) : sizes;
}

function evenSizes(call: SequenceCall, size: number, part: number): readonly number[] {
  const count = Math.ceil(size / part);
  if (!(part >= 1 && count <= MODEL_LIMITS.aritiesMax)) fail(call, `${size} in parts of ${part}`);
  return Array.from({ length: count }, (_, i) => Math.min(part, size - i * part));
}

function concatFromSequence(call: SequenceCall): string {
  const { builder, node } = call;
  const parts = list(call, 0);
  const axis = numberAttribute(node, 'axis', 0);
  if (parts.length === 0) fail(call, 'the sequence is empty');
  if (numberAttribute(node, 'new_axis', 0) === 0) {
    return builder.add('Concat', parts, { axis: int(axis) });
  }
  const axes = builder.constant(int64s([axis]));
  const wide = parts.map((part) => builder.add('Unsqueeze', [part, axes]));
  return builder.add('Concat', wide, { axis: int(axis) });
}
