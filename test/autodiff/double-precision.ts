import {
  type Attribute,
  type Attributes,
  ELEMENT_TYPES,
  type Graph,
  int,
  type Node,
  numbersOf,
  scalar,
  type Tensor,
  tensorOf,
  type ValueInfo,
} from '@starling/onnx';

/** The same values as float64 where they are float32. */
export const doubled = (tensor: Tensor): Tensor =>
  tensor.dtype === 'float32' ? tensorOf('float64', tensor.shape, numbersOf(tensor)) : tensor;

/** A graph that computes in float64 whatever it computed in float32. */
export const doubledGraph = (graph: Graph): Graph => ({
  ...graph,
  nodes: graph.nodes.map(doubledNode),
  initializers: new Map(Array.from(graph.initializers, ([name, value]) => [name, doubled(value)])),
  inputs: graph.inputs.map(doubledValue),
  outputs: graph.outputs.map(doubledValue),
});

const doubledValue = (value: ValueInfo): ValueInfo =>
  value.dtype === 'float32' ? { ...value, dtype: 'float64' } : value;

/** Attributes that name an element type. */
const TYPE_NAMES: ReadonlySet<string> = new Set(['to', 'dtype']);

function doubledNode(node: Node): Node {
  const attributes = new Map(
    Array.from(node.attributes, ([name, attribute]): [string, Attribute] => {
      if (attribute.kind === 'tensor') {
        return [name, { kind: 'tensor', value: doubled(attribute.value) }];
      }
      if (attribute.kind === 'graph') {
        return [name, { kind: 'graph', value: doubledGraph(attribute.value) }];
      }
      const single = attribute.kind === 'int' && attribute.value === ELEMENT_TYPES.float32;
      return [name, single && TYPE_NAMES.has(name) ? int(ELEMENT_TYPES.float64) : attribute];
    }),
  );
  return { ...node, attributes: withTensor(node, attributes) };
}

/** Numbers that are float32 because nothing says otherwise, as a tensor that says so. */
function withTensor({ op }: Node, attributes: Attributes): Attributes {
  if (op === 'ConstantOfShape' && !attributes.has('value')) {
    return new Map([['value', { kind: 'tensor', value: tensorOf('float64', [1], [0]) }]]);
  }
  const plain = attributes.get('value_float') ?? attributes.get('value_floats');
  if (op !== 'Constant' || plain === undefined) return attributes;
  const value =
    plain.kind === 'floats'
      ? tensorOf('float64', [plain.value.length], plain.value)
      : scalar(plain.kind === 'float' ? plain.value : 0, 'float64');
  return new Map([['value', { kind: 'tensor', value }]]);
}
