import { ProtocolError } from '@starling/core';
import type { GraphBuilder } from './builder.ts';
import { expandFunction } from './functions.ts';
import { CONTROL_OPERATORS, replayControl } from './replay-control.ts';
import { Sequences } from './replay-sequence.ts';
import type { Graph, Node, Tensor } from './types.ts';

export interface ReplayOptions {
  readonly builder: GraphBuilder;
  /**
   * Names in the builder for the graph's inputs, and for those initializers that are no constants.
   */
  readonly bindings: ReadonlyMap<string, string>;
  /**
   * Writes a node in another way and names its outputs; undefined leaves the node as it is. How a
   * training graph says what an operator does in training.
   */
  readonly rewrite?: (node: Node, inputs: readonly string[]) => readonly string[] | undefined;
}

/**
 * Repeats a graph's nodes inside a builder, where shapes are known: what follows from them is
 * folded to constants, and Dropout lets everything through. Answers the builder's names of the
 * outputs.
 * @throws ProtocolError naming the node that does not fit
 */
export function replayGraph(graph: Graph, options: ReplayOptions): readonly string[] {
  const { builder, bindings } = options;
  const named = Array.from(graph.initializers, ([name, tensor]) => {
    return [name, bindings.get(name) ?? builder.constant(tensor, name)] as const;
  });
  const context = { ...options, sequences: new Sequences(builder) };
  const outputs = replayNodes(graph, context, new Map([...bindings, ...named]));
  for (const [i, { name }] of graph.outputs.entries()) {
    if (!context.sequences.has(outputs[i]!)) continue;
    throw new ProtocolError('model-unsupported', `the graph output "${name}" is a sequence`);
  }
  return outputs;
}

interface Context extends ReplayOptions {
  readonly sequences: Sequences;
}

function replayNodes(
  graph: Graph,
  context: Context,
  names: Map<string, string>,
): readonly string[] {
  const { rewrite } = context;
  const left = new Map<string, string>();
  const resolve = (name: string, by: string): string => {
    const found = name === '' ? '' : names.get(name);
    if (found !== undefined) return found;
    const maker = left.get(name);
    if (maker !== undefined) {
      const what = `${by} uses "${name}", ${maker}, which is not supported`;
      throw new ProtocolError('unsupported-operator', what);
    }
    throw new ProtocolError('model-corrupt', `${by} uses "${name}", which nothing makes`);
  };
  for (const node of graph.nodes) {
    const inputs = node.inputs.map((input) => resolve(input, `node "${node.name}" (${node.op})`));
    const outputs = rewrite?.(node, inputs) ?? replayNode(node, inputs, context);
    for (const [i, output] of node.outputs.entries()) {
      const made = outputs[i] ?? '';
      if (output === '') continue;
      if (made === '') {
        left.set(output, `output ${i} of node "${node.name}" (${node.op})`);
        continue;
      }
      if (names.has(output)) {
        throw new ProtocolError('model-corrupt', `two nodes make the value "${output}"`);
      }
      names.set(output, made);
    }
  }
  return graph.outputs.map(({ name }) => resolve(name, 'the graph output'));
}

function replayNode(node: Node, inputs: readonly string[], context: Context): readonly string[] {
  const { builder, sequences } = context;
  const { name, op, outputs, attributes } = node;
  if (CONTROL_OPERATORS.has(op)) {
    // Two inner graphs may use one name for different tensors.
    const replay = (inner: Graph, bindings: ReadonlyMap<string, string>) => {
      const constants = Array.from(inner.initializers, ([own, tensor]) => {
        return [own, builder.constant(tensor)] as const;
      });
      return replayNodes(inner, context, new Map([...bindings, ...constants]));
    };
    return replayControl({ builder, node, inputs, replay });
  }
  if (op === 'Constant') return [builder.constant(constantValue(node))];
  // Dropping is for `rewrite` to write.
  if (op === 'Dropout') return [inputs[0] ?? ''];
  return (
    sequences.replay(node, inputs) ??
    expandFunction(builder, node, inputs) ??
    builder.addMany(op, inputs, attributes, { name, outputs })
  );
}

function constantValue(node: Node): Tensor {
  const value = node.attributes.get('value');
  if (value?.kind === 'tensor') return value.value;
  const plain =
    node.attributes.get('value_float') ??
    node.attributes.get('value_int') ??
    node.attributes.get('value_floats') ??
    node.attributes.get('value_ints');
  switch (plain?.kind) {
    case 'float':
      return { dtype: 'float32', shape: [], data: Float32Array.of(plain.value) };
    case 'int':
      return { dtype: 'int64', shape: [], data: BigInt64Array.of(BigInt(plain.value)) };
    case 'floats':
      return {
        dtype: 'float32',
        shape: [plain.value.length],
        data: Float32Array.from(plain.value),
      };
    case 'ints':
      return {
        dtype: 'int64',
        shape: [plain.value.length],
        data: BigInt64Array.from(plain.value, BigInt),
      };
    default:
      break;
  }
  const kinds = [...node.attributes.keys()].filter((name) => name.startsWith('value'));
  const what = kinds.length === 0 ? 'no value' : `${kinds}, which is not supported`;
  throw new ProtocolError('model-unsupported', `node "${node.name}": Constant with ${what}`);
}
