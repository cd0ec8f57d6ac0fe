import type { EpochGraphOptions, Precision, ZooName } from '@starling/autodiff';

/** A short training that is made twice. */
export interface TrainingCase {
  readonly zoo: ZooName;
  readonly batchSize: number;
  readonly steps: number;
  readonly classes: number;
  /** Learning rate. */
  readonly rate: number;
  readonly accumulation?: number;
  /** Examples of a smaller last minibatch. */
  readonly rest?: number;
  /** Whether the model drops something behind every ReLU. */
  readonly dropout?: boolean;
  /** Of the steps' products; float32 unless told. The epoch graph is always in float32. */
  readonly precision?: Precision;
  readonly change?: Pick<
    EpochGraphOptions,
    'optimizer' | 'clipping' | 'proximal' | 'control' | 'frozen' | 'personal' | 'augment'
  >;
}

export interface Comparison {
  readonly steps: number;
  /** Runs of nodes by execution provider, in the sessions of the steps. */
  readonly nodes: Readonly<Record<string, number>>;
  readonly losses: { readonly epoch: readonly number[]; readonly steps: readonly number[] };
  /** Greatest difference of a weight behind the run. */
  readonly weights: number;
  /** Greatest difference of an element of the clipped update. */
  readonly update: number;
  readonly ms: { readonly epoch: number; readonly steps: number };
}
