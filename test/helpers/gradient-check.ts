import { assert } from '@starling/core';
import {
  type Attribute,
  elementCount,
  type Graph,
  GraphBuilder,
  numbersOf,
  replayGraph,
  type Tensor,
  tensorOf,
  type ValueInfo,
} from '@starling/onnx';
import type { Tensor as RuntimeTensor } from 'onnxruntime-node';
import { describe, expect, test } from 'vitest';
import { backward } from '../../packages/autodiff/src/backward.ts';
import { Ops } from '../../packages/autodiff/src/ops.ts';
import type { RuleEntry } from '../../packages/autodiff/src/rule.ts';
import { createGenerator, permutation } from '../../packages/autodiff/src/seeded.ts';
import { openGraph, runtimeFeeds } from './run-graph.ts';

export { openGraph, runtimeFeeds };

/** A float32 input whose gradient is checked, with values inside a range. */
export interface Drawn {
  readonly shape: readonly number[];
  /** Default −1.5. */
  readonly low?: number;
  /** Default 1.5. */
  readonly high?: number;
  /** Where the operator has kinks: no value is drawn near them. Default 0. */
  readonly kinks?: readonly number[];
  /** Instead of draws. */
  readonly values?: readonly number[];
}

/** A value that is fed at run time and has no gradient: indices, conditions. */
export interface Fed {
  readonly fed: Tensor;
}

/**
 * A list is the shape of a drawn input, a tensor is a constant, undefined is an absent optional
 * input.
 */
export type Operand = readonly number[] | Drawn | Fed | Tensor | undefined;

/** One operator call whose gradients to all drawn inputs are checked. */
export interface Case {
  readonly op: string;
  readonly inputs: readonly Operand[];
  readonly attributes?: Readonly<Record<string, Attribute>>;
  /** Default 1. */
  readonly outputs?: number;
  /** Largest error that passes, relative to the larger of 1 and the gradient. */
  readonly tolerance?: number;
}

type Precision = 'float32' | 'float64';

/** Step of the differences; kinks and neighbours are farther away than two of it. */
const STEP = { float32: 2 ** -6, float64: 2 ** -9 } as const;
const TOLERANCE = { float32: 1e-3, float64: 1e-4 } as const;
const KINK_MARGIN = 0.08;

/**
 * Operators that fall to the CPU or fail on WebGPU. Of the graphs that are checked here only the
 * operator under test itself may be one, where nothing stands in for it.
 */
export const GPU_LACKS: ReadonlySet<string> = new Set([
  ...['OneHot', 'Sign', 'Round', 'Sum', 'Mean', 'LogSoftmax', 'Hardmax', 'ConstantOfShape'],
  ...['Selu', 'Celu', 'Softsign', 'IsNaN', 'IsInf', 'Or', 'Xor', 'Mod', 'Dropout', 'EyeLike'],
  ...['LRN', 'MeanVarianceNormalization', 'LpPool', 'SpaceToDepth', 'RNN', 'Size', 'NonZero'],
]);

/**
 * Declares one test per case: the written gradient against the numeric Jacobian, for two draws of
 * the inputs. Differences are of fourth order, in double precision where ONNX Runtime has such a
 * kernel.
 * @param rules each of which must have a case
 */
export function checkGradients(cases: readonly Case[], rules: readonly RuleEntry[] = []): void {
  test('every rule of the family is in the table', () => {
    const checked = new Set(cases.map(({ op }) => op));
    expect(rules.map(([op]) => op).filter((op) => !checked.has(op))).toEqual([]);
  });
  describe('gradients agree with the numeric Jacobian', () => {
    for (const [index, kase] of cases.entries()) {
      test(`${index} ${titleOf(kase)}`, async () => {
        for (const seed of [1, 2]) await checkCase(kase, seed);
      });
    }
  });
}

/** Operator, inputs and attributes in one line. */
export function titleOf({ op, inputs, attributes = {} }: Case): string {
  const operands = inputs.map((operand) => {
    if (operand === undefined) return '-';
    if ('fed' in operand) return `fed[${operand.fed.shape}]`;
    if ('dtype' in operand) return `const[${operand.shape}]`;
    return `[${drawnOf(operand).shape}]`;
  });
  const named = Object.entries(attributes).map(([name, attribute]) =>
    attribute.kind === 'tensor' || attribute.kind === 'graph' ? name : `${name}=${attribute.value}`,
  );
  return [op, ...operands, ...named].join(' ');
}

const drawnOf = (operand: readonly number[] | Drawn): Drawn =>
  'shape' in operand ? operand : { shape: operand };

