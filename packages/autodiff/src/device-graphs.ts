import { ProtocolError } from '@starling/core';
import { type DataType, GraphBuilder, type Model, scalar, tensorOf } from '@starling/onnx';
import {
  type Augmentation,
  movedImages,
  movesImages,
  NOISE_WORDS,
  NUMBERS_PER_MOVE,
  withNoise,
} from './augmentation.ts';
import { WORDS_PER_DROPOUT } from './dropout.ts';
import { anchored, type EpochGraphOptions } from './epoch-graph.ts';
import { dryRun } from './forward.ts';
import { adjustedGradients, type GradientTerms } from './gradient-terms.ts';
import { type MinibatchResult, normalised, type Training, trainMinibatch } from './minibatch.ts';
import { modelState } from './model-state.ts';
import { Ops } from './ops.ts';
import { type Corrections, type Optimizer, optimizerRule } from './optimizer-rules.ts';
import { optimizerSettings } from './optimizers.ts';
import { targetOf } from './targets.ts';
import { vectorLength } from './vector.ts';

/** A value that stays on the device between runs: input of a graph, and output under `next`. */
export interface Slot {
  readonly name: string;
  readonly shape: readonly number[];
}

/** Name of the output that replaces a slot's value. */
export const nextOf = (slot: string): string => `${slot}/next`;

/** A graph of one run: what it reads of the slots, and which of them it replaces. */
export interface DeviceGraph {
  readonly model: Model;
  readonly reads: readonly string[];
  readonly writes: readonly string[];
}

/** What a run is fed from the host; each is absent from `model.graph.inputs` where not needed. */
export const DEVICE_INPUTS = {
  /** float32 or int32, [batch, …example] */
  data: 'data',
  /** int32 or float32, [batch, …] */
  targets: 'targets',
  /** int32 [words] */
  words: 'words',
  /** int32 [batch, NUMBERS_PER_MOVE], where images are moved */
  moves: 'moves',
  /** int32 [NOISE_WORDS], where noise is added */
  noise: 'noise',
  /** float32 scalar: learning rate of the step */
  rate: 'rate',
  /** float32 scalars: see `biasCorrections`, for optimisers that count their steps */
  root: 'root',
  ratio: 'ratio',
  /** int32 scalar: place of the step's loss in the slot `losses` */
  place: 'place',
  /** float32 scalar: share of a minibatch in the mean of its step, with accumulation */
  share: 'share',
} as const;

/** Losses that are kept on the device until they are read. */
export const LOSSES_KEPT = 64;
const LOSSES = 'losses';
const LOSS_SUM = 'loss-sum';

/** Where the values of slots come from at the start of a run, and what is read at its end. */
export interface DeviceSlots {
  /** Parameters, then buffers, in the order of the vector. */
  readonly weights: readonly Slot[];
  /** What the optimiser remembers, in the order of an epoch graph's `states`. */
  readonly states: readonly Slot[];
  /** 0 at the start of a run: sums of gradients, losses. */
  readonly zeros: readonly Slot[];
  /** Weights at the start of the run, with a proximal term. */
  readonly anchors: readonly Slot[];
  /** Parts of SCAFFOLD's control variate. */
  readonly control: readonly Slot[];
  readonly losses: Slot;
}

export interface DeviceGraphs {
  /** A full minibatch and, without accumulation, the optimiser's step behind it. */
  readonly full: DeviceGraph;
  /** The same for an epoch's smaller last minibatch. */
  readonly last: DeviceGraph | undefined;
  /** The optimiser's step, with accumulation. */
  readonly apply: DeviceGraph | undefined;
  readonly slots: DeviceSlots;
  readonly output: readonly number[];
  readonly words: number;
  /** Elements of what the optimiser remembers. */
  readonly states: number;
  readonly layout: { readonly parameters: number; readonly buffers: number };
}

/**
 * Local training as graphs of single steps, for devices on which weights stay between runs. It
 * computes what `buildEpochGraph` does, without control flow and without 64-bit integers, which
 * would be left to the CPU.
 * @throws ProtocolError when model, loss and options do not fit together
 */
export function buildDeviceGraphs(options: EpochGraphOptions): DeviceGraphs {
  try {
    return write(options, true);
  } catch (error) {
    // A model that needs its indices as 64 bits for more than looking them up.
    if (error instanceof ProtocolError) return write(options, false);
    throw error;
  }
}

interface Plan {
  readonly options: EpochGraphOptions;
  readonly training: Training;
  readonly optimizer: Optimizer;
  readonly slots: DeviceSlots;
  readonly words: number;
  readonly narrow: boolean;
}

