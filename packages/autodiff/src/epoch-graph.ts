import { ProtocolError } from '@starling/core';
import {
  type DataType,
  type Graph,
  GraphBuilder,
  int,
  type Model,
  type ValueInfo,
} from '@starling/onnx';
import {
  type Augmentation,
  isImage,
  movesImages,
  NOISE_WORDS,
  NUMBERS_PER_MOVE,
} from './augmentation.ts';
import { addLoop } from './control-flow.ts';
import { WORDS_PER_DROPOUT } from './dropout.ts';
import type { EpochShared } from './epoch-minibatch.ts';
import { EPOCH_INPUTS, EPOCH_OUTPUTS } from './epoch-names.ts';
import { hasFewerAtEnd, hasSmallerLast, type MinibatchPlan, orderShape } from './epoch-plan.ts';
import { epochStep } from './epoch-step.ts';
import { dryRun } from './forward.ts';
import { isNamed } from './frozen.ts';
import type { Anchors, GradientClipping } from './gradient-terms.ts';
import type { Precision } from './half-precision.ts';
import type { LossKind, LossOptions } from './losses.ts';
import { type ModelState, modelState, type Parameter } from './model-state.ts';
import { Ops } from './ops.ts';
import { optimizerRule } from './optimizer-rules.ts';
import { type OptimizerSettings, optimizerSettings } from './optimizers.ts';
import { targetOf } from './targets.ts';
import { clippedUpdate } from './update.ts';
import { flatten, unflatten, vectorLength } from './vector.ts';

/** How examples lie in the data tensor, [examples, …example]; their number is that of each run. */
export interface ResidentData {
  readonly dtype: Extract<DataType, 'float32' | 'uint8' | 'int32'>;
  readonly example: readonly number[];
  /** Every element is multiplied by this in the graph; 1 / 255 for images in bytes. */
  readonly scale: number;
  /** Shape of one example's target where the model's output leaves it open; see `targetType`. */
  readonly target?: readonly number[];
}

/** What is absent costs nothing in the graph. */
export interface EpochGraphOptions {
  readonly model: Model;
  readonly loss: LossKind;
  readonly lossOptions?: LossOptions;
  readonly data: ResidentData;
  /** The graph follows from how minibatches are cut; the steps are those of each run. */
  readonly plan: MinibatchPlan;
  /** Plain SGD unless told. */
  readonly optimizer?: OptimizerSettings;
  /** Each step has a learning rate of its own: then the input is [steps]. */
  readonly ratePerStep?: boolean;
  readonly clipping?: GradientClipping;
  /** FedProx's μ: how strongly weights are pulled back to where the run began. */
  readonly proximal?: number;
  /** SCAFFOLD: a vector that is added to every gradient is fed. */
  readonly control?: boolean;
  /** Patterns of weights that stay as they are; see `isNamed`. */
  readonly frozen?: readonly string[];
  /** Patterns of a peer's own weights: the proximal term does not pull them. */
  readonly personal?: readonly string[];
  /** Whether the model's dropouts drop; they do unless told. */
  readonly dropout?: boolean;
  readonly augment?: Augmentation | undefined;
  /** Of products and convolutions; float32 unless told. */
  readonly precision?: Precision | undefined;
  /** Greatest L2 norm of one example's gradient: local DP-SGD, with a plan by `planSamples`. */
  readonly exampleClipping?: number | undefined;
}

export interface EpochGraph {
  readonly model: Model;
  /** Shape of the forward model's output for a full minibatch. */
  readonly output: readonly number[];
  /** Random words that each minibatch takes; 0 when nothing is dropped. */
  readonly words: number;
  /** Elements of the vector that are parameters, and buffers behind them. */
  readonly layout: { readonly parameters: number; readonly buffers: number };
  /** Elements of what the optimiser remembers. */
  readonly states: number;
}

/**
 * Local training as one graph: a Loop over steps of the optimiser that carries weights, the
 * optimiser's states and buffers, gathers each minibatch by index from resident data and trains
 * on it; behind it the update, its norm and clip. A training is one run, or several that hand over
 * `after` and `statesAfter`: the numbers are the same to the bit. Each epoch's last minibatch may
 * be smaller: then both sizes are written and an If chooses, so that every example counts as it
 * does in PyTorch. With local DP-SGD, steps have Poisson samples: see `exampleGradients`.
 * @throws ProtocolError when model, loss and options do not fit together
 */
