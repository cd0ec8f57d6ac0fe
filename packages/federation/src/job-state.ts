import { assert, LIMITS, ProtocolError } from '@starling/core';

/** All that a round changes; `stateHash` is SHA-256 of its `encodeState`. */
export interface JobState {
  /** Rounds done; 0 is the launched model. */
  readonly round: number;
  /** Trainable weights in the model's order, then buffers (BatchNorm statistics). */
  readonly model: Float32Array;
  /**
   * How many leading coordinates of `model` are trainable; the server optimiser leaves the rest.
   */
  readonly trainable: number;
  /** The server optimiser's vectors, each `trainable` long; as many as its kind needs. */
  readonly moments: readonly Float32Array[];
}

/** 'SJS' and the format's number. */
const MAGIC = 0x014a5353;
const HEADER_BYTES = 20;
const MOMENTS_MAX = 2;

// Vectors are copied as they lie in memory, and the format is little-endian.
assert(
  new Uint8Array(new Uint32Array([1]).buffer)[0] === 1,
  'a big-endian host cannot hash states',
);

/**
 * Canonical bytes: magic, round, length of the model, trainable, number of moments (u32 each), then
 * the model and the moments as raw float32; all little-endian.
 */
export function encodeState({ round, model, trainable, moments }: JobState): Uint8Array {
  const fits = moments.every((moment) => moment.length === trainable);
  assert(fits && trainable <= model.length, 'moments and model differ in length');
  const vectors = [model, ...moments];
  const floats = vectors.reduce((sum, vector) => sum + vector.length, 0);
  const out = new Uint8Array(HEADER_BYTES + 4 * floats);
  const header = new DataView(out.buffer);
  for (const [i, word] of [MAGIC, round, model.length, trainable, moments.length].entries()) {
    assert(Number.isInteger(word) && word >= 0 && word < 2 ** 32, `state header: ${word}`);
    header.setUint32(4 * i, word, true);
  }
  let at = HEADER_BYTES;
  for (const vector of vectors) {
    checkFinite(vector);
    out.set(new Uint8Array(vector.buffer, vector.byteOffset, vector.byteLength), at);
    at += vector.byteLength;
  }
  return out;
}

/** @throws ProtocolError 'state' on any bytes that `encodeState` cannot have written */
export function decodeState(bytes: Uint8Array): JobState {
  if (bytes.length < HEADER_BYTES) throw new ProtocolError('state', 'no header');
  const header = new DataView(bytes.buffer, bytes.byteOffset, HEADER_BYTES);
  const [magic, round, length, trainable, count] = [0, 4, 8, 12, 16].map((at) =>
    header.getUint32(at, true),
  ) as [number, number, number, number, number];
  if (magic !== MAGIC) throw new ProtocolError('state', 'not a job state of this version');
  if (length > LIMITS.vectorLengthMax || trainable > length || count > MOMENTS_MAX) {
    throw new ProtocolError('state', `lengths ${length}, ${trainable}, ${count} are not possible`);
  }
  const expected = HEADER_BYTES + 4 * (length + count * trainable);
  if (bytes.length !== expected) {
    throw new ProtocolError('state', `${bytes.length} bytes, expected ${expected}`);
  }
  const floats = new Float32Array(bytes.slice(HEADER_BYTES).buffer);
  checkFinite(floats);
  const moments = Array.from({ length: count }, (_, i) => {
    const from = length + i * trainable;
    return floats.subarray(from, from + trainable);
  });
  return { round, model: floats.subarray(0, length), trainable, moments };
}

/** NaN has many encodings, and a model that holds one has nothing left to train. */
function checkFinite(vector: Float32Array): void {
  for (let i = 0; i < vector.length; i++) {
    if (!Number.isFinite(vector[i]!)) {
      throw new ProtocolError('state', `coordinate ${i} is not finite`);
    }
  }
}