async function checkCase(kase: Case, seed: number): Promise<void> {
  const feeds = drawFeeds(kase, seed);
  const weights: WeightsOf = (count, output) => outputWeights(count, seed, output);
  const exact = await writtenGradients(kase, feeds, weights);
  const { gradients: numeric, precision } = await numericGradients(kase, feeds, weights);
  const tolerance = kase.tolerance ?? TOLERANCE[precision];
  for (const [name, values] of numeric) {
    const written = exact.get(name)!;
    expect(written.length, `elements of the gradient of ${name}`).toBe(values.length);
    for (const [i, value] of values.entries()) {
      const error = Math.abs(written[i]! - value) / Math.max(1, Math.abs(value));
      if (error <= tolerance) continue;
      const [ours, theirs] = [written, values].map((list) => Array.from(list, short).slice(0, 48));
      expect.fail(
        `gradient of ${name}[${i}] is ${written[i]}, numerically ${value} (${precision}, seed ` +
          `${seed})\nwritten [${ours}]\nnumeric [${theirs}]`,
      );
    }
  }
}

const short = (value: number) => Number(value.toPrecision(4));

export interface Feeds {
  /** Of drawn and fed inputs, by name. */
  readonly tensors: ReadonlyMap<string, Tensor>;
  readonly drawn: readonly string[];
}

/** A weight for each element of an output. */
type WeightsOf = (count: number, output: number) => number[];

export function drawFeeds({ inputs }: Case, seed: number): Feeds {
  const tensors = new Map<string, Tensor>();
  const drawn: string[] = [];
  for (const [i, operand] of inputs.entries()) {
    if (operand === undefined || 'dtype' in operand) continue;
    if ('fed' in operand) {
      tensors.set(`x${i}`, operand.fed);
      continue;
    }
    drawn.push(`x${i}`);
    tensors.set(`x${i}`, drawTensor(drawnOf(operand), seed + i, i));
  }
  return { tensors, drawn };
}

/**
 * Distinct, evenly spaced values in random order, apart from those of input `index` − 1, so that
 * no kink lies within a difference.
 */
function drawTensor(drawn: Drawn, seed: number, index: number): Tensor {
  const { shape, low = -1.5, high = 1.5, kinks = [0] } = drawn;
  if (drawn.values !== undefined) return tensorOf('float32', shape, drawn.values);
  const count = elementCount(shape);
  const spacing = (high - low) / Math.max(count, 4);
  const order = permutation(count, createGenerator(seed));
  const values = Array.from(order, (position) => {
    const start = low + (high - low - spacing * (count - 1)) / 2;
    const value = start + spacing * position + (spacing * (index % 4)) / 5;
    const kink = kinks.find((at) => Math.abs(value - at) < KINK_MARGIN);
    return kink === undefined ? value : kink + (value < kink ? -KINK_MARGIN : KINK_MARGIN);
  });
  return tensorOf('float32', shape, values);
}

/** A model of the one call, as a foreign file would hold it: inputs x0, x1, …, outputs out0, …. */
export function calledAlone(kase: Case, precision: Precision): Graph {
  const inputs: ValueInfo[] = [];
  const initializers = new Map<string, Tensor>();
  const names = kase.inputs.map((operand, i) => {
    const name = `x${i}`;
    if (operand === undefined) return '';
    if ('dtype' in operand) initializers.set(name, inPrecision(operand, precision));
    else if ('fed' in operand) {
      const { dtype, shape } = inPrecision(operand.fed, precision);
      inputs.push({ name, dtype, shape });
    } else {
      inputs.push({ name, dtype: precision, shape: drawnOf(operand).shape });
    }
    return name;
  });
  const outputs = Array.from({ length: kase.outputs ?? 1 }, (_, i) => `out${i}`);
  const attributes = new Map(Object.entries(kase.attributes ?? {}));
  return {
    name: 'case',
    nodes: [{ name: 'node', op: kase.op, inputs: names, outputs, attributes }],
    initializers,
    inputs,
    outputs: outputs.map((name) => ({ name, dtype: precision, shape: [] })),
  };
}

/** Outputs of a model inside a builder. */
function replayed(builder: GraphBuilder, graph: Graph): readonly string[] {
  const bindings = new Map(
    graph.inputs.map(({ name, dtype, shape }) => {
      const known = shape.map((dim) => (typeof dim === 'number' ? dim : 1));
      return [name, builder.input(name, { dtype, shape: known })] as const;
    }),
  );
  return replayGraph(graph, { builder, bindings });
}

const inPrecision = (tensor: Tensor, precision: Precision): Tensor =>
  tensor.dtype === 'float32' && precision === 'float64'
    ? tensorOf('float64', tensor.shape, numbersOf(tensor))
    : tensor;

const outputWeights = (count: number, seed: number, index: number): number[] => {
  const generator = createGenerator(1000 * seed + index);
  return Array.from({ length: count }, () => Math.fround(generator.uniform() + 0.5));
};

