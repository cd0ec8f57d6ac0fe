import type { Augmentation } from '@starling/autodiff';
import type { ExampleCost } from '@starling/privacy';
import type {
  ClientUpdate,
  Evaluation,
  ModelDescription,
  TrainerJob,
  TrainingContext,
  TrainingProgress,
  WeightPatterns,
} from '@starling/rounds';
import type { ReadingPlan } from './data/reading-plan.ts';
import type { Place } from './device.ts';
import type { DeviceTrial } from './device-trial.ts';
import type { Checkpoint } from './local-training.ts';

/** A job as its child made it ready. */
export interface PreparedDescription extends ModelDescription {
  /** Minibatches of one training. */
  readonly steps: number;
  /** With local DP-SGD: what each training costs each example. */
  readonly exampleCost: ExampleCost | undefined;
}

/** Least time between two pieces of news of a kind. */
export interface NewsSeconds {
  readonly progress: number;
  readonly checkpoint: number;
}

/** Where a data set is, and how to read it. */
export interface DataPlace {
  /** File, folder or `s3://bucket/prefix`. */
  readonly path: string;
  readonly plan: ReadingPlan;
  readonly augment: Augmentation | null;
}

/** What the daemon asks of a trainer child, which holds one job at most. */
export type ChildRequest =
  | {
      readonly kind: 'describe';
      readonly model: Uint8Array;
      readonly weights: WeightPatterns;
    }
  | {
      readonly kind: 'prepare';
      readonly job: TrainerJob;
      readonly data: DataPlace;
      readonly threads: number;
      /** Bytes that this process may take. */
      readonly memory: number;
      readonly place: Place;
    }
  | {
      readonly kind: 'try';
      readonly place: Place;
      readonly threads: number;
      /** The job to try; one of our own where it is absent. */
      readonly own?: { readonly job: TrainerJob; readonly data: DataPlace };
    }
  | {
      readonly kind: 'train';
      readonly vector: Float32Array;
      readonly seed: number;
      readonly context: TrainingContext | undefined;
      /** Where another child's attempt at the same was broken off. */
      readonly resume: Checkpoint | undefined;
      readonly seconds: NewsSeconds;
    }
  | {
      readonly kind: 'evaluate';
      readonly vector: Float32Array;
      readonly examplesMax: number;
      readonly personal: Float32Array | undefined;
    };

/** The answer to each kind of request. */
export interface ChildResults {
  readonly describe: ModelDescription;
  readonly prepare: PreparedDescription;
  readonly try: DeviceTrial;
  readonly train: ClientUpdate;
  readonly evaluate: Evaluation;
}

export interface RequestEnvelope {
  /** Comes back with the answer. */
  readonly id: number;
  readonly request: ChildRequest;
}

/** What a child says of a request that it is at work on. */
export type ChildNews =
  | { readonly kind: 'progress'; readonly progress: TrainingProgress }
  | { readonly kind: 'checkpoint'; readonly checkpoint: Checkpoint };

export interface NewsEnvelope {
  /** Of the request. */
  readonly id: number;
  readonly news: ChildNews;
}

export type ResponseEnvelope =
  | { readonly id: number; readonly ok: true; readonly result: ChildResults[keyof ChildResults] }
  | { readonly id: number; readonly ok: false; readonly code: string; readonly message: string };
