import { unreachable } from '@starling/core';
import { numbersOf } from './tensor.ts';
import type { Attribute, Graph, Tensor, ValueInfo } from './types.ts';

/** A graph as text, one node a line: `name = Op(inputs) {attributes}`. Bodies are indented. */
export function printGraph(graph: Graph): string {
  return lines(graph).join('\n');
}

function lines(graph: Graph): string[] {
  const values = (list: readonly ValueInfo[]) =>
    list.map(({ name, dtype, shape }) => `${name}: ${dtype}[${shape}]`).join(', ');
  return [
    `graph ${graph.name}(${values(graph.inputs)}) -> (${values(graph.outputs)})`,
    ...[...graph.initializers].map(([name, tensor]) => `  ${name} = ${printTensor(tensor)}`),
    ...graph.nodes.flatMap((node) => {
      const plain = [...node.attributes].filter(([, { kind }]) => kind !== 'graph');
      const shown = plain.map(([name, attribute]) => `${name}=${printAttribute(attribute)}`);
      const bodies = [...node.attributes.values()].flatMap((attribute) =>
        attribute.kind === 'graph' ? lines(attribute.value).map((line) => `    ${line}`) : [],
      );
      const suffix = shown.length > 0 ? ` {${shown.join(', ')}}` : '';
      return [
        `  ${node.outputs.join(', ')} = ${node.op}(${node.inputs.join(', ')})${suffix}`,
        ...bodies,
      ];
    }),
  ];
}

function printTensor(tensor: Tensor): string {
  const head = `${tensor.dtype}[${tensor.shape}]`;
  return tensor.data.length <= 8 ? `${head} {${numbersOf(tensor).join(', ')}}` : head;
}

function printAttribute(attribute: Attribute): string {
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
      return printTensor(attribute.value);
    case 'graph':
      return attribute.value.name;
    default:
      return unreachable(attribute);
  }
}
