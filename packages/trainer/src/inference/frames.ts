/**
 * How a daemon and an inference child talk: frames over one stream, in order, an answer for each
 * request. A frame is two lengths, a header in JSON and the raw tensors behind it, all padded to
 * eight bytes so that the other side can look at them where they are.
 */
import { ProtocolError } from '@starling/core';
import { DATA_TYPES, type DataType, elementCount, MODEL_LIMITS } from '@starling/onnx';
import type { Device } from '../device.ts';

/** The stream's file descriptor in the child. */
export const CHANNEL = 3;

export const HEAD_BYTES = 8;
const HEADER_BYTES_MAX = 2 ** 20;
/** What a daemon sends: models, and the inputs of a batch. */
export const BODY_BYTES_MAX = MODEL_LIMITS.bytesMax;
/** What it takes of a child, which a foreign model may have taken over. */
export const ANSWER_BYTES_MAX = 128 * 2 ** 20;
const ALIGNMENT = 8;

export interface TensorHeader {
  readonly name: string;
  readonly dtype: DataType;
  readonly shape: readonly number[];
}

/** What a model takes or gives; an open dimension is null. */
export interface TensorSpec {
  readonly name: string;
  readonly dtype: DataType;
  readonly shape: readonly (number | null)[];
}

export type InferenceRequest =
  | { readonly kind: 'load'; readonly device: Device; readonly threads: number }
  /** How it does on a device beside the CPU. */
  | { readonly kind: 'try'; readonly device: Device; readonly threads: number }
  | { readonly kind: 'run'; readonly inputs: readonly TensorHeader[] };

/** A model that a child has ready. */
export interface LoadedModel {
  readonly inputs: readonly TensorSpec[];
  readonly outputs: readonly TensorSpec[];
  /** Why rows of several requests cannot run together; null where they can. */
  readonly unbatchable: string | null;
}

/** Median milliseconds of one run. */
export interface InferenceTrial {
  readonly cpuMs: number;
  readonly deviceMs: number;
}

export type InferenceAnswer =
  | { readonly kind: 'loaded'; readonly model: LoadedModel }
  | { readonly kind: 'tried'; readonly trial: InferenceTrial }
  | { readonly kind: 'ran'; readonly outputs: readonly TensorHeader[] }
  | { readonly kind: 'failed'; readonly code: string; readonly message: string };

export interface Frame<T> {
  readonly header: T;
  readonly body: Uint8Array;
}

const BYTES: Readonly<Record<DataType, number>> = {
  ...{ float32: 4, float64: 8, int32: 4, int64: 8 },
  ...{ uint8: 1, int8: 1, bool: 1 },
};

export const tensorBytes = ({ dtype, shape }: Omit<TensorHeader, 'name'>): number =>
  BYTES[dtype] * elementCount(shape);

export const padded = (bytes: number): number => Math.ceil(bytes / ALIGNMENT) * ALIGNMENT;

/** Lengths and header of a frame whose body follows. */
export function frameStart(header: unknown, bodyBytes: number): Buffer {
  const text = JSON.stringify(header);
  const used = Buffer.byteLength(text);
  const length = padded(used);
  const start = Buffer.allocUnsafe(HEAD_BYTES + length);
  start.writeUInt32LE(length, 0);
  start.writeUInt32LE(bodyBytes, 4);
  start.write(text, HEAD_BYTES);
  // JSON may end in blanks.
  start.fill(' ', HEAD_BYTES + used);
  return start;
}

/** @throws ProtocolError where a length is beyond what either side sends */
export function frameLengths(
  head: Uint8Array,
  bodyMax: number,
): readonly [header: number, body: number] {
  const view = new DataView(head.buffer, head.byteOffset, HEAD_BYTES);
  const [header, body] = [view.getUint32(0, true), view.getUint32(4, true)];
  if (header > HEADER_BYTES_MAX || body > bodyMax) {
    throw new ProtocolError('frame', `a frame of ${header} and ${body} bytes`);
  }
  return [header, body];
}

/** The tensors of a body, as views of it. */
export function tensorsOf(
  headers: readonly TensorHeader[],
  body: Uint8Array,
): readonly (TensorHeader & { readonly bytes: Uint8Array })[] {
  let at = 0;
  return headers.map(({ name, dtype, shape }) => {
    const length = DATA_TYPES.includes(dtype) ? tensorBytes({ dtype, shape }) : Number.NaN;
    const bytes = body.subarray(at, at + length);
    if (bytes.length !== length) throw new ProtocolError('frame', `"${name}" is cut short`);
    at += padded(length);
    return { name, dtype, shape, bytes };
  });
}

/** Puts the chunks of a child's stream together to frames. */
export class FrameReader<T> {
  readonly #onFrame: (frame: Frame<T>) => void;
  #chunks: Uint8Array[] = [];
  #held = 0;
  #lengths: readonly [header: number, body: number] | undefined;

  constructor(onFrame: (frame: Frame<T>) => void) {
    this.#onFrame = onFrame;
  }

  /** @throws ProtocolError or SyntaxError for bytes that are no frame */
  push(chunk: Uint8Array): void {
    this.#chunks.push(chunk);
    this.#held += chunk.length;
    for (;;) {
      if (this.#lengths === undefined) {
        if (this.#held < HEAD_BYTES) return;
        this.#lengths = frameLengths(this.#take(HEAD_BYTES), ANSWER_BYTES_MAX);
      }
      const [header, body] = this.#lengths;
      if (this.#held < header + body) return;
      this.#lengths = undefined;
      const text = Buffer.from(this.#take(header)).toString('utf8');
      this.#onFrame({ header: JSON.parse(text) as T, body: this.#take(body) });
    }
  }

  #take(bytes: number): Uint8Array {
    const whole = this.#chunks.length === 1 ? this.#chunks[0]! : Buffer.concat(this.#chunks);
    this.#held -= bytes;
    this.#chunks = this.#held === 0 ? [] : [whole.subarray(bytes)];
    return whole.subarray(0, bytes);
  }
}
