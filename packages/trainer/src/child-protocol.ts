import type {
  ClientUpdate,
  Evaluation,
  ModelDescription,
  TrainerJob,
  TrainingContext,
} from '@starling/rounds';
import type { Device } from './device.ts';
import type { DeviceTrial } from './device-trial.ts';

/** A job as its child made it ready. */
export interface PreparedDescription extends ModelDescription {
  /** Minibatches of one training. */
  readonly steps: number;
}

/** What the daemon asks of a trainer child, which holds one job at most. */
export type ChildRequest =
  | {
      readonly kind: 'describe';
      readonly model: Uint8Array;
      readonly frozen: readonly string[];
    }
  | {
      readonly kind: 'prepare';
      readonly job: TrainerJob;
      readonly datasetPath: string;
      readonly threads: number;
      /** Bytes that this process may take. */
      readonly memory: number;
      readonly device: Device;
    }
  | {
      readonly kind: 'try';
      readonly device: Device;
      readonly threads: number;
      /** The job to try; one of our own where it is absent. */
      readonly own?: { readonly job: TrainerJob; readonly datasetPath: string };
    }
  | {
      readonly kind: 'train';
      readonly vector: Float32Array;
      readonly seed: number;
      readonly context: TrainingContext | undefined;
    }
  | {
      readonly kind: 'evaluate';
      readonly vector: Float32Array;
      readonly examplesMax: number;
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

export type ResponseEnvelope =
  | { readonly id: number; readonly ok: true; readonly result: ChildResults[keyof ChildResults] }
  | { readonly id: number; readonly ok: false; readonly code: string; readonly message: string };