/** Gradients of the sum of all outputs to the drawn inputs, by our rules: one list for each. */
export async function gradientsOf(kase: Case): Promise<readonly (readonly number[])[]> {
  const ones: WeightsOf = (count) => new Array<number>(count).fill(1);
  const found = await writtenGradients(kase, drawFeeds(kase, 1), ones);
  return [...found.values()].map((values) => Array.from(values));
}

/** Gradients of Σ y·weight to the drawn inputs, by our rules. */
async function writtenGradients(
  kase: Case,
  { tensors, drawn }: Feeds,
  weightsOf: WeightsOf,
): Promise<ReadonlyMap<string, ArrayLike<number>>> {
  const builder = new GraphBuilder();
  const g = new Ops(builder);
  const ys = replayed(builder, calledAlone(kase, 'float32'));
  const parts = ys.flatMap((y, i) => {
    const { dtype, shape } = builder.type(y);
    if (dtype !== 'float32') return [];
    const weights = tensorOf('float32', shape, weightsOf(elementCount(shape), i));
    // One vector joins several outputs, so that each of them gets a gradient.
    const weighted = g.mul(y, builder.constant(weights));
    return [g.reshape(weighted, [elementCount(shape)])];
  });
  const total = g.concat(parts, 0);
  const nodes = [...builder.nodes];
  const seed = g.broadcastTo(g.number(1), g.shape(total));
  const found = backward({ g, nodes, output: total, seed, wanted: drawn });
  for (const name of drawn) assert(found.has(name), `no gradient reaches ${name}`);
  const outputs = drawn.map((name) => builder.named(found.get(name)!, `d${name}`));
  const graph = builder.finish('gradients', outputs);
  for (const { op } of graph.nodes) {
    assert(op === kase.op || !GPU_LACKS.has(op), `${op} does not run on GPUs`);
  }
  const results = await runGraph(graph, tensors);
  return new Map(drawn.map((name) => [name, results(`d${name}`)]));
}

async function runGraph(graph: Graph, tensors: ReadonlyMap<string, Tensor>) {
  const session = await openGraph(graph);
  const results = await session.run(runtimeFeeds(graph, tensors));
  await session.release();
  return (name: string) => floatsOf(results[name]!);
}

function floatsOf({ data }: RuntimeTensor): Float32Array | Float64Array {
  if (data instanceof Float32Array || data instanceof Float64Array) return data;
  throw new Error('the output is not of a float type');
}

/** The same gradients by differences, element by element. */
async function numericGradients(kase: Case, { tensors, drawn }: Feeds, weightsOf: WeightsOf) {
  const { session, graph, precision } = await openForward(kase);
  const typed = new Map(
    [...tensors].map(([name, tensor]) => [name, inPrecision(tensor, precision)] as const),
  );
  const feeds = runtimeFeeds(graph, typed);
  const floats = graph.outputs.flatMap(({ dtype }, i) => (dtype === precision ? [i] : []));
  const objective = async () => {
    const results = await session.run(feeds);
    return floats.reduce((sum, i) => {
      const y = floatsOf(results[`y${i}`]!);
      const weights = weightsOf(y.length, i);
      return sum + weights.reduce((inner, weight, j) => inner + weight * y[j]!, 0);
    }, 0);
  };
  const gradients = new Map<string, Float64Array>();
  const step = STEP[precision];
  for (const name of drawn) {
    const data = floatsOf(feeds[name]!);
    const numeric = new Float64Array(data.length);
    for (let i = 0; i < data.length; i++) {
      const held = data[i]!;
      const at = async (offset: number) => {
        data[i] = held + offset;
        return objective();
      };
      const near = (await at(step)) - (await at(-step));
      const far = (await at(2 * step)) - (await at(-2 * step));
      data[i] = held;
      numeric[i] = (8 * near - far) / (12 * step);
    }
    gradients.set(name, numeric);
  }
  await session.release();
  return { gradients, precision };
}

/** The forward call alone, in double precision when the runtime has kernels for it. */
async function openForward(kase: Case) {
  try {
    const graph = replayedGraph(calledAlone(kase, 'float64'));
    return { session: await openGraph(graph), graph, precision: 'float64' as const };
  } catch {
    const graph = replayedGraph(calledAlone(kase, 'float32'));
    return { session: await openGraph(graph), graph, precision: 'float32' as const };
  }
}

/** A model as it is replayed, with outputs y0, y1, …. */
export function replayedGraph(model: Graph): Graph {
  const builder = new GraphBuilder();
  const ys = replayed(builder, model);
  return builder.finish(
    'forward',
    ys.map((y, i) => builder.named(y, `y${i}`)),
  );
}
