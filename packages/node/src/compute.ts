import { assert } from '@starling/core';
import { hashHex, keystream, Secret, sha256 } from '@starling/crypto';
import {
  applyMean,
  type CodecOptions,
  decodeMetrics,
  decodeState,
  dequantiseSum,
  encodeMetrics,
  encodeState,
  type Metrics,
  quantise,
  updateCodec,
} from '@starling/federation';
import { METRIC_COORDINATES } from '@starling/rounds';
import {
  addMasks,
  chunkLayout,
  maskTo,
  packWords,
  type RingShape,
  ringBudget,
  sumInto,
  unpackWords,
} from '@starling/secagg';

/** A mask stream as it crosses a thread boundary; see MaskTerm in secagg. */
export interface PlainTerm {
  readonly seed: Uint8Array;
  readonly sign: 1 | -1;
}

/** The heavy kernels, each from plain data to plain data, so that a worker thread can run them. */
export interface ComputeTasks {
  /**
   * Update and metrics as ring words. `seed` (32 bytes) drives the stochastic rounding. The update
   * is given away: it may be empty afterwards.
   */
  quantise: {
    in: {
      readonly update: Float32Array;
      readonly metrics: Metrics;
      readonly seed: Uint8Array;
      readonly codec: CodecOptions;
    };
    out: { readonly words: Uint32Array };
  };
  /** Masked, packed and cut; with the SHA-256 of every chunk. */
  mask: {
    in: {
      readonly words: Uint32Array;
      readonly terms: readonly PlainTerm[];
      readonly shape: RingShape;
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
    out: {
      readonly sums: readonly {
        readonly chunk: number;
        readonly bytes: Uint8Array;
        readonly hash: Uint8Array;
      }[];
    };
  };
  /** All sums put together, masks removed, reduced to the ring. */
  unmask: {
    in: {
      readonly sums: readonly Uint8Array[];
      readonly terms: readonly PlainTerm[];
      readonly shape: RingShape;
      readonly peers: number;
      readonly survivors: number;
    };
    out: { readonly words: Uint32Array; readonly inRange: boolean };
  };
  /** The next global state from the opened sum; both are given away. */
  apply: {
    in: {
      readonly state: Uint8Array;
      readonly words: Uint32Array;
      readonly survivors: number;
      readonly codec: CodecOptions;
    };
    out: { readonly state: Uint8Array; readonly stateHash: string; readonly metrics: Metrics };
  };
}
export type TaskName = keyof ComputeTasks;

/** Runs kernels: on worker threads in the daemon, in line in the simulator. */
export interface Compute {
  run<N extends TaskName>(name: N, input: ComputeTasks[N]['in']): Promise<ComputeTasks[N]['out']>;
  close(): Promise<void>;
}

type Kernels = {
  readonly [N in TaskName]: (input: ComputeTasks[N]['in']) => ComputeTasks[N]['out'];
};

export const kernels: Kernels = {
  quantise({ update, metrics, seed, codec }) {
    const grid = updateCodec(codec);
    const uniform = keystream(new Secret(seed), 0, 4 * update.length);
    const words = new Uint32Array(update.length + METRIC_COORDINATES);
    words.set(quantise(update, grid, uniform));
    words.set(encodeMetrics(metrics, grid), update.length);
    return { words };
  },

  mask({ words, terms, shape }) {
    const masked = new Uint32Array(words);
    addMasks(masked, terms.map(secretTerm), 0);
    maskTo(masked, shape.bits);
    const layout = chunkLayout(shape.length, shape.bits, { chunkBytes: shape.chunkBytes });
    const chunks = Array.from({ length: layout.count }, (_, chunk) => {
      const from = layout.offsetOf(chunk);
      return packWords(masked.subarray(from, from + layout.wordsOf(chunk)), shape.bits);
    });
    return { chunks, hashes: chunks.map((chunk) => sha256(chunk)) };
  },

  sum({ parts, shape, peers }) {
    const layout = chunkLayout(shape.length, shape.bits, { chunkBytes: shape.chunkBytes });
    const sums = parts.map(({ chunk, packed }) => {
      const count = layout.wordsOf(chunk);
      const total = new Uint32Array(count);
      for (const bytes of packed) sumInto(total, unpackWords(bytes, shape.bits, count));
      const bytes = packWords(total, ringBudget(shape.bits, peers));
      return { chunk, bytes, hash: sha256(bytes) };
    });
    return { sums };
  },

  unmask({ sums, terms, shape, peers, survivors }) {
    const layout = chunkLayout(shape.length, shape.bits, { chunkBytes: shape.chunkBytes });
    assert(sums.length === layout.count, `${sums.length} chunk sums of ${layout.count}`);
    const words = new Uint32Array(shape.length);
    for (const [chunk, bytes] of sums.entries()) {
      const part = unpackWords(bytes, ringBudget(shape.bits, peers), layout.wordsOf(chunk));
      words.set(part, layout.offsetOf(chunk));
    }
    addMasks(words, terms.map(secretTerm), 0);
    maskTo(words, shape.bits);
    const most = survivors * shape.coordinateMax;
    return { words, inRange: words.every((word) => word <= most) };
  },

  apply({ state, words, survivors, codec }) {
    const grid = updateCodec(codec);
    const before = decodeState(state);
    const split = words.length - METRIC_COORDINATES;
    const metrics = decodeMetrics(words.subarray(split), survivors, grid);
    const mean = dequantiseSum(words.subarray(0, split), survivors, grid);
    const next = encodeState(applyMean(before, mean));
    return { state: next, stateHash: hashHex(next), metrics };
  },
};

const secretTerm = ({ seed, sign }: PlainTerm) => ({ seed: new Secret(seed), sign });

/** Kernels in the caller's own thread. */
export const inlineCompute: Compute = {
  run: async (name, input) => kernels[name](input),
  close: async () => {},
};
