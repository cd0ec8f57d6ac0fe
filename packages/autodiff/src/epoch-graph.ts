import { assert } from '@starling/core';
import {
  type DataType,
  elementCount,
  type Graph,
  GraphBuilder,
  int,
  type Model,
  scalar,
} from '@starling/onnx';
import { forward, outputShape, type Parameter, trainableParameters } from './forward.ts';
import { type LossKind, lossTerms, targetType } from './losses.ts';
import { Ops } from './ops.ts';
import { type SgdState, sgdStep } from './optimizer.ts';
import { parameterGradients } from './step-graph.ts';
import { flatten, unflatten, vectorLength } from './vector.ts';

/** How examples lie in the resident data tensor, [examples, …example]. */
export interface ResidentData {
  readonly dtype: Extract<DataType, 'float32' | 'uint8'>;
  readonly examples: number;
  readonly example: readonly number[];
  /** Every element is multiplied by this in the graph; 1 / 255 for images in bytes. */
  readonly scale: number;
}

export interface EpochGraphOptions {
  readonly model: Model;
  readonly loss: LossKind;
  readonly data: ResidentData;
  readonly batchSize: number;
  /** Minibatches of one run, K. */
  readonly steps: number;
  readonly momentum: number;
}

/** Inputs: what a run is fed with. */
export const EPOCH_INPUTS = {
  /** float32 [length] */
  vector: 'vector',
  /** [examples, …example] */
  data: 'data',
  /** int32 [examples], or float32 [examples, …output] for regression */
  targets: 'targets',
  /** int32 [K, batch]: which examples make each minibatch */
  order: 'order',
  /** float32 scalars */
  learningRate: 'learningRate',
  clippingNorm: 'clippingNorm',
} as const;

/** Outputs of a run. */
export const EPOCH_OUTPUTS = {
  /** New minus old vector, [length]. */
  update: 'update',
  /** L2 norm of the update, a scalar. */
  norm: 'norm',
  /** The update, scaled down to the clipping norm when longer. */
  clipped: 'clipped',
  /** Mean of the minibatches' losses. */
  meanLoss: 'meanLoss',
} as const;

/**
 * Local training as one graph: a Loop over K minibatches that carries weights and velocities,
 * gathers each batch by index from resident data and trains on it; behind it the update, its norm
 * and clip.
 */
export function buildEpochGraph(options: EpochGraphOptions): Model {
  const { model, data, batchSize, steps } = options;
  const builder = new GraphBuilder();
  const g = new Ops(builder);
  const parameters = trainableParameters(model);
  const length = vectorLength(parameters);
  const { vector: vectorName, order: orderName, learningRate, clippingNorm } = EPOCH_INPUTS;
  const vector = builder.input(vectorName, { dtype: 'float32', shape: [length] });
  const resident: Resident = {
    data: builder.input(EPOCH_INPUTS.data, {
      dtype: data.dtype,
      shape: [data.examples, ...data.example],
    }),
    targets: builder.input(EPOCH_INPUTS.targets, targetsType(options)),
    order: builder.input(orderName, { dtype: 'int32', shape: [steps, batchSize] }),
    learningRate: builder.input(learningRate, { dtype: 'float32', shape: [] }),
  };
  const clip = builder.input(clippingNorm, { dtype: 'float32', shape: [] });
  const first = unflatten(g, vector, parameters);
  const body = loopBody(builder, options, parameters, resident);
  const zeros = body.hasVelocity
    ? parameters.map(({ shape }) => g.broadcastTo(g.number(0), shape))
    : [];
  const carried = [...first, ...zeros, g.number(0)];
  const trips = builder.constant(scalar(steps, 'int64'));
  const results = builder.addTyped(
    {
      name: 'minibatches',
      op: 'Loop',
      inputs: [trips, '', ...carried],
      outputs: carried.map((_, i) => `after/${i}`),
      attributes: new Map([['body', { kind: 'graph', value: body.graph }]]),
    },
    carried.map((value) => builder.type(value)),
  );
  const update = g.sub(flatten(g, results.slice(0, parameters.length)), vector);
  const norm = g.call('Sqrt', [sumOfSquares(g, update)]);
  const shrink = g.div(clip, g.call('Max', [norm, g.number(1e-30)]));
  const clipped = g.mul(update, g.call('Min', [g.number(1), shrink]));
  const meanLoss = g.scale(results.at(-1)!, 1 / steps);
  const outputs = [
    builder.named(update, EPOCH_OUTPUTS.update),
    builder.named(norm, EPOCH_OUTPUTS.norm),
    builder.named(clipped, EPOCH_OUTPUTS.clipped),
    builder.named(meanLoss, EPOCH_OUTPUTS.meanLoss),
  ];
  return { graph: builder.finish('local-epoch', outputs) };
}

