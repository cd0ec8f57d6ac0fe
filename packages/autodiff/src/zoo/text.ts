import { type Attribute, int, int64s, ints, type Model, scalar, tensorOf } from '@starling/onnx';
import { Layers } from './layers.ts';

const SCORE_HIDDEN = -10_000;

export interface CharLstmSizes {
  readonly vocabulary?: number;
  /** Characters of one example. */
  readonly length?: number;
  readonly embedding?: number;
  readonly hidden?: number;
  readonly layers?: number;
}

/**
 * The character model for Shakespeare's plays, as in LEAF (Caldas et al. 2018): embedding 8, two
 * LSTM of 256, then the vocabulary of 80. Input [batch, 80] int64, output [batch, 80]: scores for
 * the character behind the last. 819,920 weights.
 */
export function charLstm(seed: number, sizes: CharLstmSizes = {}): Model {
  const { vocabulary = 80, length = 80, embedding = 8, hidden = 256, layers: count = 2 } = sizes;
  const layers = new Layers(seed);
  const table = layers.weight('embedding', [vocabulary, embedding], 0.1);
  const characters = layers.plain('Gather', [table, 'input']);
  let x = layers.plain('Transpose', characters, { perm: ints([1, 0, 2]) });
  const axis = layers.constant('directionAxis', int64s([1]));
  for (let i = 0; i < count; i++) {
    if (i > 0) x = layers.plain('Squeeze', [x, axis]);
    x = lstm(layers, x, `lstm${i + 1}`, [i === 0 ? embedding : hidden, hidden]);
  }
  const last = layers.plain('Reshape', [
    `lstm${count}/last`,
    layers.constant('lastShape', int64s([-1, hidden])),
  ]);
  const scores = layers.dense(last, 'head', [hidden, vocabulary]);
  return layers.finish('char-lstm', scores, [length], { dtype: 'int64', result: [vocabulary] });
}

/**
 * [steps, batch, inputs] to [steps, 1, batch, hidden], and `name/last` [1, batch, hidden]; weights
 * as ONNX has them.
 */
function lstm(
  layers: Layers,
  x: string,
  name: string,
  [inputs, hidden]: readonly [number, number],
): string {
  const range = 1 / Math.sqrt(hidden);
  const zeros = tensorOf('float32', [1, 8 * hidden], new Float32Array(8 * hidden));
  const weights = [
    layers.weight(name, [1, 4 * hidden, inputs], range),
    layers.weight(`${name}.recurrent`, [1, 4 * hidden, hidden], range),
    layers.constant(`${name}.bias`, zeros),
  ];
  const outputs = ['output', 'last'].map((slot) => `${name}/${slot}`);
  return layers.node(name, 'LSTM', [x, ...weights], { hidden_size: int(hidden) }, outputs);
}

/** x·W + b over the last axis, W [inputs, outputs]. */
function affine(
  layers: Layers,
  x: string,
  name: string,
  [inputs, outputs]: readonly [number, number],
): string {
  const product = layers.plain('MatMul', [
    x,
    layers.weight(name, [inputs, outputs], 1 / Math.sqrt(inputs)),
  ]);
  const zeros = tensorOf('float32', [outputs], new Float32Array(outputs));
  return layers.plain('Add', [product, layers.constant(`${name}.bias`, zeros)]);
}

export interface GptSizes {
  readonly vocabulary?: number;
  /** Tokens of one example. */
  readonly context?: number;
  readonly embedding?: number;
  readonly heads?: number;
  readonly blocks?: number;
}

/**
 * A small GPT-2 (Radford et al. 2019) with its names of weights: causal self-attention and a
 * perceptron with GELU, each behind a normalisation and beside a shortcut. Input [batch, 64] int64,
 * output [batch, 64, 80]: scores for the token behind each position. 114,432 weights.
 */