function write(options: EpochGraphOptions, narrow: boolean): DeviceGraphs {
  const { model, plan, dropout = true } = options;
  const state = modelState(model, options.frozen);
  const optimizer = optimizerRule(options.optimizer ?? optimizerSettings('sgd'));
  const run = dryRun(model, [plan.batchSize, ...options.data.example]);
  const words = dropout ? WORDS_PER_DROPOUT * run.dropouts : 0;
  const { loss, lossOptions, precision } = options;
  const training = { model, loss, lossOptions, state, precision };
  const slots = slotsOf(options, training, optimizer);
  const parts: Plan = { options, training, optimizer, slots, words, narrow };
  const { lastBatch, batchSize, accumulation } = plan;
  return {
    full: minibatchGraph(parts, batchSize),
    last: lastBatch === batchSize ? undefined : minibatchGraph(parts, lastBatch),
    apply: accumulation === 1 ? undefined : applyGraph(parts),
    ...{ slots, words, output: run.g.shape(run.output), states: vectorLength(slots.states) },
    layout: { parameters: vectorLength(state.parameters), buffers: vectorLength(state.buffers) },
  };
}

const named = (kind: string, { name, shape }: Slot): Slot => ({ name: `${kind}:${name}`, shape });

function slotsOf(options: EpochGraphOptions, training: Training, optimizer: Optimizer) {
  const { parameters, buffers } = training.state;
  const { plan, proximal = 0, control = false } = options;
  const each = (kind: string, wanted = true) =>
    wanted ? parameters.map((parameter) => named(kind, parameter)) : [];
  const losses = { name: LOSSES, shape: [LOSSES_KEPT] };
  const accumulated = plan.accumulation > 1;
  return {
    weights: [...each('weight'), ...buffers.map((buffer) => named('buffer', buffer))],
    states: parameters.flatMap((parameter) =>
      optimizer.states.map((state) => named(`state/${state}`, parameter)),
    ),
    zeros: [
      ...each('sum', accumulated),
      ...(accumulated ? [{ name: LOSS_SUM, shape: [] }] : []),
      losses,
    ],
    anchors: each('anchor', proximal !== 0),
    control: each('control', control),
    losses,
  };
}

/** A graph in the making, whose inputs are declared when first asked for. */
class Draft {
  readonly g = new Ops(new GraphBuilder());
  readonly #reads = new Map<string, string>();
  readonly #writes = new Map<string, string>();

  read({ name, shape }: Slot): string {
    const known = this.#reads.get(name);
    if (known !== undefined) return known;
    const value = this.g.builder.input(name, { dtype: 'float32', shape });
    this.#reads.set(name, value);
    return value;
  }

  fed(name: string, dtype: DataType, shape: readonly number[]): string {
    return this.g.builder.input(name, { dtype, shape });
  }

  write({ name }: Slot, value: string): void {
    this.#writes.set(name, value);
  }