interface Resident {
  readonly data: string;
  readonly targets: string;
  readonly order: string;
  readonly learningRate: string;
}

function targetsType({ model, loss, data, batchSize }: EpochGraphOptions) {
  const type = targetType(loss, outputShape(model, [batchSize, ...data.example]));
  return { dtype: type.dtype, shape: type.shape.with(0, data.examples) };
}

/**
 * Inputs: iteration, condition, weights, velocities, sum of losses. Outputs: the same but
 * iteration.
 */
function loopBody(
  parent: GraphBuilder,
  options: EpochGraphOptions,
  parameters: readonly Parameter[],
  resident: Resident,
): { graph: Graph; hasVelocity: boolean } {
  const builder = new GraphBuilder(parent);
  const g = new Ops(builder);
  const hasVelocity = options.momentum !== 0;
  const iteration = builder.input('iteration', { dtype: 'int64', shape: [] });
  const goOn = builder.input('goOn', { dtype: 'bool', shape: [] });
  const states = parameters.map(({ name, shape }) => ({
    name,
    weight: builder.input(`weight/${name}`, { dtype: 'float32', shape }),
  }));
  const velocities = hasVelocity
    ? parameters.map(({ name, shape }) =>
        builder.input(`velocity/${name}`, { dtype: 'float32', shape }),
      )
    : [];
  const lossSum = builder.input('lossSum', { dtype: 'float32', shape: [] });
  const rows = g.call('Gather', [resident.order, iteration], { axis: int(0) });
  const batch = normalised(g, g.call('Gather', [resident.data, rows]), options.data.scale);
  const target = g.call('Gather', [resident.targets, rows]);
  const inputs = new Map(states.map(({ name, weight }) => [name, weight]));
  const output = forward({ g, model: options.model, batch, parameters: inputs });
  const terms = lossTerms(g, options.loss, output, target);
  const seed = g.mul(terms.gradient(), resident.learningRate);
  const steps = parameterGradients(g, { output, seed, inputs, parameters });
  const next = states.map(({ name, weight }, i): SgdState => {
    const state = { weight, velocity: velocities[i] };
    return sgdStep(g, state, steps.get(name)!, options.momentum);
  });
  const outputs = [
    builder.named(goOn, 'goOnNext'),
    ...next.map(({ weight }, i) => builder.named(weight, `weightNext/${parameters[i]!.name}`)),
    ...next.flatMap(({ velocity }, i) =>
      velocity === undefined
        ? []
        : [builder.named(velocity, `velocityNext/${parameters[i]!.name}`)],
    ),
    builder.named(g.add(lossSum, terms.mean), 'lossSumNext'),
  ];
  return { graph: builder.finish('minibatch', outputs), hasVelocity };
}

/** Gathered data as float32, scaled. */
export const normalised = (g: Ops, batch: string, scale: number): string =>
  g.scale(g.cast(batch, 'float32'), scale);

const STAGE = 1024;

/**
 * Sum of squares in stages of 1,024: one float32 accumulator over all elements would stop growing
 * near 2^18 times a term (`ReduceSum` of 550 million terms of 1e-3 gave less than half).
 */
function sumOfSquares(g: Ops, vector: string): string {
  let sums = g.square(vector);
  let count = elementCount(g.shape(sums));
  while (count > 1) {
    const rows = Math.ceil(count / STAGE);
    const width = Math.min(count, STAGE);
    const table = g.reshape(g.pad(sums, [0], [rows * width - count]), [rows, width]);
    sums = g.reduceSum(table, [1], false);
    count = rows;
  }
  assert(count === 1, 'a vector without elements has no norm');
  return g.reshape(sums, []);
}
