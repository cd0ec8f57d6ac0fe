import { ProtocolError } from '@starling/core';
import { MODEL_LIMITS } from './limits.ts';
import { elementCount, numbersOf } from './tensor.ts';
import type { Graph, Node, Tensor } from './types.ts';

/** Inputs that hold weights, by operator. */
const WEIGHT_INPUTS = new Map<string, readonly number[]>([
  ...['Conv', 'ConvTranspose', 'Gemm'].map((op) => [op, [1, 2]] as const),
  ...['RNN', 'GRU', 'LSTM'].map((op) => [op, [1, 2, 3, 7]] as const),
  ...['LayerNormalization', 'InstanceNormalization', 'GroupNormalization'].map(
    (op) => [op, [1, 2]] as const,
  ),
  ['BatchNormalization', [1, 2, 3, 4]],
  ['RMSNormalization', [1]],
  ['MatMul', [0, 1]],
  ['Einsum', [0, 1, 2, 3]],
  ['Gather', [0]],
  ['PRelu', [1]],
  ['com.microsoft.Attention', [1, 2]],
]);
/** Operators that only hand a weight on. */
const MOVING: ReadonlySet<string> = new Set(
  'Identity Transpose Reshape Flatten Squeeze Unsqueeze Cast Slice Split Concat'.split(' '),
);
/** Operators that take scales and biases, which have one axis. */
const AFFINE: ReadonlySet<string> = new Set(['Add', 'Mul']);

/**
 * Makes initializers of weights that the file holds otherwise. In Constant nodes, or described by
 * ConstantOfShape: float32 tensors that reach an operator where it takes weights; other constants,
 * such as scales, masks and shapes, stay what they are. By Identity from another one: PyTorch
 * stores tensors once that happen to be equal, such as all biases of a model that was not trained.
 * Filled with one number they were equal by chance, and each becomes a weight of its own; otherwise
 * they are tied on purpose, and stay so.
 */
export function gatherWeights(graph: Graph): Graph {
  const reached = weightNames(graph.nodes);
  const initializers = new Map(graph.initializers);
  const known = new Map(initializers);
  let described = 0;
  const nodes = graph.nodes.filter((node) => {
    const name = node.outputs[0] ?? '';
    const tensor = node.op === 'Constant' ? constant(node) : undefined;
    if (tensor !== undefined) known.set(name, tensor);
    const twin = node.op === 'Identity' ? initializers.get(node.inputs[0] ?? '') : undefined;
    if (twin?.dtype === 'float32' && isFilled(twin)) {
      initializers.set(name, { ...twin, data: twin.data.slice() });
      return false;
    }
    if (!reached.has(name)) return true;
    const shape = node.op === 'ConstantOfShape' ? describedShape(node, known) : undefined;
    if (shape !== undefined) described += elementCount(shape);
    if (described > MODEL_LIMITS.describedElementsMax) {
      const what = `node "${node.name}" (${node.op}): weights that need too much memory`;
      throw new ProtocolError('model-limit', what);
    }
    const weight = tensor ?? (shape && filled(node, shape));
    const scale = reached.get(name) === 'affine' && weight?.shape.length !== 1;
    if (weight?.dtype !== 'float32' || weight.data.length < 2 || scale) return true;
    initializers.set(name, weight);
    return false;
  });
  return { ...graph, nodes, initializers };
}

const isFilled = ({ data }: Tensor) => {
  const [first] = data;
  return data.every((value: number | bigint) => value === first);
};

/** Names that lead to an operator where it takes weights, or only to scales and biases. */
function weightNames(nodes: readonly Node[]): ReadonlyMap<string, 'weight' | 'affine'> {
  const reached = new Map<string, 'weight' | 'affine'>();
  for (const { op, inputs, outputs } of nodes.toReversed()) {
    const listed = WEIGHT_INPUTS.get(op) ?? [];
    const handed = MOVING.has(op) ? outputs.map((name) => reached.get(name)) : [];
    for (const [i, name] of inputs.entries()) {
      const weight = listed.includes(i) || handed.includes('weight');
      if (weight) reached.set(name, 'weight');
      else if (AFFINE.has(op) || handed.includes('affine')) {
        reached.set(name, reached.get(name) ?? 'affine');
      }
    }
  }
  return reached;
}

function constant(node: Node): Tensor | undefined {
  const value = node.attributes.get('value');
  return value?.kind === 'tensor' ? value.value : undefined;
}

/** Shape that a ConstantOfShape makes, when a constant says it. */
function describedShape(
  { inputs }: Node,
  known: ReadonlyMap<string, Tensor>,
): readonly number[] | undefined {
  const given = known.get(inputs[0] ?? '');
  if (given === undefined || given.data.length > MODEL_LIMITS.rankMax) return undefined;
  const shape = numbersOf(given);
  const fits = shape.every((dim) => dim >= 0) && elementCount(shape) <= MODEL_LIMITS.elementsMax;
  return fits ? shape : undefined;
}

function filled(node: Node, shape: readonly number[]): Tensor | undefined {
  const value = constant(node);
  if (value !== undefined && value.dtype !== 'float32') return undefined;
  const fill = value === undefined ? 0 : (numbersOf(value)[0] ?? 0);
  return { dtype: 'float32', shape, data: new Float32Array(elementCount(shape)).fill(fill) };
}
