import type { BlobHash } from '@starling/core';
import type { ExampleCost } from '@starling/privacy';
import type { Manifest, NamedMetric, Training } from '@starling/protocol-rounds';

export type LossName = Manifest['loss'];

/**
 * What a job's data must look like; matched against each volunteer's own data sets (decision 18).
 */
export interface DataSchema {
  /** Free name that both sides use, for instance `mnist`. */
  readonly task: string;
  /** Of one example: numbers, or indices of tokens. */
  readonly input: { readonly dtype: InputType; readonly shape: readonly number[] };
  readonly target: TargetKind;
  /** Number of classes, or of different tokens in a sequence; 0 for other targets. */
  readonly classes: number;
}
export type InputType = Manifest['data']['inputType'];
export type TargetKind = Manifest['data']['target'];

/** Local training as the manifest states it. */
export type TrainingSettings = Training;

/** Local DP-SGD, as the owner of a data set asks for it (decision 0028). */
export interface ExampleNoise {
  /** Greatest L2 norm of one example's gradient; longer ones are scaled down. */
  readonly clippingNorm: number;
  /** Standard deviation of the noise in a step's sum of gradients, over that norm. */
  readonly noiseMultiplier: number;
}

/** What prepares a job for training on this machine. */
export interface TrainerJob {
  readonly modelHash: BlobHash;
  /** The forward ONNX model as launched. */
  readonly model: Uint8Array;
  readonly loss: LossName;
  readonly training: TrainingSettings;
  /** L2 bound of the client update; longer ones are scaled down. */
  readonly clippingNorm: number;
  readonly data: DataSchema;
  /** Name of the volunteer's data set that serves this job. */
  readonly dataset: string;
  /** Whether SCAFFOLD's control variate comes with every training; it does not unless told. */
  readonly control?: boolean;
  /** Every training hides single examples; none does unless told. */
  readonly exampleNoise?: ExampleNoise;
}

/** Sizes of the job's vector without its metric coordinates (design decision 6a). */
export interface VectorLayout {
  /** Elements of the trainable initialisers, in the model's order. */
  readonly parameters: number;
  /** Elements of the buffers (BatchNormalization statistics) that follow. */
  readonly buffers: number;
}

/** Which weights are not in the job's vector, by patterns of names. */
export type WeightPatterns = Pick<Training, 'frozen' | 'personal'> & {
  /** Outputs of the model that are measured and not trained. */
  readonly metrics?: readonly Omit<NamedMetric, 'name'>[];
};

export interface ClientUpdate {
  /**
   * New minus old vector; length parameters + buffers. The parameters are clipped to the job's
   * clipping norm, the buffers are not.
   */
  readonly update: Float32Array;
  /** L2 norm of the parameters before clipping. */
  readonly norm: number;
  readonly trainingLoss: number;
  readonly localSteps: number;
  readonly examples: number;
  /** This peer's own weights behind the training, where the job has personal ones. */
  readonly personal?: Float32Array;
}

/**
 * Sums over a peer's own validation split, of the incoming global model (decision 14b). An example
 * with many targets counts as one, with the mean of their losses and the share that is right.
 */
export interface Evaluation {
  readonly lossSum: number;
  readonly correct: number;
  readonly examples: number;
  /** By metric of the job: sum of where between its bounds each example is, from 0 to 1. */
  readonly named?: readonly number[];
}

/** Where a training stands in its job. */
export interface TrainingContext {
  /** Rounds of the job before this one, and in all: learning-rate schedules count them. */
  readonly round: number;
  readonly rounds: number;
  /** SCAFFOLD's c − cᵢ, one element for each parameter; with `TrainerJob.control` alone. */
  readonly control?: Float32Array;
  /** This peer's own weights, as an earlier training gave them; as launched when absent. */
  readonly personal?: Float32Array | undefined;
  /** 32 secret random bytes, which nothing else uses: with `TrainerJob.exampleNoise` alone. */
  readonly noiseKey?: Uint8Array;
}

/** How far a training is, told every few seconds. */
export interface TrainingProgress {
  /** Local steps done, and in all. */
  readonly step: number;
  readonly steps: number;
  readonly examplesPerSecond: number;
  readonly secondsLeft: number;
}

/** A job made ready on this machine. */
export interface PreparedJob {
  readonly layout: VectorLayout;
  /** Round 0: the weights inside the launched model. */
  readonly initial: Float32Array;
  /** What each training costs each example, with `TrainerJob.exampleNoise` alone. */
  readonly exampleCost?: ExampleCost | undefined;
  /**
   * One client update from `vector`. `seed` fixes the order of examples and what dropouts drop.
   * @param context the first round unless told
   * @param onProgress called while it goes on, if it takes longer than two seconds
   * @throws ProtocolError `not-finite` when a loss or the update is NaN or infinite, naming the
   *   step: such a peer never JOINs
   */
  train(
    vector: Float32Array,
    seed: number,
    context?: TrainingContext,
    onProgress?: (progress: TrainingProgress) => void,
  ): Promise<ClientUpdate>;
  /**
   * Evaluates `vector` on at most `examplesMax` examples of the validation split.
   * @param personal this peer's own weights; as launched when absent
   */
  evaluate(vector: Float32Array, examplesMax: number, personal?: Float32Array): Promise<Evaluation>;
  close(): Promise<void>;
}

/** What can be said of a model without any data. */
export interface ModelDescription {
  readonly layout: VectorLayout;
  /** Round 0: the weights inside the model. */
  readonly initial: Float32Array;
  /** Weights that one might expect to be trained and that are not, each with the reason. */
  readonly warnings: readonly string[];
}

/**
 * Trains and evaluates on local data. The daemon's adapter is a child process around ONNX Runtime.
 */
export interface Trainer {
  /** @throws ProtocolError when the model is corrupt or refused, naming node and cause */
  describe(model: Uint8Array, weights: WeightPatterns): Promise<ModelDescription>;
  /** @throws ProtocolError when model and data do not fit together, naming node and cause */
  prepare(job: TrainerJob): Promise<PreparedJob>;
}

/** A volunteer's data sets, as far as a job may know of them. */
export interface DataOffers {
  /** The data set that fits, or in one sentence each how every data set differs. */
  match(schema: DataSchema): Promise<DataMatch>;
}
export type DataMatch =
  | { readonly ok: true; readonly dataset: string }
  | { readonly ok: false; readonly reasons: readonly string[] };
