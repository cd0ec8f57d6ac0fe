import { elementCount, type Graph, type Tensor } from '@starling/onnx';
import type { InferenceSession } from 'onnxruntime-node';
import { createGenerator, permutation } from '../../packages/autodiff/src/seeded.ts';
import { openGraph, runtimeFeeds } from '../helpers/run-graph.ts';
import { floatsOf, type Objective, type Slope, slopeAlong, weightedSum } from './differences.ts';
import { doubled } from './double-precision.ts';

export type Precision = 'float32' | 'float64';

export interface ComparisonTask {
  /** The forward pass with outputs y0, y1, …, in this precision. */
  readonly forward: Graph;
  readonly session: InferenceSession;
  readonly precision: Precision;
  readonly gradientGraph: Graph;
  /** Outputs of the gradient graph by the name of the input. */
  readonly names: ReadonlyMap<string, string>;
  /** Float inputs, whether a gradient reaches them or not. */
  readonly wanted: readonly string[];
  /** What is fed, with floats in float32: the first for which the outputs are finite. */
  readonly values: readonly ReadonlyMap<string, Tensor>[];
  /** Weights of the elements of an output. */
  readonly weightsOf: (count: number, output: number) => readonly number[];
}

export interface Comparison {
  readonly precision: Precision;
  /** Inputs with a written gradient. */
  readonly gradients: number;
  /** Compared elements, and sums over all elements with random signs. */
  readonly elements: number;
  /** Elements on a kink or jump, where differences say nothing. */
  readonly kinks: number;
  /** Elements whose differences are not finite: at the edge of what the operator is defined for. */
  readonly undefined: number;
  /** Inputs that change the outputs and have no written gradient. */
  readonly cut: readonly string[];
  readonly mismatches: readonly string[];
  /** Largest difference, relative to the tensor's largest gradient. */
  readonly worst: number;
}

/** First step of the differences; two smaller ones follow where it does not fit. */
const STEP = { float32: 2 ** -6, float64: 2 ** -16 } as const;
const SHRINK = [1, 1 / 8, 1 / 64];
const TOLERANCE = { float32: 2e-3, float64: 1e-4 } as const;
/** Of a sum over all elements, whose many kinks are not looked at one by one. */
const SUM_TOLERANCE = 2e-2;
/** Gradients below this count as this large: they are differences of larger float32 terms. */
const FLOOR = 0.1;
/** Elements of a tensor that are compared; of large models fewer. */
const ELEMENTS = { small: 96, large: 12 } as const;
const LARGE = 20_000;

/** Runs the written gradients and compares each with differences of the forward pass. */
export async function compareGradients(task: ComparisonTask): Promise<Comparison> {
  const { names, wanted, precision } = task;
  const { objective, fed } = await finiteObjective(task);
  const written = await run(task.gradientGraph, fed);
  const cost = Array.from(fed.values(), ({ data }) => data.length).reduce((a, b) => a + b, 0);
  const most = cost > LARGE ? ELEMENTS.large : ELEMENTS.small;
  const tally = { elements: 0, kinks: 0, undefined: 0, worst: 0 };
  const cut: string[] = [];
  const mismatches: string[] = [];
  for (const name of wanted) {
    const ours = written(names.get(name));
    const faults: string[] = [];
    for (const probe of await probes(objective, name, most, precision, ours)) {
      tally.elements++;
      const verdict = await judge(objective, name, probe, precision);
      if (verdict === 'kink') tally.kinks++;
      else if (verdict === 'undefined') tally.undefined++;
      else if (typeof verdict === 'number') tally.worst = Math.max(tally.worst, verdict);
      else faults.push(`${name}${verdict.fault}`);
    }
    if (ours !== undefined) mismatches.push(...faults);
    else if (faults.length > 0) cut.push(name);
  }
  await task.session.release();
  return { precision, gradients: names.size, ...tally, cut, mismatches };
}

