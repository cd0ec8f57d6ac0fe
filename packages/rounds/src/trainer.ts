import type { BlobHash } from '@starling/core';
import type { Manifest } from '@starling/protocol-rounds';

export type LossName = Manifest['loss'];
export type OptimizerName = Manifest['training']['optimizer'];

/**
 * What a job's data must look like; matched against each volunteer's own data sets (decision 18).
 */
export interface DataSchema {
  /** Free name that both sides use, for instance `mnist`. */
  readonly task: string;
  readonly input: { readonly dtype: 'float32'; readonly shape: readonly number[] };
  /** Number of classes for integer labels, 0 for regression. */
  readonly classes: number;
}

/** Local training as the manifest states it. */
export interface TrainingSettings {
  readonly epochs: number;
  readonly batchSize: number;
  readonly optimizer: OptimizerName;
  readonly learningRate: number;
  /** Momentum of `sgd`, 0 for none. */
  readonly momentum: number;
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
}

/** Sizes of the job's vector without its metric coordinates (design decision 6a). */
export interface VectorLayout {
  /** Elements of the trainable initialisers, in the model's order. */
  readonly parameters: number;
  /** Elements of the buffers (BatchNormalization statistics) that follow. */
  readonly buffers: number;
}

export interface ClientUpdate {
  /** New minus old vector, clipped to the job's clipping norm; length parameters + buffers. */
  readonly update: Float32Array;
  /** L2 norm before clipping. */
  readonly norm: number;
  readonly trainingLoss: number;
  readonly localSteps: number;
  readonly examples: number;
}

/** Sums over a peer's own validation split, of the incoming global model (decision 14b). */
export interface Evaluation {
  readonly lossSum: number;
  readonly correct: number;
  readonly examples: number;
}

/** A job made ready on this machine. */
export interface PreparedJob {
  readonly layout: VectorLayout;
  /** Round 0: the weights inside the launched model. */
  readonly initial: Float32Array;
  /**
   * One client update from `vector`. `seed` fixes the order of examples.
   * @throws ProtocolError `not-finite` when the update holds NaN or infinity: such a peer never
   *   JOINs
   */
  train(vector: Float32Array, seed: number): Promise<ClientUpdate>;
  /** Evaluates `vector` on at most `examplesMax` examples of the validation split. */
  evaluate(vector: Float32Array, examplesMax: number): Promise<Evaluation>;
  close(): Promise<void>;
}

/** What can be said of a model without any data. */
export interface ModelDescription {
  readonly layout: VectorLayout;
  /** Round 0: the weights inside the model. */
  readonly initial: Float32Array;
}

/**
 * Trains and evaluates on local data. The daemon's adapter is a child process around ONNX Runtime.
 */
export interface Trainer {
  /** @throws ProtocolError when the model is corrupt or refused, naming node and cause */
  describe(model: Uint8Array): Promise<ModelDescription>;
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
