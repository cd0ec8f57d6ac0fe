import { type Graph, type Model, type Node, scalar } from '@starling/onnx';

const FLOAT16 = 10;
const LEAST = 'least';
const LEAST_HALF = 'least/half';

const isCast = ({ op, attributes }: Node): boolean => {
  const to = attributes.get('to');
  return op === 'Cast' && to?.kind === 'int' && to.value === FLOAT16;
};

const isProduct = ({ op, inputs }: Node, halves: ReadonlySet<string>): boolean =>
  ['MatMul', 'Gemm', 'Conv', 'ConvTranspose'].includes(op) && halves.has(inputs[0]!);

/**
 * The same with each value of float16 rounded on the CPU too. ONNX Runtime computes products there
 * in float32 and takes a Cast there and one back for nothing: they leave no trace. A maximum with
 * the least number between them, which the CPU has for float16, keeps them.
 */
export function roundedHalves({ graph }: Model): Model {
  const initializers = new Map(graph.initializers).set(LEAST, scalar(Number.NEGATIVE_INFINITY));
  const least: Node = {
    ...{ name: LEAST_HALF, op: 'Cast', inputs: [LEAST], outputs: [LEAST_HALF] },
    attributes: new Map([['to', { kind: 'int', value: FLOAT16 }]]),
  };
  const made = rounded(graph, new Set());
  return { graph: { ...made, initializers, nodes: [least, ...made.nodes] } };
}

function rounded(graph: Graph, outer: ReadonlySet<string>): Graph {
  const halves = new Set(outer);
  const nodes = graph.nodes.flatMap((node): readonly Node[] => {
    const attributes = new Map(
      [...node.attributes].map(([name, value]) => [
        name,
        value.kind === 'graph' ? { ...value, value: rounded(value.value, halves) } : value,
      ]),
    );
    const [output = ''] = node.outputs;
    if (!isCast(node) && !isProduct(node, halves)) return [{ ...node, attributes }];
    halves.add(output);
    const before = `${output}/before`;
    const maximum = { name: `${output}/rounded`, op: 'Max', inputs: [before, LEAST_HALF] };
    return [
      { ...node, attributes, outputs: [before] },
      { ...maximum, outputs: [output], attributes: new Map() },
    ];
  });
  return { ...graph, nodes };
}
