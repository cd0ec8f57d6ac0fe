import type { Effort, JobCodec, MetricSums, Metrics } from '@starling/federation';
import type { RingShape } from '@starling/secagg';
import { kernels } from './kernels.ts';

/** A mask stream as it crosses a thread boundary; see MaskTerm in secagg. */
export interface PlainTerm {
  readonly seed: Uint8Array;
  readonly sign: 1 | -1;
}

/** A cell's opened sum, and how many updates are in it. */
export interface OpenedCell {
  readonly words: Uint32Array;
  readonly survivors: number;
}

/** Chunks of a vector that follow each other: `first`, and `count` of them. */
export interface ChunkRange {
  readonly first: number;
  readonly count: number;
}

/** A chunk's sum, packed, and its SHA-256. */
export interface PackedSum {
  readonly chunk: number;
  readonly bytes: Uint8Array;
  readonly hash: Uint8Array;
}

/**
 * The heavy kernels, each from plain data to plain data, so that worker threads can run them. Large
 * words and chunks that a kernel gives lie in shared memory, and so should those that it takes:
 * others are copied on their way to a worker.
 */
export interface ComputeTasks {
  /**
   * Model and buffers of a state's bytes, and SCAFFOLD's c − cᵢ where asked for; the bytes are
   * given away.
   * @throws ProtocolError 'state' on bytes that are no state
   */
  decode: {
    in: {
      readonly state: Uint8Array;
      /** With this peer's cᵢ, if it is known. */
      readonly scaffold?: { readonly own: Float32Array | undefined };
    };
    out: { readonly model: Float32Array; readonly correction?: Float32Array };
  };
  /**
   * Update, its weights clipped and rotated as the job has it, and metrics as ring words. `seed`
   * (32 bytes) drives the stochastic rounding and is known to nobody else; `publicSeed` is that of
   * everybody in the round, `publicSeedOf` of rounds; jobs with a rotation need it. With error
   * feedback the `residual` of the last update that counted goes in, if there is one, and this
   * update's comes out.
   * The update is given away: it may be empty afterwards.
   * @throws ProtocolError 'not-finite' on NaN or Infinity
   */
  quantise: {
    in: {
      readonly update: Float32Array;
      /** Weights at the update's start; buffers follow. */
      readonly trainable: number;
      readonly effort: Effort;
      readonly metrics: Metrics;
      readonly seed: Uint8Array;
      readonly publicSeed?: Uint8Array;
      readonly residual?: Float32Array | undefined;
      readonly codec: JobCodec;
      /** SCAFFOLD's c − cᵢ with which the update was trained: then there is an `own`. */
      readonly correction?: Float32Array;
    };
    out: {
      readonly words: Uint32Array;
      readonly residual?: Float32Array;
      /** The cᵢ⁺ that goes with these words. */
      readonly own?: Float32Array;
    };
  };
  /**
   * The residual of an update of which nothing was sent: what it left over, and its words
   * themselves.
   */
  restore: {
    in: {
      readonly words: Uint32Array;
      readonly residual: Float32Array;
      readonly effort: Effort;
      readonly publicSeed: Uint8Array;
      readonly codec: JobCodec;
    };
    out: { readonly residual: Float32Array };
  };
  /** Masked, packed and cut; with the SHA-256 of every chunk. */
  mask: {
    in: {
      readonly words: Uint32Array;
      readonly terms: readonly PlainTerm[];
      readonly shape: RingShape;
      /** These chunks only; all, unless given. */
      readonly range?: ChunkRange;
    };
    out: { readonly chunks: readonly Uint8Array[]; readonly hashes: readonly Uint8Array[] };
  };
  /** Integer sums of packed chunks, packed to the width that `peers` inputs need. */
  sum: {
    in: {
      readonly parts: readonly { readonly chunk: number; readonly packed: readonly Uint8Array[] }[];
      readonly shape: RingShape;
      readonly peers: number;
    };
    out: { readonly sums: readonly PackedSum[] };
  };
  /** The linear tag (32 bytes, `tagOf` of secagg) of each part. */
  tag: {
    in: {
      readonly parts: readonly { readonly chunk: number; readonly bytes: Uint8Array }[];
      /** Width of the packed words: the ring's for masked chunks, `ringBudget` for sums. */
      readonly bits: number;
      readonly shape: RingShape;
      /** 32 bytes. */
      readonly seed: Uint8Array;
    };
    out: { readonly tags: readonly Uint8Array[] };
  };
  /** All sums put together, masks removed, reduced to the ring. */
  unmask: {
    in: {
      /** Sums of all chunks, or of those in `part`. */
      readonly sums: readonly Uint8Array[];
      readonly terms: readonly PlainTerm[];
      readonly shape: RingShape;
      readonly peers: number;
      readonly survivors: number;
      /** Only these chunks, into a whole vector in shared memory; all into a new one otherwise. */
      readonly part?: { readonly range: ChunkRange; readonly words: Uint32Array };
    };
    out: { readonly words: Uint32Array; readonly inRange: boolean };
  };
  /** Sums of single chunks without their masks, packed in the ring's bits. */
  'unmask-chunks': {
    in: {
      readonly parts: readonly { readonly chunk: number; readonly bytes: Uint8Array }[];
      readonly terms: readonly PlainTerm[];
      readonly shape: RingShape;
      readonly peers: number;
    };
    out: { readonly sums: readonly PackedSum[] };
  };
  /** Plain sums of all chunks, in order, as one vector. */
  assemble: {
    in: {
      readonly chunks: readonly Uint8Array[];
      readonly shape: RingShape;
      readonly survivors: number;
    };
    out: { readonly words: Uint32Array; readonly inRange: boolean };
  };
  /** Words packed in `bits` bits each, and their SHA-256: how an opened sum travels. */
  pack: {
    in: { readonly words: Uint32Array; readonly bits: number };
    out: { readonly bytes: Uint8Array; readonly hash: Uint8Array };
  };
  /** The reverse, `length` words. */
  unpack: {
    in: { readonly bytes: Uint8Array; readonly bits: number; readonly length: number };
    out: { readonly words: Uint32Array };
  };
  /** The next global state from the cells' opened sums; the old state's bytes are given away. */
  apply: {
    in: {
      readonly state: Uint8Array;
      readonly cells: readonly OpenedCell[];
      readonly codec: JobCodec;
      readonly publicSeed?: Uint8Array;
    };
    out: {
      readonly state: Uint8Array;
      readonly stateHash: string;
      readonly metrics: MetricSums;
      /** Cells whose mean no honest peers can have. */
      readonly spoilt: readonly number[];
    };
  };
}
export type TaskName = keyof ComputeTasks;

/** Runs kernels: on worker threads in the daemon, in line in the simulator. */
export interface Compute {
  run<N extends TaskName>(name: N, input: ComputeTasks[N]['in']): Promise<ComputeTasks[N]['out']>;
  close(): Promise<void>;
}

/** Kernels in the caller's own thread. */
export const inlineCompute: Compute = {
  run: async (name, input) => kernels[name](input),
  close: async () => {},
};