  finish(name: string): DeviceGraph {
    const { builder } = this.g;
    const outputs = Array.from(this.#writes, ([slot, value]) => builder.named(value, nextOf(slot)));
    return {
      model: { graph: builder.finish(name, outputs) },
      reads: [...this.#reads.keys()],
      writes: [...this.#writes.keys()],
    };
  }
}

function minibatchGraph(parts: Plan, batchSize: number): DeviceGraph {
  const { options, slots, training } = parts;
  const { parameters, buffers } = training.state;
  const draft = new Draft();
  const { g } = draft;
  // Inputs come first, so that no value of the model takes their names.
  const weights = slots.weights.map((slot) => draft.read(slot));
  const share =
    options.plan.accumulation === 1 ? undefined : draft.fed(DEVICE_INPUTS.share, 'float32', []);
  const sums = share === undefined ? [] : sumSlots(parts).map((slot) => draft.read(slot));
  const step = share === undefined ? stepInputs(draft, parts) : undefined;
  const made = trainMinibatch(g, training, {
    ...fedMinibatch(draft, parts, batchSize),
    values: new Map([...parameters, ...buffers].map(({ name }, i) => [name, weights[i]!] as const)),
    narrow: parts.narrow,
    factor: share === undefined ? undefined : { at: g, value: share },
  });
  if (step !== undefined) takeStep(draft, parts, { step, weights, made });
  else {
    const values = [...made.gradients, g.mul(made.loss, share!)];
    for (const [i, slot] of sumSlots(parts).entries()) {
      draft.write(slot, g.add(sums[i]!, values[i]!));
    }
  }
  for (const [i, slot] of slots.weights.slice(parameters.length).entries()) {
    draft.write(slot, made.buffers[i]!);
  }
  return draft.finish('device-minibatch');
}

/** Sums of gradients and, last, of losses. */
const sumSlots = ({ slots, training }: Plan): readonly Slot[] => {
  const sums = training.state.parameters.map((parameter) => named('sum', parameter));
  return [...sums, slots.zeros.find(({ name }) => name === LOSS_SUM)!];
};

function fedMinibatch(draft: Draft, { options, words, narrow }: Plan, batchSize: number) {
  const { model, loss, data } = options;
  const shape = [batchSize, ...data.example];
  const target = targetOf({
    ...{ model, loss, batchSize, example: data.target },
    output: outputOf(options, shape),
  });
  const dtype = deviceType(options, narrow);
  const batch = draft.fed(DEVICE_INPUTS.data, dtype, shape);
  return {
    target: target && draft.fed(DEVICE_INPUTS.targets, target.dtype, target.shape),
    words: words === 0 ? undefined : draft.fed(DEVICE_INPUTS.words, 'int32', [words]),
    batch: augmented(draft, normalised(draft.g, batch, data.scale), options.augment),
  };
}

/** The minibatch's examples, changed as was drawn. */
function augmented(draft: Draft, batch: string, augment: Augmentation | undefined): string {
  if (augment === undefined) return batch;
  const { g } = draft;
  const count = g.shape(batch)[0]!;
  const moved = movesImages(augment)
    ? movedImages(
        g,
        batch,
        draft.fed(DEVICE_INPUTS.moves, 'int32', [count, NUMBERS_PER_MOVE]),
        augment.crop,
      )
    : batch;
  if (augment.noise === 0) return moved;
  const noise = draft.fed(DEVICE_INPUTS.noise, 'int32', [NOISE_WORDS]);
  return withNoise(g, moved, noise, augment.noise);
}

function outputOf({ model }: EpochGraphOptions, shape: readonly number[]): readonly number[] {
  const { g, output } = dryRun(model, shape);
  return g.shape(output);
}

/** GPUs have neither bytes nor 64-bit integers: numbers are fed as float32, indices as int32. */
function deviceType({ model, data }: EpochGraphOptions, narrow: boolean): DataType {
  if (data.scale !== 1 || data.dtype === 'float32') return 'float32';
  const [input] = model.graph.inputs;
  if (input?.dtype === 'float32') return 'float32';
  return narrow ? 'int32' : (input?.dtype ?? 'int32');
}

interface StepInputs {
  readonly rate: string;
  readonly corrections: Corrections | undefined;
  readonly place: string;
  readonly losses: string;
  readonly states: readonly string[];
  readonly anchors: readonly string[];
  readonly control: readonly string[];
}

function stepInputs(draft: Draft, { slots, optimizer }: Plan): StepInputs {
  const number = (name: string) => draft.fed(name, 'float32', []);
  const read = (list: readonly Slot[]) => list.map((slot) => draft.read(slot));
  return {
    rate: number(DEVICE_INPUTS.rate),
    corrections: optimizer.counts
      ? { root: number(DEVICE_INPUTS.root), ratio: number(DEVICE_INPUTS.ratio) }
      : undefined,
    place: draft.fed(DEVICE_INPUTS.place, 'int32', []),
    losses: draft.read(slots.losses),
    states: read(slots.states),
    anchors: read(slots.anchors),
    control: read(slots.control),
  };
}

interface StepCall {
  readonly step: StepInputs;
  readonly weights: readonly string[];
  readonly made: Pick<MinibatchResult, 'gradients' | 'loss'>;
}

/** What is done to gradients, new weights, and the step's loss at its place. */
function takeStep(draft: Draft, parts: Plan, { step, weights, made }: StepCall): void {
  const { options, optimizer, slots, training } = parts;
  const { g } = draft;
  const { proximal = 0 } = options;
  const terms: GradientTerms = {
    ...{ clipping: options.clipping, precision: options.precision },
    proximal:
      proximal === 0
        ? undefined
        : {
            factor: g.number(proximal),
            anchors: anchored(training.state.parameters, step.anchors, options),
          },
    control: step.control.length === 0 ? undefined : step.control,
  };
  const count = training.state.parameters.length;
  const gradients = adjustedGradients(g, made.gradients, weights.slice(0, count), terms);
  const scalars = optimizer.scalars(g, step.rate, step.corrections);
  const width = optimizer.states.length;
  for (const [i, gradient] of gradients.entries()) {
    const states = step.states.slice(i * width, (i + 1) * width);
    const next = optimizer.update(g, { weight: weights[i]!, gradient, states, scalars });
    draft.write(slots.weights[i]!, next.weight);
    for (const [j, state] of next.states.entries())
      draft.write(slots.states[i * width + j]!, state);
  }
  const places = tensorOf('int32', [LOSSES_KEPT], [...Array(LOSSES_KEPT).keys()]);
  const here = g.equal(g.builder.constant(places), step.place);
  draft.write(slots.losses, g.where(here, made.loss, step.losses));
}

/** The step behind its last minibatch: sums begin again at 0. */
function applyGraph(parts: Plan): DeviceGraph {
  const draft = new Draft();
  const { g } = draft;
  const sums = sumSlots(parts).map((slot) => draft.read(slot));
  const count = parts.training.state.parameters.length;
  const weights = parts.slots.weights.slice(0, count).map((slot) => draft.read(slot));
  const step = stepInputs(draft, parts);
  const made = { gradients: sums.slice(0, -1), loss: sums.at(-1)! };
  takeStep(draft, parts, { step, weights, made });
  for (const slot of sumSlots(parts)) {
    draft.write(slot, g.mul(draft.read(slot), g.builder.constant(scalar(0))));
  }
  return draft.finish('device-step');
}

/** Copies values from the host to the device, or back: one Identity each. */
export function buildCopyGraph(slots: readonly Slot[]): DeviceGraph {
  const draft = new Draft();
  for (const slot of slots) {
    draft.write(slot, draft.g.call('Identity', [draft.read(slot)]));
  }
  return draft.finish('copy');
}
