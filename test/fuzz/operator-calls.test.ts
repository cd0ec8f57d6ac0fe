/** Every operator that a foreign model may hold, called with anything. */

import type { Attribute, DataType, Graph } from '@starling/onnx';
import {
  elementCount,
  equalShapes,
  GraphBuilder,
  KNOWN_OPERATORS,
  replayGraph,
  tensorOf,
} from '@starling/onnx';
import { expect, test } from 'vitest';
import { backward } from '../../packages/autodiff/src/backward.ts';
import { Ops } from '../../packages/autodiff/src/ops.ts';
import { createDice, type Dice } from '../../packages/secagg/src/testing/random.ts';
import { isFull } from './size.ts';
import { isProtocolError } from './target.ts';

const CALLS = isFull ? 400_000 : 20_000;

const NUMBERS = [0, 1, 2, 3, -1, -2, 4, 5, 7, 1e9, -1e9, 2 ** 62, 0.5, 100];
const NAMES = [
  'axis axes perm kernel_shape strides pads dilations group keepdims to k upper alpha beta epsilon',
  'num_heads hidden_size direction batch_dims reduction equation mode blocksize size value transA',
  'allowzero start end num_outputs largest batch_axis time_axis exclusive reverse dtype clip',
  'layout linear_before_reset num_groups auto_pad ceil_mode count_include_pad p',
  'noop_with_empty_axes',
  'q_num_heads kv_num_heads is_causal scale interleaved rotary_embedding_dim output_shape ratio',
  'output_padding coordinate_transformation_mode nearest_mode activations qkv_hidden_sizes',
]
  .join(' ')
  .split(' ');
const TEXTS = [
  ...['add', 'none', 'ij,jk->ik', '...', '->', 'a,b,', 'SAME_UPPER', 'VALID', 'reflect', 'edge'],
  ...['wrap', 'bidirectional', 'reverse', 'linear', 'nearest', 'half_pixel', 'CRD', 'mean'],
];
const TYPES: readonly DataType[] = ['float32', 'float32', 'float32', 'int64', 'int32', 'bool'];

function drawAttribute(dice: Dice): Attribute {
  switch (dice.below(6)) {
    case 0:
      return { kind: 'int', value: Math.trunc(dice.pick(NUMBERS)) };
    case 1:
      return { kind: 'float', value: dice.pick(NUMBERS) };
    case 2:
      return { kind: 'ints', value: drawList(dice, 5).map(Math.trunc) };
    case 3:
      return { kind: 'string', value: dice.pick(TEXTS) };
    case 4:
      return { kind: 'strings', value: ['Relu', 'Tanh', 'Nothing'].slice(dice.below(3)) };
    default:
      return { kind: 'tensor', value: tensorOf(dice.pick(TYPES), [1], [1]) };
  }
}

const drawList = (dice: Dice, most: number): number[] =>
  Array.from({ length: dice.below(most) }, () => dice.pick(NUMBERS));
const drawShape = (dice: Dice): number[] =>
  Array.from({ length: dice.below(5) }, () => dice.pick([0, 1, 1, 2, 3, 4]));

/** An input that is absent, constant or fed. */
function drawInput(dice: Dice, builder: GraphBuilder, index: number): string {
  const [kind, dtype, shape] = [dice.below(5), dice.pick(TYPES), drawShape(dice)];
  if (kind === 0) return '';
  if (kind > 2) return builder.input(`x${index}`, { dtype, shape });
  const values = Array.from({ length: elementCount(shape) }, () => dice.pick(NUMBERS));
  return builder.constant(tensorOf(dtype, shape, values), `c${index}`);
}

function drawCall(dice: Dice, builder: GraphBuilder): Graph {
  const inputs = Array.from({ length: dice.below(6) }, (_, i) => drawInput(dice, builder, i));
  const outputs = Array.from({ length: 1 + dice.below(3) }, (_, i) => `y${i}`);
  const attributes = new Map(
    Array.from({ length: dice.below(6) }, () => [dice.pick(NAMES), drawAttribute(dice)] as const),
  );
  const op = dice.pick([...KNOWN_OPERATORS]);
  return {
    name: 'call',
    nodes: [{ name: 'call', op, inputs, outputs, attributes }],
    initializers: new Map(),
    inputs: [],
    outputs: [{ name: 'y0', dtype: 'float32', shape: [] }],
  };
}

/** Repeats the call, and writes its gradient where it has one. */
function written(graph: Graph, builder: GraphBuilder): void {
  const given = graph.nodes[0]!.inputs.filter((name) => name !== '');
  const bindings = new Map(given.map((name) => [name, name]));
  const output = replayGraph(graph, { builder, bindings })[0]!;
  const g = new Ops(builder);
  if (builder.type(output).dtype === 'float32') {
    const wanted = given.filter((name) => {
      return name.startsWith('x') && builder.type(name).dtype === 'float32';
    });
    const seed = g.broadcastTo(g.number(1), g.shape(output));
    const found = backward({ g, nodes: [...builder.nodes], output, seed, wanted });
    for (const [name, gradient] of found) {
      expect(equalShapes(g.shape(gradient), g.shape(name))).toBe(true);
    }
  }
  const sizes = builder.nodes.flatMap(({ outputs }) => outputs.flatMap((name) => g.shape(name)));
  expect(sizes.filter((size) => !Number.isInteger(size) || size < 0)).toEqual([]);
}

test('a call is written with sound shapes, and its gradient, or refused by name', () => {
  const dice = createDice(1);
  const accepted = new Set<string>();
  for (let i = 0; i < CALLS; i++) {
    const builder = new GraphBuilder();
    const graph = drawCall(dice, builder);
    const { op } = graph.nodes[0]!;
    try {
      written(graph, builder);
      accepted.add(op);
    } catch (error) {
      if (isProtocolError(error)) continue;
      throw new Error(`call ${i} of ${op}`, { cause: error });
    }
  }
  // Else the test would test nothing.
  expect(accepted.size).toBeGreaterThan(80);
});