/** For the first of the task's values that fit, or else the last. */
async function finiteObjective({ forward, session, precision, values, weightsOf }: ComparisonTask) {
  const weights = new Map(
    forward.outputs.flatMap(({ name, dtype, shape }, i) =>
      dtype === precision ? [[name, weightsOf(elementCount(shape.map(Number)), i)] as const] : [],
    ),
  );
  const found = values.map((fed) => {
    const typed = Array.from(fed, ([name, tensor]) => {
      // A copy: elements are moved and moved back.
      const own = { ...tensor, data: tensor.data.slice() };
      return [name, precision === 'float64' ? doubled(tensor) : own] as const;
    });
    const objective: Objective = { session, feeds: runtimeFeeds(forward, new Map(typed)), weights };
    return { objective, fed };
  });
  for (const each of found) if (Number.isFinite(await weightedSum(each.objective))) return each;
  return found.at(-1)!;
}

async function run(graph: Graph, values: ReadonlyMap<string, Tensor>) {
  if (graph.outputs.length === 0) return () => undefined;
  const session = await openGraph(graph);
  const results = await session.run(runtimeFeeds(graph, values));
  await session.release();
  return (name: string | undefined) => (name === undefined ? undefined : floatsOf(results[name]!));
}

/** One direction in which the outputs are differentiated. */
interface Probe {
  readonly label: string;
  readonly direction: ReadonlyMap<number, number>;
  /** By our gradient; 0 where there is none. */
  readonly expected: number;
  readonly first: Slope;
  readonly tolerance: number;
}

/** Single elements, chosen by a seed where there are many; then all together. */
async function probes(
  objective: Objective,
  name: string,
  most: number,
  precision: Precision,
  ours: ArrayLike<number> | undefined,
): Promise<readonly Probe[]> {
  const count = objective.feeds[name]!.size;
  const generator = createGenerator(count);
  const chosen = Array.from(permutation(count, generator)).slice(0, most);
  const step = STEP[precision];
  const singles: Omit<Probe, 'tolerance'>[] = [];
  for (const i of chosen) {
    const direction = new Map([[i, 1]]);
    const first = await slopeAlong(objective, name, direction, step);
    singles.push({ label: `[${i}]`, direction, expected: ours?.[i] ?? 0, first });
  }
  const sizes = singles.flatMap(({ expected, first }) => [expected, first.slope]);
  const scale = sizes.reduce(
    (most, size) => (Number.isFinite(size) ? Math.max(most, Math.abs(size)) : most),
    FLOOR,
  );
  const made = singles.map((probe) => ({ ...probe, tolerance: TOLERANCE[precision] * scale }));
  if (count <= most) return made;
  const signs = Array.from({ length: count }, () => (generator.uniform() < 0.5 ? -1 : 1));
  const direction = new Map(signs.entries());
  const first = await slopeAlong(objective, name, direction, step);
  const sum = { expected: 0, squares: 0 };
  for (const [i, sign] of signs.entries()) {
    const value = ours?.[i] ?? 0;
    sum.expected += sign * value;
    sum.squares += value * value;
  }
  const tolerance = SUM_TOLERANCE * Math.max(FLOOR, Math.sqrt(sum.squares));
  return [...made, { label: ' with signs', direction, expected: sum.expected, first, tolerance }];
}

type Verdict = number | 'kink' | 'undefined' | { readonly fault: string };

/** Compares with smaller and smaller steps; what stays rough in all of them has a kink. */
async function judge(
  objective: Objective,
  name: string,
  { label, direction, expected, first, tolerance }: Probe,
  precision: Precision,
): Promise<Verdict> {
  let slope = first;
  for (const factor of SHRINK) {
    if (factor !== 1) {
      slope = await slopeAlong(objective, name, direction, STEP[precision] * factor);
    }
    const difference = Math.abs(slope.slope - expected);
    if (difference <= tolerance) return difference / (tolerance / TOLERANCE[precision]);
  }
  if (!Number.isFinite(slope.slope)) return 'undefined';
  if (slope.roughness > tolerance) return 'kink';
  return { fault: `${label} is ${expected}, numerically ${slope.slope}` };
}
