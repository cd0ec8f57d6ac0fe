import { ProtocolError } from '@starling/core';
import type { GraphBuilder } from './builder.ts';
import type { Graph, Node, Tensor } from './types.ts';

export interface ReplayOptions {
  readonly builder: GraphBuilder;
  /**
   * Names in the builder for the graph's inputs, and for those initializers that are no constants.
   */
  readonly bindings: ReadonlyMap<string, string>;
}

/**
 * Repeats a graph's nodes inside a builder, where shapes are known: what follows from them is
 * folded to constants, and Dropout outside training is dropped. Answers the builder's names of the
 * outputs.
 * @throws ProtocolError naming the node that does not fit
 */
export function replayGraph(graph: Graph, { builder, bindings }: ReplayOptions): readonly string[] {
  const names = new Map(bindings);
  for (const [name, tensor] of graph.initializers) {
    if (!names.has(name)) names.set(name, builder.constant(tensor, name));
  }
  const resolve = (name: string, by: string): string => {
    const found = name === '' ? '' : names.get(name);
    if (found !== undefined) return found;
    throw new ProtocolError('model-corrupt', `${by} uses "${name}", which nothing makes`);
  };
  for (const node of graph.nodes) {
    const inputs = node.inputs.map((input) => resolve(input, `node "${node.name}" (${node.op})`));
    const outputs = replayNode(builder, node, inputs);
    for (const [i, output] of node.outputs.entries()) {
      const made = outputs[i];
      if (output === '' || made === undefined) continue;
      if (names.has(output)) {
        throw new ProtocolError('model-corrupt', `two nodes make the value "${output}"`);
      }
      names.set(output, made);
    }
  }
  return graph.outputs.map(({ name }) => resolve(name, 'the graph output'));
}

function replayNode(
  builder: GraphBuilder,
  node: Node,
  inputs: readonly string[],
): readonly string[] {
  const { name, op, outputs, attributes } = node;
  if (op === 'Constant') return [builder.constant(constantValue(node))];
  if (op === 'Dropout') return [withoutDropout(builder, node, inputs)];
  return builder.addMany(op, inputs, attributes, { name, outputs });
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
      throw new ProtocolError('model-unsupported', `node "${node.name}": Constant without a value`);
  }
}

/** Dropout without effect is its input; one that would draw random numbers is refused. */
function withoutDropout(builder: GraphBuilder, node: Node, inputs: readonly string[]): string {
  const constant = (index: number): number | bigint | undefined => {
    const name = inputs[index] ?? '';
    return name === '' ? undefined : builder.valueOf(name)?.data[0];
  };
  const training = (inputs[2] ?? '') === '' ? 0 : constant(2);
  const ratio = (inputs[1] ?? '') === '' ? 0.5 : constant(1);
  if (training === 0 || ratio === 0) return inputs[0] ?? '';
  throw new ProtocolError(
    'unsupported-operator',
    `node "${node.name}": Dropout in training mode; export the model in eval mode`,
  );
}
