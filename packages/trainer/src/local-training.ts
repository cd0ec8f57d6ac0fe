import {
  type Augmentation,
  createGenerator,
  dropoutWords,
  EPOCH_INPUTS,
  EPOCH_OUTPUTS,
  type EpochGraph,
  type EpochPlan,
  type Generator,
  imageMoves,
  learningRates,
  movesImages,
  NOISE_WORDS,
  NUMBERS_PER_MOVE,
  noiseWords,
  orderShape,
  stepsPerEpoch,
  stepTables,
  type VectorSplit,
  variesWithinRun,
  WORDS_PER_DROPOUT,
} from '@starling/autodiff';
import { ProtocolError } from '@starling/core';
import type { ClientUpdate, TrainerJob, TrainingContext, TrainingProgress } from '@starling/rounds';
import type { InferenceSession, Tensor } from 'onnxruntime-node';
import { type Batches, STREAM, type Stretch } from './batches.ts';
import { clippedUpdate } from './clip.ts';
import type { EpochRunner } from './device-training.ts';
import { loadOrt, scalarOf, tensorFeeds } from './ort.ts';
import { Pace } from './pace.ts';

/** All that a training hands over from one run to the next. */
export interface Checkpoint {
  /** Steps that are done. */
  readonly step: number;
  /** Parameters and buffers behind them. */
  readonly vector: Float32Array;
  /** What the optimiser remembers. */
  readonly states: Float32Array;
  /** Sum of the losses of all steps so far. */
  readonly lossSum: number;
  /** The best epoch so far, where training may stop early. */
  readonly best?: BestEpoch | undefined;
}

/** Where the loss on validation examples was lowest. */
export interface BestEpoch {
  readonly loss: number;
  readonly step: number;
  readonly vector: Float32Array;
  /** Sum of the losses of the steps up to it. */
  readonly lossSum: number;
  /** Epochs since. */
  readonly age: number;
}

export interface TrainingHooks {
  /** Where an earlier attempt with the same vector, seed and context was broken off. */
  readonly resume?: Checkpoint | undefined;
  /** Told between two runs, which wait for its answer. */
  readonly onPause?: (progress: TrainingProgress, checkpoint: Checkpoint) => Promise<void>;
  /** Milliseconds, for progress and pace; they change no number. */
  readonly now?: () => number;
}

export interface LocalTrainingParts {
  readonly job: TrainerJob;
  readonly split: VectorSplit;
  readonly plan: EpochPlan;
  readonly graph: EpochGraph;
  readonly session: EpochRunner;
  readonly batches: Batches;
  /** Of one example. */
  readonly example: readonly number[];
  /** Examples that train. */
  readonly examples: number;
  readonly augment: Augmentation | undefined;
  /** What earlier trainings in the same session showed; nothing is known when absent. */
  readonly pace?: Pace;
  /** Mean loss of a vector on the validation examples. */
  readonly validate: (vector: Float32Array) => Promise<number>;
}

/** Seeds of what dropouts drop and of what augmentation draws: streams beside that of the order. */
const DROPOUT_STREAM = STREAM;
const MOVES_STREAM = 2 * STREAM;
const NOISE_STREAM = 3 * STREAM;

/**
 * The local training of a job: runs of the epoch graph over the steps of all epochs, however many
 * it takes. Where runs end changes no bit of the update.
 */
export class LocalTraining {
  readonly #parts: LocalTrainingParts;
  readonly #pace: Pace;

  constructor(parts: LocalTrainingParts) {
    this.#parts = parts;
    this.#pace = parts.pace ?? new Pace();
  }

