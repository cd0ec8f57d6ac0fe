import type {
  ClientUpdate,
  Evaluation,
  ModelDescription,
  TrainerJob,
  TrainingContext,
} from '@starling/rounds';

/**
 * What the daemon asks of the trainer child. `id` comes back with the answer, `handle` names a
 * job.
 */
export type ChildRequest =
  | {
      readonly kind: 'describe';
      readonly model: Uint8Array;
      readonly frozen: readonly string[];
    }
  | {
      readonly kind: 'prepare';
      readonly handle: number;
      readonly job: TrainerJob;
      readonly datasetPath: string;
      readonly threads: number;
    }
  | {
      readonly kind: 'train';
      readonly handle: number;
      readonly vector: Float32Array;
      readonly seed: number;
      readonly context: TrainingContext | undefined;
    }
  | {
      readonly kind: 'evaluate';
      readonly handle: number;
      readonly vector: Float32Array;
      readonly examplesMax: number;
    }
  | { readonly kind: 'close'; readonly handle: number };

/** The answer to each kind of request. */
export interface ChildResults {
  readonly describe: ModelDescription;
  readonly prepare: ModelDescription;
  readonly train: ClientUpdate;
  readonly evaluate: Evaluation;
  readonly close: null;
}

export interface RequestEnvelope {
  readonly id: number;
  readonly request: ChildRequest;
}

export type ResponseEnvelope =
  | { readonly id: number; readonly ok: true; readonly result: ChildResults[keyof ChildResults] }
  | { readonly id: number; readonly ok: false; readonly code: string; readonly message: string };