export function buildEpochGraph(options: EpochGraphOptions): EpochGraph {
  const { model, ratePerStep = false } = options;
  const builder = new GraphBuilder();
  const g = new Ops(builder);
  const state = modelState(model, options.frozen);
  const all = [...state.parameters, ...state.buffers];
  const layout = {
    parameters: vectorLength(state.parameters),
    buffers: vectorLength(state.buffers),
  };
  if (options.plan.sampled !== undefined) refuseBuffers(layout.buffers);
  const length = layout.parameters + layout.buffers;
  const float = (name: string, shape: readonly number[]) =>
    builder.input(name, { dtype: 'float32', shape });
  const vector = float(EPOCH_INPUTS.vector, [length]);
  const current = unflatten(g, float(EPOCH_INPUTS.current, [length]), all);
  const trips = builder.input(EPOCH_INPUTS.steps, { dtype: 'int64', shape: [] });
  const { resident, words, output } = residentInputs(builder, options, layout.parameters);
  const rate = float(EPOCH_INPUTS.learningRate, ratePerStep ? [STEPS] : []);
  const clip = float(EPOCH_INPUTS.clippingNorm, []);
  const shared = sharedParts(g, options, { state, resident, rate, vector });
  const remembered = state.parameters.flatMap((parameter) =>
    shared.optimizer.states.map((name) => ({ ...parameter, name: `${name}/${parameter.name}` })),
  );
  const states = remembered.length === 0 ? [] : statesInput(g, remembered);
  const { next, collected } = addLoop(g, {
    name: 'steps',
    trips,
    tripsMax: STEPS,
    carried: [...current, ...states],
    body: (body, iteration, values) => epochStep(body, shared, { iteration, values }),
  });
  const after = flatten(g, next.slice(0, all.length));
  const update = clippedUpdate(g, { after, before: vector, clip, layout });
  const losses = collected[0]!;
  const meanLoss = g.call('ReduceMean', [losses], { keepdims: int(0) });
  const statesAfter =
    states.length === 0 ? {} : { statesAfter: flatten(g, next.slice(all.length)) };
  const values = { after, ...statesAfter, ...update, meanLoss, losses };
  const outputs = Object.entries(values).map(([name, value]) => builder.named(value, name));
  return {
    model: { graph: openDimensions(builder.finish('local-epoch', outputs)) },
    ...{ output, words, layout, states: vectorLength(remembered) },
  };
}

/** @throws ProtocolError `privacy` */
function refuseBuffers(buffers: number): void {
  if (buffers === 0) return;
  const what = `BatchNormalization mixes examples, and no noise covers its ${buffers} statistics`;
  const way = 'take a model with GroupNormalization or LayerNormalization, or without noise';
  throw new ProtocolError('privacy', `no gradient is of one example alone: ${what}; ${way}`);
}

/** Stand for how many steps and examples a run has, until `openDimensions` leaves them open. */
const STEPS = 2;
const EXAMPLES = 2;

/** What is counted in steps or in examples has the size that a run is fed with. */
function openDimensions(graph: Graph): Graph {
  const opened = new Map<string, string>([
    ...[EPOCH_INPUTS.data, EPOCH_INPUTS.targets].map((name) => [name, 'examples'] as const),
    ...[EPOCH_INPUTS.order, EPOCH_INPUTS.words, EPOCH_INPUTS.learningRate].map(stepsOf),
    ...[EPOCH_INPUTS.moves, EPOCH_INPUTS.noise].map(stepsOf),
    ...[EPOCH_INPUTS.isLast, EPOCH_INPUTS.minibatches, EPOCH_INPUTS.share].map(stepsOf),
    ...[EPOCH_INPUTS.root, EPOCH_INPUTS.ratio, EPOCH_OUTPUTS.losses].map(stepsOf),
    stepsOf(EPOCH_INPUTS.gradientNoise),
  ]);
  const open = (value: ValueInfo): ValueInfo => {
    const dimension = opened.get(value.name);
    if (dimension === undefined || value.shape.length === 0) return value;
    return { ...value, shape: value.shape.with(0, dimension) };
  };
  return { ...graph, inputs: graph.inputs.map(open), outputs: graph.outputs.map(open) };
}

const stepsOf = (name: string) => [name, 'steps'] as const;

function statesInput(g: Ops, remembered: readonly Parameter[]): readonly string[] {
  const shape = [vectorLength(remembered)];
  return unflatten(
    g,
    g.builder.input(EPOCH_INPUTS.states, { dtype: 'float32', shape }),
    remembered,
  );
}

/** Inputs that every step reads its minibatches from. */
function residentInputs(builder: GraphBuilder, options: EpochGraphOptions, parameters: number) {
  const { model, loss, data, plan, dropout = true } = options;
  const run = dryRun(model, [plan.batchSize, ...data.example]);
  const output = run.g.shape(run.output);
  const { batchSize } = plan;
  const target = targetOf({ model, loss, output, batchSize, example: data.target });
  const words = dropout ? WORDS_PER_DROPOUT * run.dropouts : 0;
  const order = orderShape(plan, STEPS);
  const batches = order.slice(0, -1);
  const resident = {
    data: builder.input(EPOCH_INPUTS.data, {
      dtype: data.dtype,
      shape: [EXAMPLES, ...data.example],
    }),
    targets:
      target &&
      builder.input(EPOCH_INPUTS.targets, {
        dtype: target.dtype,
        shape: target.shape.with(0, EXAMPLES),
      }),
    order: builder.input(EPOCH_INPUTS.order, { dtype: 'int32', shape: order }),
    words:
      words === 0
        ? undefined
        : builder.input(EPOCH_INPUTS.words, { dtype: 'int32', shape: [...batches, words] }),
    scale: data.scale,
    isLast: hasSmallerLast(plan)
      ? builder.input(EPOCH_INPUTS.isLast, { dtype: 'bool', shape: batches })
      : undefined,
    ...minibatchInputs(builder, plan, parameters),
    ...augmentationInputs(builder, options, order),
  };
  return { resident, words, output };
}