  /** @param vector the whole one: the job's and this peer's own weights */
  async train(
    vector: Float32Array,
    seed: number,
    context: TrainingContext,
    hooks: TrainingHooks = {},
  ): Promise<ClientUpdate> {
    const { plan, batches, examples, session, graph, job, split } = this.#parts;
    const { patience } = job.training;
    // How many steps hide an example is settled before the first.
    const secondsMax = job.exampleNoise === undefined ? job.training.seconds : 0;
    // The graph clips the whole update; where a part of it stays here, or nobody knows which step
    // is the last, clipping comes after.
    const clipsHere = patience > 0 || secondsMax > 0 || split.ownLength > 0;
    const { onPause, now = () => performance.now() } = hooks;
    let at: Checkpoint = hooks.resume ?? {
      ...{ step: 0, vector, states: new Float32Array(graph.states), lossSum: 0 },
    };
    const reader = batches.read(seed, at.step, context.noiseKey);
    const draws = this.#draws(seed, at.step);
    const fixed = await this.#fixedFeeds(vector, context);
    const rates = this.#rates(context);
    const { step: first } = at;
    const began = now();
    for (;;) {
      const most = patience === 0 ? plan.steps : endOfEpoch(plan, at.step);
      const stretch = await reader.next(this.#pace.next(most - at.step));
      const started = now();
      const range = { from: at.step, to: at.step + stretch.steps };
      const isLast = range.to === plan.steps && !clipsHere;
      const feeds = {
        ...fixed,
        ...(await this.#runFeeds(at, stretch, range)),
        ...(await draws(range)),
        ...(await rates(range)),
      };
      // Every output that is asked for is copied.
      const results = await session.run(feeds, isLast ? LAST_OUTPUTS : this.#carriedOutputs());
      const losses = results[EPOCH_OUTPUTS.losses]!.data as Float32Array;
      // With noise nothing may follow from one example, not even that a training is given up.
      if (stretch.sampled === undefined) checkLosses(losses, range.from, plan.steps);
      const lossSum = losses.reduce((sum, loss) => sum + loss, at.lossSum);
      this.#pace.record(stretch.steps, (now() - started) / 1000);
      if (isLast) {
        const update = results[EPOCH_OUTPUTS.clipped]!.data as Float32Array;
        const norm = scalarOf(results, EPOCH_OUTPUTS.norm);
        checkUpdate(update, norm, losses.at(-1)!);
        const trainingLoss = lossSum / plan.steps;
        return { update, norm, trainingLoss, localSteps: plan.steps, examples };
      }
      at = { step: range.to, lossSum, ...carriedOf(results), best: at.best };
      const { step } = at;
      if (patience === 0 && step === plan.steps) return this.#updateOf(vector, at);
      if (patience > 0 && step === endOfEpoch(plan, range.from)) {
        const best = await this.#judge(at);
        at = { ...at, best };
        if (best.age >= patience || step === plan.steps) return this.#updateOf(vector, best);
      }
      const seconds = (now() - began) / 1000;
      // A slow peer sends what it has: others wait for it.
      if (secondsMax > 0 && seconds >= secondsMax) return this.#updateOf(vector, at.best ?? at);
      await onPause?.(progressOf({ plan, examples, first, step, seconds }), at);
    }
  }

  /** The best epoch, now that another one is over. A loss that is no number is never the best. */
  async #judge({ step, vector, lossSum, best }: Checkpoint): Promise<BestEpoch> {
    const loss = await this.#parts.validate(vector);
    if (best !== undefined && !(loss < best.loss)) return { ...best, age: best.age + 1 };
    return { loss, step, vector, lossSum, age: 0 };
  }

  #updateOf(
    before: Float32Array,
    { vector, step, lossSum }: Pick<BestEpoch, 'vector' | 'step' | 'lossSum'>,
  ): ClientUpdate {
    const { job, split, examples } = this.#parts;
    const { layout } = split;
    const [from, to] = [split.shared(before), split.shared(vector)];
    const { update, norm } = clippedUpdate(from, to, { layout, clip: job.clippingNorm });
    const trainingLoss = lossSum / step;
    checkUpdate(update, norm, trainingLoss);
    const made = { update, norm, trainingLoss, localSteps: step, examples };
    if (split.ownLength === 0) return made;
    const personal = split.own(vector);
    checkUpdate(personal, norm, trainingLoss);
    return { ...made, personal };
  }

  #carriedOutputs(): readonly string[] {
    const { after, statesAfter, losses } = EPOCH_OUTPUTS;
    return this.#parts.graph.states > 0 ? [after, statesAfter, losses] : [after, losses];
  }