export function gpt(seed: number, sizes: GptSizes = {}): Model {
  const { vocabulary = 80, context = 64, embedding = 64, heads = 4, blocks = 2 } = sizes;
  const layers = new Layers(seed);
  const words = layers.plain('Gather', [
    layers.weight('wte', [vocabulary, embedding], RANGE),
    'input',
  ]);
  let x = layers.plain('Add', [words, layers.weight('wpe', [context, embedding], RANGE)]);
  const mask = constant(layers, 'mask', causalMask(context));
  for (let i = 0; i < blocks; i++) {
    const normal = norm(layers, x, `h.${i}.ln_1`, embedding);
    const seen = attention(layers, normal, `h.${i}.attn`, { mask, embedding, heads });
    x = layers.plain('Add', [x, seen]);
    const inner = norm(layers, x, `h.${i}.ln_2`, embedding);
    const wide = affine(layers, inner, `h.${i}.mlp.c_fc`, [embedding, 4 * embedding]);
    const narrow = gelu(layers, wide);
    const fed = affine(layers, narrow, `h.${i}.mlp.c_proj`, [4 * embedding, embedding]);
    x = layers.plain('Add', [x, fed]);
  }
  x = norm(layers, x, 'ln_f', embedding);
  const scores = layers.plain('MatMul', [
    x,
    layers.weight('lm_head', [embedding, vocabulary], RANGE),
  ]);
  return layers.finish('gpt', scores, [context], {
    dtype: 'int64',
    result: [context, vocabulary],
  });
}

/** Of variance 0.02², GPT-2's. */
const RANGE = 0.02 * Math.sqrt(3);

/** A Constant node: what is stored beside the weights would be trained as one of them. */
function constant(layers: Layers, name: string, value: ReturnType<typeof scalar>): string {
  const attribute: Attribute = { kind: 'tensor', value };
  return layers.node(name, 'Constant', [], { value: attribute });
}

function causalMask(length: number) {
  const cell = (_: unknown, i: number) => (i % length > Math.floor(i / length) ? SCORE_HIDDEN : 0);
  return tensorOf('float32', [length, length], Array.from({ length: length * length }, cell));
}

function norm(layers: Layers, x: string, name: string, size: number): string {
  const filled = (slot: string, value: number) =>
    layers.constant(`${name}.${slot}`, tensorOf('float32', [size], new Array(size).fill(value)));
  const inputs = [x, filled('weight', 1), filled('bias', 0)];
  return layers.plain('LayerNormalization', inputs, { axis: int(-1) });
}

/** x/2 · (1 + erf(x/√2)). */
function gelu(layers: Layers, x: string): string {
  const number = (slot: string, value: number) => constant(layers, `${x}/${slot}`, scalar(value));
  const erf = layers.plain('Erf', layers.plain('Mul', [x, number('root', Math.SQRT1_2)]));
  const gate = layers.plain('Add', [erf, number('one', 1)]);
  const half = layers.plain('Mul', [x, number('half', 0.5)]);
  return layers.plain('Mul', [half, gate]);
}

interface AttentionSizes {
  /** [tokens, tokens], added to the scores. */
  readonly mask: string;
  readonly embedding: number;
  readonly heads: number;
}

function attention(
  layers: Layers,
  x: string,
  name: string,
  { mask, embedding, heads }: AttentionSizes,
): string {
  const size = embedding / heads;
  const joined = affine(layers, x, `${name}.c_attn`, [embedding, 3 * embedding]);
  const target = layers.constant(`${name}.heads`, int64s([0, 0, 3, heads, size]));
  const split = layers.plain('Reshape', [joined, target]);
  // [3, batch, heads, tokens, size]
  const turned = layers.plain('Transpose', split, { perm: ints([2, 0, 3, 1, 4]) });
  const [query, key, value] = [0, 1, 2].map((at) => {
    const index = layers.constant(`${name}.index${at}`, scalar(at, 'int64'));
    return layers.plain('Gather', [turned, index]);
  });
  const scale = constant(layers, `${name}/scale`, scalar(1 / Math.sqrt(size)));
  const scaled = layers.plain('Mul', [query!, scale]);
  const columns = layers.plain('Transpose', key!, { perm: ints([0, 1, 3, 2]) });
  const scores = layers.plain('Add', [layers.plain('MatMul', [scaled, columns]), mask]);
  const shares = layers.plain('Softmax', scores, { axis: int(-1) });
  const seen = layers.plain('MatMul', [shares, value!]);
  const rows = layers.plain('Transpose', seen, { perm: ints([0, 2, 1, 3]) });
  const flat = layers.constant(`${name}.flat`, int64s([0, 0, embedding]));
  return affine(layers, layers.plain('Reshape', [rows, flat]), `${name}.c_proj`, [
    embedding,
    embedding,
  ]);
}
