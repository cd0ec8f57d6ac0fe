import { type DataType, GraphBuilder, int, type Model, scalar } from '@starling/onnx';
import { addLoop } from './control-flow.ts';
import { WORDS_PER_DROPOUT } from './dropout.ts';
import { type EpochPlan, orderShape } from './epoch-plan.ts';
import { type EpochShared, epochStep } from './epoch-step.ts';
import { dryRun } from './forward.ts';
import type { GradientClipping } from './gradient-terms.ts';
import type { LossKind, LossOptions } from './losses.ts';
import { type ModelState, modelState } from './model-state.ts';
import { Ops } from './ops.ts';
import { optimizerRule } from './optimizer-rules.ts';
import { type OptimizerSettings, optimizerSettings } from './optimizers.ts';
import { targetOf } from './targets.ts';
import { clippedUpdate } from './update.ts';
import { unflatten, vectorLength } from './vector.ts';

/** How examples lie in the resident data tensor, [examples, …example]. */
export interface ResidentData {
  readonly dtype: Extract<DataType, 'float32' | 'uint8' | 'int32'>;
  readonly examples: number;
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
  readonly plan: EpochPlan;
  /** Plain SGD unless told. */
  readonly optimizer?: OptimizerSettings;
  /** Each step has a learning rate of its own: then the input is [steps]. */
  readonly ratePerStep?: boolean;
  readonly clipping?: GradientClipping;
  /** FedProx's μ: how strongly weights are pulled back to where the run began. */
  readonly proximal?: number;
  /** SCAFFOLD: a vector that is added to every gradient is fed. */
  readonly control?: boolean;
  /** Patterns of weights that stay as they are; see `isFrozen`. */
  readonly frozen?: readonly string[];
  /** Whether the model's dropouts drop; they do unless told. */
  readonly dropout?: boolean;
}

/** Inputs: what a run is fed with. */
export const EPOCH_INPUTS = {
  /** float32 [length]: parameters, then buffers */
  vector: 'vector',
  /** [examples, …example] */
  data: 'data',
  /** int32 or float32, [examples, …]; absent where the model takes none */
  targets: 'targets',
  /** int32 [steps, batch], or [steps, accumulation, batch]: see `minibatchOrder` */
  order: 'order',
  /** float32 scalar, or [steps] with `ratePerStep` */
  learningRate: 'learningRate',
  /** float32 scalar */
  clippingNorm: 'clippingNorm',
  /** float32 [parameters], with `control` */
  control: 'control',
  /** int32 [steps, …, words], for models that drop: see `dropoutWords` */
  words: 'words',
} as const;

/** Outputs of a run. */
export const EPOCH_OUTPUTS = {
  /** New minus old vector, [length]. */
  update: 'update',
  /** L2 norm of the parameters' update, a scalar. */
  norm: 'norm',
  /** The update, its parameters scaled down to the clipping norm when longer. */
  clipped: 'clipped',
  /** Mean of the steps' losses. */
  meanLoss: 'meanLoss',
  /** Loss of each step, [steps]. */
  losses: 'losses',
} as const;

export interface EpochGraph {
  readonly model: Model;
  /** Shape of the forward model's output for a full minibatch. */
  readonly output: readonly number[];
  /** Random words that each minibatch takes; 0 when nothing is dropped. */
  readonly words: number;
  /** Elements of the vector that are parameters, and buffers behind them. */
  readonly layout: { readonly parameters: number; readonly buffers: number };
}

/**
 * Local training as one graph: a Loop over steps of the optimiser that carries weights, the
 * optimiser's states and buffers, gathers each minibatch by index from resident data and trains
 * on it; behind it the update, its norm and clip. Each epoch's last minibatch may be smaller: then
 * both sizes are written and an If chooses, so that every example counts as it does in PyTorch.
 * @throws ProtocolError when model, loss and options do not fit together
 */