  /** What is the same in all runs of one training. */
  async #fixedFeeds(vector: Float32Array, { control }: TrainingContext) {
    const { Tensor } = await loadOrt();
    const { job, split } = this.#parts;
    const { parameters } = split.layout;
    const feeds: Record<string, Tensor> = {
      [EPOCH_INPUTS.vector]: new Tensor('float32', vector, [vector.length]),
      [EPOCH_INPUTS.clippingNorm]: new Tensor('float32', Float32Array.of(job.clippingNorm), []),
    };
    if (job.control !== true) return feeds;
    if (control?.length !== parameters) {
      const what = `a control variate of ${control?.length ?? 0} elements for ${parameters}`;
      throw new ProtocolError('model-mismatch', what);
    }
    const spread = split.spread(control);
    feeds[EPOCH_INPUTS.control] = new Tensor('float32', spread, [spread.length]);
    return feeds;
  }

  /** Where the run begins, and its examples. */
  async #runFeeds(at: Checkpoint, stretch: Stretch, range: StepSpan) {
    const { Tensor } = await loadOrt();
    const { job, plan } = this.#parts;
    const { data, targets, order, steps, sampled } = stretch;
    const feeds: Record<string, Tensor> = {
      ...(await tensorFeeds(stepTables(plan, job.training, range))),
      [EPOCH_INPUTS.current]: new Tensor('float32', at.vector, [at.vector.length]),
      [EPOCH_INPUTS.data]: data,
      [EPOCH_INPUTS.order]: new Tensor('int32', order, orderShape(plan, steps)),
    };
    if (targets !== undefined) feeds[EPOCH_INPUTS.targets] = targets;
    if (sampled !== undefined) {
      const { counts, noise } = sampled;
      const shape = [steps, noise.length / steps];
      feeds[EPOCH_INPUTS.minibatches] = new Tensor('int64', counts, [steps]);
      feeds[EPOCH_INPUTS.gradientNoise] = new Tensor('float32', noise, shape);
    }
    if (at.states.length > 0) {
      feeds[EPOCH_INPUTS.states] = new Tensor('float32', at.states, [at.states.length]);
    }
    return feeds;
  }

  /** Learning rates of each run's steps. */
  #rates({ round, rounds }: TrainingContext) {
    const { job, plan } = this.#parts;
    const { learningRate, schedule } = job.training;
    const all = learningRates(learningRate, schedule, { steps: plan.steps, round, rounds });
    const perStep = variesWithinRun(schedule);
    return async ({ from, to }: StepSpan) => {
      const { Tensor } = await loadOrt();
      const rate = perStep
        ? new Tensor('float32', all.slice(from, to), [to - from])
        : new Tensor('float32', all.slice(0, 1), []);
      return { [EPOCH_INPUTS.learningRate]: rate };
    };
  }

  /** Random numbers of each run's minibatches; those before `step` are drawn and not used. */
  #draws(seed: number, step: number) {
    const { plan, graph, augment, example } = this.#parts;
    const batches = plan.accumulation;
    const rows = batches * plan.batchSize;
    const dropouts = graph.words / WORDS_PER_DROPOUT;
    const moves = augment !== undefined && movesImages(augment) ? augment : undefined;
    const streams: readonly Stream[] = [
      ...(dropouts > 0
        ? [
            {
              ...{ input: EPOCH_INPUTS.words, stream: DROPOUT_STREAM, each: [graph.words] },
              draw: (steps: number, generator: Generator) =>
                dropoutWords(steps * batches, dropouts, generator),
            },
          ]
        : []),
      ...(moves === undefined
        ? []
        : [
            {
              ...{ input: EPOCH_INPUTS.moves, stream: MOVES_STREAM },
              each: [plan.batchSize, NUMBERS_PER_MOVE],
              draw: (steps: number, generator: Generator) =>
                imageMoves(moves, example, steps * rows, generator),
            },
          ]),
      ...(augment !== undefined && augment.noise > 0
        ? [
            {
              ...{ input: EPOCH_INPUTS.noise, stream: NOISE_STREAM, each: [NOISE_WORDS] },
              draw: (steps: number, generator: Generator) => noiseWords(steps * batches, generator),
            },
          ]
        : []),
    ];
    const open = streams.map((each) => {
      const generator = createGenerator(seed + each.stream);
      for (let skipped = 0; skipped < step; skipped++) each.draw(1, generator);
      return { ...each, generator };
    });
    return async ({ from, to }: StepSpan) => {
      const { Tensor } = await loadOrt();
      const leading = orderShape(plan, to - from).slice(0, -1);
      return Object.fromEntries(
        open.map(({ input, each, draw, generator }) => {
          const values = draw(to - from, generator);
          return [input, new Tensor('int32', values, [...leading, ...each])] as const;
        }),
      );
    };
  }
}

