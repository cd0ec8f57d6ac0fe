import { ProtocolError } from '@starling/core';
import {
  elementCount,
  type Graph,
  GraphBuilder,
  type Model,
  numbersOf,
  readModel,
  replayGraph,
  type Tensor,
  tensorOf,
} from '@starling/onnx';
import { backward } from '../../packages/autodiff/src/backward.ts';
import { Ops } from '../../packages/autodiff/src/ops.ts';
import { rewriting } from '../../packages/autodiff/src/rules-training.ts';
import { createGenerator } from '../../packages/autodiff/src/seeded.ts';
import { openGraph } from '../helpers/run-graph.ts';
import { type Comparison, compareGradients } from './compare-gradients.ts';
import { doubled, doubledGraph } from './double-precision.ts';
import { forwardDifference } from './forward-difference.ts';
import { modelBytes, type RecordedRun, recordedRun } from './test-data.ts';

/** What became of one test model. */
export type Outcome =
  | { readonly kind: 'refused'; readonly reason: string }
  /** Its recorded values are of a type that is not read. */
  | { readonly kind: 'unreadable'; readonly reason: string }
  | { readonly kind: 'no-gradient'; readonly reason: string; readonly forward: number }
  | ({ readonly kind: 'compared'; readonly forward: number } & Comparison);

/** How a model's inputs are fed. */
interface Feeding {
  readonly fed: ReadonlyMap<string, Tensor>;
  readonly constant: ReadonlyMap<string, Tensor>;
  /** Whether its initialisers are inputs, too. */
  readonly weights: boolean;
}

/** Messages about values that a user's file has as constants and a test model as inputs. */
const NOT_CONSTANT = /not constant|depends on data/;

/**
 * Reads a model of the test data, writes its gradients and compares them with differences: of the
 * weighted sum of its float outputs to all float inputs and initialisers.
 */
export async function sweepModel(name: string): Promise<Outcome> {
  let model: Model;
  try {
    model = readModel(modelBytes(name));
  } catch (error) {
    return { kind: 'refused', reason: refusal(error) };
  }
  let run: RecordedRun;
  try {
    run = recordedRun(name);
  } catch (error) {
    return { kind: 'unreadable', reason: refusal(error) };
  }
  let reason = '';
  for (const feeding of feedings(model, run)) {
    try {
      return await sweepFed(name, model.graph, run, feeding);
    } catch (error) {
      reason = refusal(error);
      if (!NOT_CONSTANT.test(reason)) break;
    }
  }
  return { kind: 'refused', reason };
}

/** The message of a refusal; any other error is a fault of ours. */
function refusal(error: unknown): string {
  if (error instanceof ProtocolError) return error.message;
  throw error;
}

/**
 * Ways to feed a model, tried in order while it says that a value must be constant: everything fed,
 * floats alone, the first float alone, nothing.
 */
function feedings({ graph }: Model, run: RecordedRun): readonly Feeding[] {
  const named = graph.inputs.map(({ name }, i) => [name, run.inputs[i]!] as const);
  const by = (weights: boolean, isFed: (tensor: Tensor, i: number) => boolean): Feeding => ({
    fed: new Map(named.filter(([, tensor], i) => isFed(tensor, i))),
    constant: new Map(named.filter(([, tensor], i) => !isFed(tensor, i))),
    weights,
  });
  return [
    by(true, () => true),
    by(true, isFloat),
    by(false, (tensor, i) => isFloat(tensor) && i === 0),
    by(false, () => false),
  ];
}

const isFloat = ({ dtype }: Tensor): boolean => dtype === 'float32' || dtype === 'float64';

async function sweepFed(
  name: string,
  graph: Graph,
  run: RecordedRun,
  feeding: Feeding,
): Promise<Outcome> {
  const plain = forwardGraph(graph, { ...feeding, weights: false });
  const forward = await forwardDifference(name, plain, feeding.fed, run);
  const written = writeGradients(graph, feeding);
  if (typeof written === 'string') return { kind: 'no-gradient', reason: written, forward };
  const inputs = [...feeding.fed, ...weightsIn(graph, feeding)];
  const comparison = await compareGradients({
    ...(await openForward(graph, feeding)),
    ...written,
    values: [moved(inputs), drawn(inputs), new Map(inputs)],
    weightsOf: outputWeights,
  });
  const { gradients, elements } = comparison;
  if (elements === 0) return { kind: 'no-gradient', reason: 'inputs without elements', forward };
  if (gradients > 0) return { kind: 'compared', forward, ...comparison };
  return { kind: 'no-gradient', reason: 'no operator that gradients pass', forward };
}

