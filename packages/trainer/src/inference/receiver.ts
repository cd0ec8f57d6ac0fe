import { readSync } from 'node:fs';
import { BODY_BYTES_MAX, type Frame, frameLengths, HEAD_BYTES } from './frames.ts';

const CAPACITY = 2 ** 16;
/** A larger buffer is given back when the frame that needed it is done. */
const CAPACITY_KEPT = 2 ** 24;

const bufferOf = (bytes: number): Buffer => Buffer.from(new ArrayBuffer(bytes));

/**
 * Reads frames off a file descriptor, blocking. Requests of a busy model are alike, so it asks for
 * as much as the last frame had, which is one call of the system for most, and what the last header
 * said is not read again.
 */
export class Receiver<T> {
  readonly #descriptor: number;
  #buffer = bufferOf(CAPACITY);
  #held = 0;
  /** Bytes of the frame that was handed out last. */
  #done = 0;
  #expected = HEAD_BYTES;
  #header: { readonly bytes: Buffer; readonly value: T } | undefined;

  constructor(descriptor: number) {
    this.#descriptor = descriptor;
  }

  /** The next frame, good until the one after; undefined when the other side is gone. */
  next(): Frame<T> | undefined {
    this.#forget();
    if (!this.#fill(HEAD_BYTES)) return undefined;
    const [headerBytes, bodyBytes] = frameLengths(this.#buffer, BODY_BYTES_MAX);
    const bodyAt = HEAD_BYTES + headerBytes;
    const end = bodyAt + bodyBytes;
    if (!this.#fill(end)) return undefined;
    this.#done = end;
    this.#expected = end;
    const header = this.#parsed(this.#buffer.subarray(HEAD_BYTES, bodyAt));
    return { header, body: this.#buffer.subarray(bodyAt, end) };
  }

  #parsed(bytes: Buffer): T {
    if (this.#header?.bytes.equals(bytes) === true) return this.#header.value;
    const value = JSON.parse(bytes.toString('utf8')) as T;
    this.#header = { bytes: Buffer.from(bytes), value };
    return value;
  }

  /** Brings what came behind the last frame to the front, where it is aligned. */
  #forget(): void {
    const rest = this.#buffer.subarray(this.#done, this.#held);
    if (this.#buffer.length > CAPACITY_KEPT && rest.length <= CAPACITY) {
      this.#buffer = bufferOf(CAPACITY);
      this.#expected = HEAD_BYTES;
    }
    if (rest.length > 0) this.#buffer.set(rest);
    this.#held = rest.length;
    this.#done = 0;
  }

  /** Reads until so many bytes are there. */
  #fill(bytes: number): boolean {
    const wanted = Math.max(bytes, this.#expected);
    if (wanted > this.#buffer.length) {
      const larger = bufferOf(wanted);
      larger.set(this.#buffer.subarray(0, this.#held));
      this.#buffer = larger;
    }
    while (this.#held < bytes) {
      const room = Math.max(bytes, this.#expected) - this.#held;
      const count = readSync(this.#descriptor, this.#buffer, this.#held, room, null);
      if (count === 0) return false;
      this.#held += count;
    }
    return true;
  }
}
