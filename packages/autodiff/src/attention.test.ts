import { type Attribute, float, int, ints, tensorOf } from '@starling/onnx';
import { checkForward, type ForwardCase } from '../../../test/helpers/forward-check.ts';
import { checkGradients, type Operand } from '../../../test/helpers/gradient-check.ts';

const numbers = (...value: number[]): Operand => ({
  fed: tensorOf('int32', [value.length], value),
});
const padding = (shape: number[], value: number[]): Operand => ({
  fed: tensorOf('int32', shape, value),
});

/** The standard operator. */
const attention = (inputs: Operand[], attributes: Record<string, Attribute> = {}): ForwardCase => ({
  op: 'Attention',
  inputs,
  attributes,
  opset: 23,
});
const heads = (query: number, key = query) => ({
  q_num_heads: int(query),
  kv_num_heads: int(key),
});
const visible = { fed: tensorOf('bool', [3, 4], [1, 1, 0, 1, 1, 0, 0, 1, 1, 1, 1, 1]) };

const standard: readonly ForwardCase[] = [
  attention([
    [2, 2, 3, 2],
    [2, 2, 4, 2],
    [2, 2, 4, 3],
  ]),
  attention(
    [
      [1, 3, 4],
      [1, 2, 4],
      [1, 2, 4],
    ],
    heads(2),
  ),
  attention(
    [
      [1, 4, 3, 2],
      [1, 2, 3, 2],
      [1, 2, 3, 2],
    ],
    { is_causal: int(1), scale: float(0.3) },
  ),
  attention(
    [
      [1, 2, 8],
      [1, 3, 4],
      [1, 3, 4],
    ],
    heads(4, 2),
  ),
  attention(
    [
      [1, 1, 3, 2],
      [1, 1, 4, 2],
      [1, 1, 4, 2],
      [3, 4],
    ],
    { softcap: float(2) },
  ),
  attention([[1, 2, 3, 2], [1, 2, 4, 2], [1, 2, 4, 2], visible]),
  attention([
    [1, 1, 1, 1],
    [1, 1, 1, 1],
    [1, 1, 1, 1],
  ]),
];

const two = { num_heads: int(2) };
const contrib = (op: string, inputs: Operand[], attributes: Record<string, Attribute>) => ({
  op: `com.microsoft.${op}`,
  inputs,
  attributes,
});
const packed: readonly ForwardCase[] = [
  contrib('Attention', [[2, 3, 4], [4, 12], [12]], two),
  contrib('Attention', [[1, 3, 2], [2, 6], [6]], { num_heads: int(1), unidirectional: int(1) }),
  contrib('Attention', [[2, 3, 2], [2, 6], [6], numbers(2, 3)], { num_heads: int(1) }),
  contrib('Attention', [[2, 3, 2], [2, 6], [6], padding([2, 3], [1, 1, 0, 1, 0, 1])], {
    num_heads: int(1),
  }),
  contrib('Attention', [[1, 2, 4], [4, 10], [10]], { ...two, qkv_hidden_sizes: ints([4, 4, 2]) }),
  contrib(
    'MultiHeadAttention',
    [
      [2, 3, 4],
      [2, 2, 4],
      [2, 2, 6],
    ],
    two,
  ),
  contrib('MultiHeadAttention', [[1, 3, 4], [1, 2, 4], [1, 2, 4], [12]], two),
  contrib(
    'MultiHeadAttention',
    [[2, 2, 4], [2, 3, 4], [2, 3, 4], undefined, padding([2, 3], [1, 0, 1, 1, 1, 0]), [2, 2, 2, 3]],
    { ...two, scale: float(0.5) },
  ),
  contrib(
    'MultiHeadAttention',
    [
      [2, 3, 4],
      [2, 2, 3, 2],
      [2, 2, 3, 2],
    ],
    two,
  ),
];

const angles = { low: 0.1, high: 0.9, kinks: [] };
const table = (...shape: number[]) => ({ shape, ...angles });
const positions = (shape: number[], values: number[]) => ({
  fed: tensorOf('int64', shape, values),
});
const rotary = (inputs: Operand[], attributes: Record<string, Attribute> = {}): ForwardCase => ({
  op: 'RotaryEmbedding',
  inputs,
  attributes,
  opset: 23,
});
const rotations: readonly ForwardCase[] = [
  rotary([[1, 2, 3, 4], table(5, 2), table(5, 2), positions([1, 3], [4, 0, 1])]),
  rotary([[2, 1, 3, 4], table(2, 3, 2), table(2, 3, 2)], { interleaved: int(1) }),
  rotary([[1, 2, 8], table(5, 1), table(5, 1), positions([1, 2], [3, 1])], {
    num_heads: int(2),
    rotary_embedding_dim: int(2),
  }),
  contrib('RotaryEmbedding', [[2, 2, 4], positions([1], [1]), table(4, 2), table(4, 2)], {}),
  contrib('RotaryEmbedding', [[1, 2, 2, 4], positions([1, 2], [3, 0]), table(4, 2), table(4, 2)], {
    interleaved: int(1),
  }),
];

const segments = { fed: tensorOf('int32', [2, 3], [0, 1, 1, 0, 0, 1]) };
const words = { fed: tensorOf('int32', [2, 3], [4, 0, 2, 1, 4, 3]) };
const others: readonly ForwardCase[] = [
  {
    ...contrib('EmbedLayerNormalization', [words, segments, [5, 2], [4, 2], [2, 2], [2], [2]], {
      epsilon: float(1e-5),
    }),
    outputs: 2,
  },
  {
    ...contrib(
      'EmbedLayerNormalization',
      [words, undefined, [5, 2], [4, 2], undefined, [2], [2], padding([2, 3], [1, 1, 0, 1, 1, 1])],
      { epsilon: float(1e-5) },
    ),
    outputs: 2,
  },
  contrib(
    'FusedMatMul',
    [
      [2, 3, 2],
      [2, 4, 3],
    ],
    { transA: int(1), transB: int(1), alpha: float(0.5) },
  ),
];

const cases = [...standard, ...packed, ...rotations, ...others];
checkForward(cases);
checkGradients(cases);