/** Initialisers that become inputs. */
const weightsIn = ({ initializers }: Graph, { weights }: Feeding): [string, Tensor][] =>
  weights ? [...initializers].filter(([, tensor]) => isFloat(tensor)) : [];

/** Recorded values, each moved by its own distance below 2^-7, away from ties and kinks. */
const moved = (inputs: readonly [string, Tensor][]) =>
  withFloats(inputs, (value, uniform) => value + (uniform - 0.5) / 64);

/** Between 0.5 and 1.5: some old files hold memory that nobody had written to. */
const drawn = (inputs: readonly [string, Tensor][]) =>
  withFloats(inputs, (_, uniform) => 0.5 + uniform);

function withFloats(
  inputs: readonly [string, Tensor][],
  change: (value: number, uniform: number) => number,
): ReadonlyMap<string, Tensor> {
  return new Map(
    inputs.map(([name, tensor], i) => {
      if (!isFloat(tensor)) return [name, tensor];
      const generator = createGenerator(i);
      const values = numbersOf(tensor).map((value) => change(value, generator.uniform()));
      return [name, tensorOf('float32', tensor.shape, values)];
    }),
  );
}

const outputWeights = (count: number, output: number): readonly number[] => {
  const generator = createGenerator(1000 + output);
  return Array.from({ length: count }, () => Math.fround(generator.uniform() + 0.5));
};

function replayed(graph: Graph, feeding: Feeding) {
  const g = new Ops(new GraphBuilder());
  const { builder } = g;
  const bindings = new Map<string, string>();
  for (const [name, { dtype, shape }] of [...feeding.fed, ...weightsIn(graph, feeding)]) {
    bindings.set(name, builder.input(name, { dtype, shape }));
  }
  for (const [name, tensor] of feeding.constant) bindings.set(name, builder.constant(tensor));
  const { rewrite, ownRules } = rewriting(g, { dropout: undefined });
  return { g, ownRules, outputs: replayGraph(graph, { builder, bindings, rewrite }) };
}

/** Outputs y0, y1, …. */
function forwardGraph(graph: Graph, feeding: Feeding): Graph {
  const { g, outputs } = replayed(graph, feeding);
  const named = outputs.map((y, i) => g.builder.named(y, `y${i}`));
  return g.builder.finish('forward', named);
}

/** The gradient graph, its outputs by the names of what they are the gradients of; or why none. */
export function writeGradients(graph: Graph, feeding: Feeding) {
  const { g, ownRules, outputs } = replayed(graph, feeding);
  const { builder } = g;
  const parts = outputs.flatMap((y, i) => {
    const { dtype, shape } = builder.type(y);
    if (dtype !== 'float32') return [];
    const weights = tensorOf('float32', shape, outputWeights(elementCount(shape), i));
    return [g.reshape(g.mul(y, builder.constant(weights)), [elementCount(shape)])];
  });
  const wanted = [...feeding.fed, ...weightsIn(graph, feeding)].flatMap(([name, tensor]) =>
    isFloat(tensor) ? [name] : [],
  );
  if (parts.length === 0) return 'no float output';
  if (wanted.length === 0) return 'no float input';
  const output = g.concat(parts, 0);
  const nodes = [...builder.nodes];
  const seed = g.broadcastTo(g.number(1), g.shape(output));
  const found = backward({ g, nodes, output, seed, wanted, ownRules });
  const names = new Map(
    Array.from(found, ([name, value]) => [name, builder.named(value, `d/${name}`)] as const),
  );
  return { gradientGraph: builder.finish('gradients', [...names.values()]), names, wanted };
}

/** The forward pass alone, in double precision when the runtime has kernels for it. */
async function openForward(graph: Graph, feeding: Feeding) {
  const inDouble = (tensors: ReadonlyMap<string, Tensor>) =>
    new Map(Array.from(tensors, ([name, tensor]) => [name, doubled(tensor)] as const));
  try {
    const forward = forwardGraph(doubledGraph(graph), {
      ...feeding,
      fed: inDouble(feeding.fed),
      constant: inDouble(feeding.constant),
    });
    return { forward, session: await openGraph(forward), precision: 'float64' as const };
  } catch {
    const forward = forwardGraph(graph, feeding);
    return { forward, session: await openGraph(forward), precision: 'float32' as const };
  }
}
