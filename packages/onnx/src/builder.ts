import { assert, ProtocolError } from '@starling/core';
import { foldNode } from './fold.ts';
import { inferNode } from './infer.ts';
import { permutationOf } from './infer-shape.ts';
import type { Known } from './inference.ts';
import { MODEL_LIMITS } from './limits.ts';
import { namesUsedBy } from './subgraphs.ts';
import { elementCount, equalShapes, numbersOf } from './tensor.ts';
import type { Attribute, Attributes, Graph, Node, Tensor, ValueType } from './types.ts';

export type AttributeRecord = Readonly<Record<string, Attribute>>;

export interface CallOptions {
  /** Name of the node, made unique when taken. */
  readonly name?: string;
  /** Names for the outputs, made unique when taken; their number is the number of outputs. */
  readonly outputs?: readonly string[];
}

/** What a body of a Loop shares with the graph around it. */
interface Shared {
  readonly names: Set<string>;
  readonly counters: Map<string, number>;
  elements: number;
  folded: number;
  nodes: number;
}

/**
 * Grows a graph node by node. Every value's type is known at once, constants are folded as they
 * come, and names follow from the calls alone: the same calls give the same graph.
 */
export class GraphBuilder {
  readonly #parent: GraphBuilder | undefined;
  readonly #shared: Shared;
  readonly #values = new Map<string, Known>();
  readonly #inputs: string[] = [];
  #nodes: Node[] = [];
  readonly #initializers = new Map<string, Tensor>();
  readonly #constants = new Map<string, string>();

  /** @param parent graph around this one when this is a body; its values can be used by name */
  constructor(parent?: GraphBuilder) {
    this.#parent = parent;
    this.#shared = parent ? parent.#shared : freshShared();
  }

  /** Nodes so far, in topological order. */
  get nodes(): readonly Node[] {
    return this.#nodes;
  }

  input(name: string, type: ValueType): string {
    const unique = this.#unique(name);
    this.#inputs.push(unique);
    // Not under the limits: what is fed is at hand already, and a data set may be large.
    this.#values.set(unique, typeOnly(type));
    return unique;
  }