export function buildEpochGraph(options: EpochGraphOptions): EpochGraph {
  const { model, plan, ratePerStep = false } = options;
  const builder = new GraphBuilder();
  const g = new Ops(builder);
  const state = modelState(model, options.frozen);
  const all = [...state.parameters, ...state.buffers];
  const layout = {
    parameters: vectorLength(state.parameters),
    buffers: vectorLength(state.buffers),
  };
  const float = (name: string, shape: readonly number[]) =>
    builder.input(name, { dtype: 'float32', shape });
  const vector = float(EPOCH_INPUTS.vector, [layout.parameters + layout.buffers]);
  const { resident, words, output } = residentInputs(builder, options);
  const rate = float(EPOCH_INPUTS.learningRate, ratePerStep ? [plan.steps] : []);
  const clip = float(EPOCH_INPUTS.clippingNorm, []);
  const first = unflatten(g, vector, all);
  const shared = sharedParts(g, options, { state, resident, rate, first });
  const states = state.parameters.flatMap(({ shape }) =>
    shared.optimizer.states.map(() => g.zeros(shape)),
  );
  const { next, collected } = addLoop(g, {
    name: 'steps',
    trips: builder.constant(scalar(plan.steps, 'int64')),
    tripsMax: plan.steps,
    carried: [...first, ...states],
    body: (body, iteration, values) => epochStep(body, shared, { iteration, values }),
  });
  const after = next.slice(0, all.length);
  const update = clippedUpdate(g, { after, before: vector, clip, layout });
  const losses = collected[0]!;
  const meanLoss = g.call('ReduceMean', [losses], { keepdims: int(0) });
  const outputs = Object.entries({ ...update, meanLoss, losses }).map(([name, value]) =>
    builder.named(value, name),
  );
  return { model: { graph: builder.finish('local-epoch', outputs) }, output, words, layout };
}

/** Inputs that every step reads its minibatches from. */
function residentInputs(builder: GraphBuilder, options: EpochGraphOptions) {
  const { model, loss, data, plan, dropout = true } = options;
  const run = dryRun(model, [plan.batchSize, ...data.example]);
  const output = run.g.shape(run.output);
  const { batchSize } = plan;
  const target = targetOf({ model, loss, output, batchSize, example: data.target });
  const words = dropout ? WORDS_PER_DROPOUT * run.dropouts : 0;
  const batches = orderShape(plan).slice(0, -1);
  const resident = {
    data: builder.input(EPOCH_INPUTS.data, {
      dtype: data.dtype,
      shape: [data.examples, ...data.example],
    }),
    targets:
      target &&
      builder.input(EPOCH_INPUTS.targets, {
        dtype: target.dtype,
        shape: target.shape.with(0, data.examples),
      }),
    order: builder.input(EPOCH_INPUTS.order, { dtype: 'int32', shape: orderShape(plan) }),
    words:
      words === 0
        ? undefined
        : builder.input(EPOCH_INPUTS.words, { dtype: 'int32', shape: [...batches, words] }),
    scale: data.scale,
  };
  return { resident, words, output };
}

interface SharedInputs {
  readonly state: ModelState;
  readonly resident: EpochShared['resident'];
  readonly rate: string;
  /** Parameters and buffers at the start. */
  readonly first: readonly string[];
}

/** What all steps use, written in front of the Loop. */
function sharedParts(g: Ops, options: EpochGraphOptions, inputs: SharedInputs): EpochShared {
  const { model, loss, lossOptions, plan, ratePerStep = false, proximal = 0 } = options;
  const { state, resident, rate, first } = inputs;
  const settings = options.optimizer ?? optimizerSettings('sgd');
  const { norm = 0, value = 0 } = options.clipping ?? {};
  // SGD takes gradients that hold the rate already: one pass over all weights less.
  const constant = settings.optimizer === 'sgd' && !ratePerStep;
  const scaled = constant && norm === 0 && value === 0;
  const optimizer = optimizerRule(settings, { scaled });
  const withRate = (x: string) => (scaled ? g.mul(x, rate) : x);
  const steps = Array.from({ length: plan.steps }, (_, i) => i + 1);
  return {
    outer: g,
    training: { model, loss, lossOptions, state },
    plan,
    resident,
    optimizer,
    scalars: optimizer.scalars(g, rate, steps),
    rate: scaled ? rate : undefined,
    terms: {
      clipping: options.clipping,
      proximal:
        proximal === 0 ? undefined : { factor: withRate(g.number(proximal)), anchors: first },
      control: options.control
        ? unflatten(g, withRate(controlInput(g, state)), state.parameters)
        : undefined,
    },
  };
}

function controlInput(g: Ops, { parameters }: ModelState): string {
  const shape = [vectorLength(parameters)];
  return g.builder.input(EPOCH_INPUTS.control, { dtype: 'float32', shape });
}