/** What augmentation draws anew for each minibatch. */
function augmentationInputs(
  builder: GraphBuilder,
  { augment, data }: EpochGraphOptions,
  order: readonly number[],
) {
  if (augment === undefined) return { augment, moves: undefined, noise: undefined };
  if (movesImages(augment) && !isImage(data.example)) {
    const what = `examples of shape [${data.example}] are no images to flip or crop`;
    throw new ProtocolError('data-mismatch', what);
  }
  const input = (name: string, shape: readonly number[]) =>
    builder.input(name, { dtype: 'int32', shape });
  return {
    augment,
    moves: movesImages(augment)
      ? input(EPOCH_INPUTS.moves, [...order, NUMBERS_PER_MOVE])
      : undefined,
    noise:
      augment.noise > 0
        ? input(EPOCH_INPUTS.noise, [...order.slice(0, -1), NOISE_WORDS])
        : undefined,
  };
}

/** Numbers of minibatches that differ from step to step. */
function minibatchInputs(builder: GraphBuilder, plan: MinibatchPlan, parameters: number) {
  const isSampled = plan.sampled !== undefined;
  const isUneven = hasFewerAtEnd(plan);
  const float = (name: string, shape: readonly number[]) =>
    builder.input(name, { dtype: 'float32', shape });
  return {
    minibatches:
      isSampled || isUneven
        ? builder.input(EPOCH_INPUTS.minibatches, { dtype: 'int64', shape: [STEPS] })
        : undefined,
    share: isUneven ? float(EPOCH_INPUTS.share, [STEPS]) : undefined,
    gradientNoise: isSampled ? float(EPOCH_INPUTS.gradientNoise, [STEPS, parameters]) : undefined,
  };
}

interface SharedInputs {
  readonly state: ModelState;
  readonly resident: EpochShared['resident'];
  readonly rate: string;
  /** Parameters and buffers where the training began. */
  readonly vector: string;
}

/** What all steps use, written in front of the Loop. */
function sharedParts(g: Ops, options: EpochGraphOptions, inputs: SharedInputs): EpochShared {
  const { model, loss, lossOptions, plan, ratePerStep = false, proximal = 0 } = options;
  const { precision } = options;
  const { state, resident, rate, vector } = inputs;
  const settings = options.optimizer ?? optimizerSettings('sgd');
  const { norm = 0, value = 0 } = options.clipping ?? {};
  // SGD takes gradients that hold the rate already: one pass over all weights less. Not in float16,
  // where a small rate would make small gradients vanish.
  const isPlain = settings.optimizer === 'sgd' && !ratePerStep && plan.sampled === undefined;
  const constant = isPlain && precision !== 'float16';
  const scaled = constant && norm === 0 && value === 0;
  const optimizer = optimizerRule(settings, { scaled });
  const withRate = (x: string) => (scaled ? g.mul(x, rate) : x);
  const table = (name: string) => g.builder.input(name, { dtype: 'float32', shape: [STEPS] });
  const corrections = optimizer.counts
    ? { root: table(EPOCH_INPUTS.root), ratio: table(EPOCH_INPUTS.ratio) }
    : undefined;
  return {
    outer: g,
    training: { model, loss, lossOptions, state, precision },
    plan,
    resident,
    optimizer,
    scalars: optimizer.scalars(g, rate, corrections),
    rate: scaled ? rate : undefined,
    exampleClipping: options.exampleClipping,
    terms: {
      ...{ clipping: options.clipping, precision },
      proximal:
        proximal === 0
          ? undefined
          : {
              factor: withRate(g.number(proximal)),
              anchors: anchored(
                state.parameters,
                unflatten(g, vector, [...state.parameters, ...state.buffers]),
                options,
              ),
            },
      control: options.control
        ? unflatten(g, withRate(controlInput(g, state)), state.parameters)
        : undefined,
    },
  };
}

/** Values that the proximal term pulls the parameters to: none for a peer's own. */
export const anchored = (
  parameters: readonly Parameter[],
  values: readonly string[],
  { personal = [] }: Pick<EpochGraphOptions, 'personal'>,
): Anchors => parameters.map(({ name }, i) => (isNamed(name, personal) ? undefined : values[i]));

function controlInput(g: Ops, { parameters }: ModelState): string {
  const shape = [vectorLength(parameters)];
  return g.builder.input(EPOCH_INPUTS.control, { dtype: 'float32', shape });
}
