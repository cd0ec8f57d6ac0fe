import type { NamedTensor, TensorSpec } from './tensors.ts';

/** An input of a run: its elements lie in pieces, one behind the other. */
export interface EngineInput extends Omit<NamedTensor, 'bytes'> {
  readonly pieces: readonly Uint8Array[];
}

/** Port: a model that is ready to run. `@starling/trainer` has one in a process of its own. */
export interface InferenceEngine {
  readonly inputs: readonly TensorSpec[];
  readonly outputs: readonly TensorSpec[];
  /** Why rows of several requests cannot run together; null where they can. */
  readonly unbatchable: string | null;
  readonly device: string;
  readonly isReady: boolean;
  /** Runs are made in their order. @throws ProtocolError saying what became of this run */
  run(inputs: readonly EngineInput[]): Promise<readonly NamedTensor[]>;
  close(): Promise<void>;
}

/** A model, and what its clients call it. */
export interface ModelVersion {
  readonly version: string;
  /** Differs where the model does: two chains may both have a round 5. */
  readonly identity: string;
  /** Of the ONNX file. */
  readonly bytes: () => Promise<Uint8Array> | Uint8Array;
}

/**
 * Where a served model comes from. A job has a new version with every certified round; a file has
 * one for good.
 */
export interface ModelSource {
  /** The newest; undefined while there is none yet. */
  newest(): Promise<ModelVersion | undefined>;
  /** Tells of newer ones; the answer ends it. */
  watch(changed: () => void): () => void;
}

/** Port: told what happens, for metrics. Models are names of served ones. */
export interface ServingObserver {
  answered(model: string, seconds: number): void;
  failed(model: string, kind: string): void;
  batch(model: string, rows: number): void;
  swapped(model: string): void;
  /** It is no longer served. */
  gone(model: string): void;
}

export const NO_OBSERVER: ServingObserver = {
  ...{ answered: () => {}, failed: () => {}, batch: () => {}, swapped: () => {}, gone: () => {} },
};
