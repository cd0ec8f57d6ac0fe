import { scalar } from '@starling/onnx';
import { addIf, addLoop, type LoopIteration } from './control-flow.ts';
import {
  drawnAt,
  type EpochShared,
  type GradientInput,
  gatheredMinibatch,
  type MinibatchInput,
} from './epoch-minibatch.ts';
import { exampleGradients } from './example-gradients.ts';
import { adjustedGradients } from './gradient-terms.ts';
import { gatherRows, type MinibatchResult } from './minibatch.ts';
import type { Ops } from './ops.ts';

interface StepInput {
  /** Number of the step, an int64 scalar. */
  readonly iteration: string;
  /** Parameters, buffers, then the optimiser's states, parameter by parameter. */
  readonly values: readonly string[];
}

/** One step of the optimiser: its minibatches, what is done to their gradients, new weights. */
export function epochStep(
  g: Ops,
  shared: EpochShared,
  { iteration, values }: StepInput,
): LoopIteration {
  const { training, optimizer, terms } = shared;
  const { parameters, buffers } = training.state;
  const weights = values.slice(0, parameters.length);
  const statistics = values.slice(parameters.length, parameters.length + buffers.length);
  const states = values.slice(parameters.length + buffers.length);
  const input = { iteration, weights, statistics };
  const made = gradientsOf(g, shared, input);
  const gradients = adjustedGradients(g, made.gradients, weights, terms);
  const scalars = shared.scalars.map((value) => atStep(g, value, iteration));
  const width = optimizer.states.length;
  const next = weights.map((weight, i) =>
    optimizer.update(g, {
      weight,
      gradient: gradients[i]!,
      states: states.slice(i * width, (i + 1) * width),
      scalars,
    }),
  );
  return {
    next: [
      ...next.map(({ weight }) => weight),
      ...made.buffers,
      ...next.flatMap((each) => each.states),
    ],
    collected: [made.loss],
  };
}

function gradientsOf(g: Ops, shared: EpochShared, input: GradientInput): MinibatchResult {
  const { accumulation, sampled } = shared.plan;
  if (sampled !== undefined) return exampleGradients(g, shared, input);
  if (accumulation === 1) return singleMinibatch(g, shared, input);
  return accumulatedMinibatches(g, shared, input);
}

/** The element of a list that belongs to the step; a scalar belongs to all. */
const atStep = (g: Ops, list: string, iteration: string) =>
  g.shape(list).length === 0 ? list : gatherRows(g, list, iteration);

function singleMinibatch(g: Ops, shared: EpochShared, input: GradientInput): MinibatchResult {
  const { resident, rate, outer } = shared;
  const { iteration } = input;
  return eitherSize(g, shared, {
    ...input,
    rows: gatherRows(g, resident.order, iteration),
    ...drawnAt(g, resident, iteration),
    isLast: resident.isLast && gatherRows(g, resident.isLast, iteration),
    factor: rate === undefined ? undefined : { at: outer, value: rate },
  });
}

/** The mean of several minibatches' gradients, summed up in a Loop of their own. */
function accumulatedMinibatches(
  g: Ops,
  shared: EpochShared,
  { iteration, weights, statistics }: GradientInput,
): MinibatchResult {
  const { plan, resident, training, outer } = shared;
  const width = training.state.parameters.length;
  const rows = gatherRows(g, resident.order, iteration);
  const drawn = drawnAt(g, resident, iteration);
  const isLast = resident.isLast && gatherRows(g, resident.isLast, iteration);
  const { trips, share } = minibatchesOf(g, shared, iteration);
  const factor = shared.rate === undefined ? share : g.mul(share, shared.rate);
  const zeros = training.state.parameters.map(({ shape }) => outer.zeros(shape));
  const { next } = addLoop(g, {
    name: 'minibatches',
    trips,
    tripsMax: plan.accumulation,
    carried: [...zeros, ...statistics, g.number(0)],
    body: (body, minibatch, values) => {
      const made = eitherSize(body, shared, {
        weights,
        statistics: values.slice(width, -1),
        rows: gatherRows(body, rows, minibatch),
        ...drawnAt(body, drawn, minibatch),
        isLast: isLast && gatherRows(body, isLast, minibatch),
        factor: { at: g, value: factor },
      });
      const sums = made.gradients.map((gradient, i) => body.add(values[i]!, gradient));
      return { next: [...sums, ...made.buffers, body.add(values.at(-1)!, made.loss)] };
    },
  });
  return {
    gradients: next.slice(0, width),
    buffers: next.slice(width, -1),
    loss: g.mul(next.at(-1)!, share),
  };
}

/** Number of the step's minibatches as trips of a Loop, and each one's share in their mean. */
function minibatchesOf(g: Ops, { plan, resident }: EpochShared, iteration: string) {
  const { minibatches, share } = resident;
  const { accumulation } = plan;
  return {
    trips: minibatches
      ? gatherRows(g, minibatches, iteration)
      : g.builder.constant(scalar(accumulation, 'int64')),
    share: share ? gatherRows(g, share, iteration) : g.number(1 / accumulation),
  };
}

/** A minibatch of full size, or an epoch's smaller last one. */
function eitherSize(g: Ops, shared: EpochShared, input: MinibatchInput): MinibatchResult {
  const { rows, isLast } = input;
  if (isLast === undefined) return gatheredMinibatch(g, shared, input);
  const { plan, training } = shared;
  const listed = ({ gradients, buffers, loss }: MinibatchResult) => [
    ...gradients,
    ...buffers,
    loss,
  ];
  const made = addIf(g, isLast, {
    yes: (inner) => {
      const few = (of: string) => inner.slice(of, [{ axis: 0, start: 0, end: plan.lastBatch }]);
      const moves = input.moves && few(input.moves);
      return listed(gatheredMinibatch(inner, shared, { ...input, rows: few(rows), moves }));
    },
    no: (inner) => listed(gatheredMinibatch(inner, shared, input)),
  });
  const width = training.state.parameters.length;
  return {
    gradients: made.slice(0, width),
    buffers: made.slice(width, -1),
    loss: made.at(-1)!,
  };
}
