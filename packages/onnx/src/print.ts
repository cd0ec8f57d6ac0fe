import { unreachable } from '@starling/core';
import { numbersOf } from './tensor.ts';
import type { Attribute, Graph, Tensor, ValueInfo } from './types.ts';

/** A tensor of more numbers is shown by its type and shape alone. */
const SHOWN_MAX = 8;

/**
 * A graph as text, one node a line: `name = Op(inputs) {attributes}`. Bodies are indented.
 * @param most numbers of a tensor that is shown whole
 */
export function printGraph(graph: Graph, most: number = SHOWN_MAX): string {
  return lines(graph, most).join('\n');
}

function lines(graph: Graph, most: number): string[] {
  const values = (list: readonly ValueInfo[]) =>
    list.map(({ name, dtype, shape }) => `${name}: ${dtype}[${shape}]`).join(', ');
  return [
    `graph ${graph.name}(${values(graph.inputs)}) -> (${values(graph.outputs)})`,
    ...[...graph.initializers].map(([name, tensor]) => `  ${name} = ${printTensor(tensor, most)}`),
    ...graph.nodes.flatMap((node) => {
      const plain = [...node.attributes].filter(([, { kind }]) => kind !== 'graph');
      const shown = plain.map(([name, attribute]) => `${name}=${printAttribute(attribute, most)}`);
      const bodies = [...node.attributes.values()].flatMap((attribute) =>
        attribute.kind === 'graph' ? lines(attribute.value, most).map((line) => `    ${line}`) : [],
      );
      const suffix = shown.length > 0 ? ` {${shown.join(', ')}}` : '';
      return [
        `  ${node.outputs.join(', ')} = ${node.op}(${node.inputs.join(', ')})${suffix}`,
        ...bodies,
      ];
    }),
  ];
}

function printTensor(tensor: Tensor, most: number): string {
  const head = `${tensor.dtype}[${tensor.shape}]`;
  return tensor.data.length <= most ? `${head} {${numbersOf(tensor).join(', ')}}` : head;
}

function printAttribute(attribute: Attribute, most: number): string {
  switch (attribute.kind) {
    case 'int':
    case 'float':
      return String(attribute.value);
    case 'string':
      return JSON.stringify(attribute.value);
    case 'ints':
    case 'floats':
    case 'strings':
      return `[${attribute.value.join(', ')}]`;
    case 'tensor':
      return printTensor(attribute.value, most);
    case 'graph':
      return attribute.value.name;
    default:
      return unreachable(attribute);
  }
}