  /**
   * A stored tensor. Without a name, equal small tensors are stored once, in the outermost graph.
   */
  constant(tensor: Tensor, name?: string): string {
    if (this.#parent) return this.#parent.constant(tensor, name);
    const key = name ?? (tensor.data.length <= 64 ? contentKey(tensor) : undefined);
    const found = key === undefined ? undefined : this.#constants.get(key);
    if (found !== undefined) return found;
    const unique = this.#unique(name ?? `constant_${this.#count('constant')}`);
    if (key !== undefined) this.#constants.set(key, unique);
    this.#initializers.set(unique, tensor);
    this.#define(unique, { dtype: tensor.dtype, shape: tensor.shape, value: tensor });
    return unique;
  }

  /** Adds a node with one output and names that; the name of a constant when the value is known. */
  add(
    op: string,
    inputs: readonly string[],
    attributes: AttributeRecord = {},
    options: CallOptions = {},
  ): string {
    return this.addMany(op, inputs, new Map(Object.entries(attributes)), options)[0]!;
  }

  /**
   * Adds a node and names its outputs.
   * @throws ProtocolError `unsupported-operator`, `model-shape` or `model-limit`, naming the node
   */
  addMany(
    op: string,
    inputs: readonly string[],
    attributes: Attributes,
    options: CallOptions = {},
  ): readonly string[] {
    const name = options.name ?? `${op}_${this.#count(op)}`;
    const asked = options.outputs ?? [`${name}/output`];
    const draft: Node = { name, op, inputs, outputs: asked, attributes };
    const known = inputs.map((input) => (input === '' ? undefined : this.#known(input, draft)));
    if (op === 'Identity') return [inputs[0] ?? ''];
    const types = inferNode(draft, known);
    const folded = foldNode(draft, known, types);
    if (folded !== undefined) return folded.map((value) => this.#foldedConstant(value, draft));
    if (changesNothing(draft, known, types[0])) return [inputs[0]!];
    return this.addTyped(draft, types);
  }

  #foldedConstant(value: Tensor, by: Node): string {
    this.#shared.folded += value.data.length;
    if (this.#shared.folded > MODEL_LIMITS.foldTotalMax) {
      const where = `node "${by.name}" (${by.op})`;
      throw new ProtocolError('model-limit', `${where}: too many constants follow from others`);
    }
    return this.constant(value);
  }

  /** Adds a node whose output types the caller knows: Loop, with its body. */
  addTyped(node: Node, types: readonly ValueType[]): readonly string[] {
    if (++this.#shared.nodes > MODEL_LIMITS.nodesMax) {
      const where = `node "${node.name}" (${node.op})`;
      const what = `${where}: the graph has more than ${MODEL_LIMITS.nodesMax} nodes by here`;
      throw new ProtocolError('model-limit', what);
    }
    assert(types.length >= node.outputs.length, `${node.op}: ${types.length} types`);
    const outputs = node.outputs.map((output) => this.#unique(output));
    for (const [i, output] of outputs.entries()) this.#define(output, types[i]!, node);
    this.#nodes.push({ ...node, name: this.#unique(node.name), outputs });
    return outputs;
  }

  /** `value` under a name of its own, for outputs: a graph's outputs are known by their names. */
  named(value: string, name: string): string {
    const node = { name, op: 'Identity', inputs: [value], outputs: [name], attributes: new Map() };
    return this.addTyped(node, [typeOnly(this.#known(value))])[0]!;
  }

  /**
   * Puts other nodes in place of those so far. They must make the same values, of the same types;
   * what they make beside them has no type here.
   * @param change gets a function that gives names which nothing else has
   */
  rewrite(
    change: (nodes: readonly Node[], fresh: (name: string) => string) => readonly Node[],
  ): void {
    this.#nodes = [...change(this.#nodes, (name) => this.#unique(name))];
  }

  /** All that is known of a value; nothing of an absent one. */
  known(name: string): Known | undefined {
    return name === '' ? undefined : this.#known(name);
  }

  type(name: string): ValueType {
    return typeOnly(this.#known(name));
  }

  shape(name: string): readonly number[] {
    return this.#known(name).shape;
  }

  /** The value of a constant. */
  valueOf(name: string): Tensor | undefined {
    return this.#known(name).value;
  }

  /** The graph that computes `outputs`, without what they do not need. */
  finish(name: string, outputs: readonly string[]): Graph {
    const needed = new Set(outputs);
    const nodes = this.#nodes
      .toReversed()
      .filter((node) => {
        if (!node.outputs.some((output) => needed.has(output))) return false;
        for (const used of namesUsedBy(node)) needed.add(used);
        return true;
      })
      .reverse();
    return {
      name,
      nodes,
      initializers: new Map([...this.#initializers].filter(([key]) => needed.has(key))),
      inputs: this.#inputs.map((input) => ({ name: input, ...typeOnly(this.#known(input)) })),
      outputs: outputs.map((output) => ({ name: output, ...typeOnly(this.#known(output)) })),
    };
  }

  #known(name: string, by?: Node): Known {
    const found = this.#values.get(name) ?? (this.#parent ? this.#parent.#known(name) : undefined);
    if (found !== undefined) return found;
    const user = by ? `node "${by.name}" (${by.op})` : 'a graph output';
    throw new ProtocolError('model-corrupt', `${user} uses "${name}", which nothing makes`);
  }

  #define(name: string, type: Known, by?: Node): void {
    const count = elementCount(type.shape);
    this.#shared.elements += count;
    const tooMuch = this.#shared.elements > MODEL_LIMITS.totalElementsMax;
    if (count > MODEL_LIMITS.elementsMax || tooMuch) {
      const where = by ? `node "${by.name}" (${by.op})` : `"${name}"`;
      throw new ProtocolError('model-limit', `${where}: [${type.shape}] needs too much memory`);
    }
    this.#values.set(name, type);
  }

  #count(key: string): number {
    const count = this.#shared.counters.get(key) ?? 0;
    this.#shared.counters.set(key, count + 1);
    return count;
  }

  #unique(name: string): string {
    let unique = name;
    while (this.#shared.names.has(unique)) unique = `${name}_${this.#count(name)}`;
    this.#shared.names.add(unique);
    return unique;
  }
}

const freshShared = (): Shared => ({
  // The empty name means "absent", so no value may carry it.
  names: new Set(['']),
  counters: new Map(),
  elements: 0,
  folded: 0,
  nodes: 0,
});

/** Operators that are their first input when its type stays. */
const PLUMBING: ReadonlySet<string> = new Set(
  'Reshape Flatten Squeeze Unsqueeze Expand Tile Cast'.split(' '),
);

/** Plumbing without effect: most exports are full of it. */
function changesNothing(node: Node, inputs: readonly (Known | undefined)[], output?: ValueType) {
  const [input, , , , steps] = inputs;
  if (input === undefined || output === undefined || input.dtype !== output.dtype) return false;
  if (!equalShapes(input.shape, output.shape)) return false;
  switch (node.op) {
    case 'Concat':
      return inputs.length === 1;
    case 'Split':
      return node.outputs.length === 1;
    case 'Slice':
      return steps?.value === undefined || numbersOf(steps.value).every((step) => step > 0);
    case 'Transpose':
      return permutationOf(node, input.shape.length).every((axis, i) => axis === i);
    default:
      return PLUMBING.has(node.op);
  }
}

const typeOnly = ({ dtype, shape }: ValueType): ValueType => ({ dtype, shape });

/** Minus zero is another constant than zero. */
const elementKey = (value: number | bigint) => (Object.is(value, -0) ? '-0' : String(value));

const contentKey = ({ dtype, shape, data }: Tensor) =>
  `\0${dtype}[${shape}]${Array.from(data as ArrayLike<number | bigint>, elementKey)}`;