/** The step behind the epoch that step `from` is in. */
function endOfEpoch(plan: EpochPlan, from: number): number {
  const perEpoch = stepsPerEpoch(plan);
  return Math.min(plan.steps, (Math.floor(from / perEpoch) + 1) * perEpoch);
}

interface StepSpan {
  readonly from: number;
  readonly to: number;
}

/** Random numbers that are drawn anew for each minibatch. */
interface Stream {
  /** Of the graph. */
  readonly input: string;
  /** Added to the seed. */
  readonly stream: number;
  /** Shape for one minibatch. */
  readonly each: readonly number[];
  readonly draw: (steps: number, generator: Generator) => Int32Array;
}

const LAST_OUTPUTS = [EPOCH_OUTPUTS.clipped, EPOCH_OUTPUTS.norm, EPOCH_OUTPUTS.losses];

function carriedOf(results: InferenceSession.OnnxValueMapType) {
  const states = results[EPOCH_OUTPUTS.statesAfter]?.data as Float32Array | undefined;
  return {
    vector: results[EPOCH_OUTPUTS.after]!.data as Float32Array,
    states: states ?? new Float32Array(),
  };
}

interface ProgressInput {
  readonly plan: EpochPlan;
  readonly examples: number;
  /** Step at which this attempt began, and the one before which it stands. */
  readonly first: number;
  readonly step: number;
  readonly seconds: number;
}

function progressOf({ plan, examples, first, step, seconds }: ProgressInput): TrainingProgress {
  const { steps, epochs } = plan;
  const perSecond = (step - first) / Math.max(seconds, 1e-3);
  return {
    ...{ step, steps, secondsLeft: (steps - step) / perSecond },
    examplesPerSecond: (perSecond * examples * epochs) / steps,
  };
}

/** @throws ProtocolError `not-finite` naming the first step whose loss is no number */
function checkLosses(losses: Float32Array, before: number, steps: number): void {
  const step = losses.findIndex((loss) => !Number.isFinite(loss));
  if (step < 0) return;
  const where = `the loss of step ${before + step + 1} of ${steps} is ${losses[step]}`;
  throw new ProtocolError('not-finite', `local training diverged: ${where}`);
}

/** @throws ProtocolError `not-finite` */
function checkUpdate(update: Float32Array, norm: number, lastLoss: number): void {
  if (Number.isFinite(norm) && update.every(Number.isFinite)) return;
  throw new ProtocolError(
    'not-finite',
    `local training diverged: the update has norm ${norm} (last loss ${lastLoss})`,
  );
}
