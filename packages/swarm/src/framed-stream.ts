import './polyfill.ts';
import type { Stream } from '@libp2p/interface';
import {
  type Bandwidth,
  errorMessage,
  LIMITS,
  type PeerId,
  ProtocolError,
  u32be,
} from '@starling/core';
import { Uint8ArrayList } from 'uint8arraylist';

/** `kind` is the business of whoever uses the stream. */
export interface Frame {
  readonly kind: number;
  readonly payload: Uint8Array;
}

/** A frame as it came: in pieces, which are copied once, to where they are wanted. */
export class ReceivedFrame {
  readonly kind: number;
  readonly #payload: Uint8ArrayList;

  constructor(kind: number, payload: Uint8ArrayList) {
    this.kind = kind;
    this.#payload = payload;
  }

  /** Bytes of the payload. */
  get length(): number {
    return this.#payload.byteLength;
  }

  /** A copy of the payload. */
  payload(): Uint8Array {
    const bytes = new Uint8Array(this.length);
    this.copyTo(bytes, 0);
    return bytes;
  }

  copyTo(target: Uint8Array, at: number): void {
    let to = at;
    for (const piece of this.#payload) {
      target.set(piece, to);
      to += piece.length;
    }
  }
}

type Turn = (bytes: number, signal?: AbortSignal) => Promise<void> | undefined;

/** Asked before bytes are sent, and before bytes that came are handed on. */
export interface StreamPace {
  readonly sending?: Turn;
  readonly received?: Turn;
}

/** The pace of streams with one peer. */
export const paceOf = (bandwidth: Bandwidth | undefined, peer: PeerId): StreamPace =>
  bandwidth === undefined
    ? {}
    : {
        sending: (bytes, signal) => bandwidth.up.take(bytes, peer, signal),
        received: (bytes, signal) => bandwidth.down.take(bytes, peer, signal),
      };

/** Length (4 bytes, big-endian, of the payload) and kind. */
const PREFIX_BYTES = 5;
/** Above this much unread data the stream is paused; a longer frame is still taken whole. */
const READ_HIGH_BYTES = 1024 * 1024;
/** Above this much unsent data a writer waits. */
const WRITE_HIGH_BYTES = 1024 * 1024;

/**
 * Frames with back-pressure both ways over a libp2p stream, the only way this package reads or
 * writes one. It holds at most a frame and two yamux windows: what had come when it went on, and
 * what may come from then on. One reader at a time. libp2p's own ways are broken: `for await`
 * buffers without bound; `onDrain()` waits only the first time; a `pause()` inside a `message`
 * handler is undone; an unread stream is reset.
 */
export class FramedStream {
  readonly #stream: Stream;
  readonly #pace: StreamPace;
  readonly #received = new Uint8ArrayList();
  /** Bytes that the reader waits for. */
  #wanted = 0;
  #paused = false;
  #ended = false;
  #closed = false;
  #error: Error | undefined;
  #wake: () => void = () => {};

  /** Call it in the turn in which the stream was got: without a listener libp2p resets it. */
  constructor(stream: Stream, pace: StreamPace = {}) {
    this.#stream = stream;
    this.#pace = pace;
    stream.addEventListener('message', ({ data }) => {
      this.#received.append(data);
      this.#pauseWhenFull();
      this.#wake();
    });
    stream.addEventListener('end', () => {
      this.#ended = true;
      this.#wake();
    });
    stream.addEventListener('close', ({ error }) => {
      this.#closed = true;
      this.#error = error;
      this.#wake();
    });
  }

  /** Whether nothing more can be exchanged; an idle stream that is closed is of no use. */
  get closed(): boolean {
    return this.#closed || this.#ended || this.#stream.status !== 'open';
  }

  /** Bytes that came and were not read yet. */
  get unreadBytes(): number {
    return this.#received.byteLength + this.#stream.readBufferLength;
  }

  /** Bytes that were written and that the connection has not taken yet. */
  get unsentBytes(): number {
    return this.#stream.writeBufferLength;
  }

  /**
   * The next frame; undefined when the other side closed between two frames. That is no proof that
   * it had no more to say: a killed peer looks the same, so messages need their own end marker.
   * @throws ProtocolError 'connection-lost' or 'malformed', or the signal's reason
   */
  async read(signal?: AbortSignal): Promise<ReceivedFrame | undefined> {
    if (!(await this.#need(PREFIX_BYTES, signal))) return undefined;
    const prefix = this.#received.subarray(0, PREFIX_BYTES);
    const length = new DataView(prefix.buffer, prefix.byteOffset).getUint32(0);
    if (length > LIMITS.frameBytesMax) {
      throw new ProtocolError('malformed', `frame of ${length} bytes`);
    }
    const size = PREFIX_BYTES + length;
    if (!(await this.#need(size, signal))) throw this.#lost();
    const frame = new ReceivedFrame(prefix[4]!, this.#received.sublist(PREFIX_BYTES, size));
    this.#received.consume(size);
    // While it waits nothing is read: the window fills, and the other side waits too.
    const turn = this.#pace.received?.(size, signal);
    if (turn !== undefined) await turn;
    return frame;
  }

  /**
   * Sends the frames in one go and waits until most of it has left. The payloads are not copied:
   * they must stay as they are until the stream has sent them.
   * @throws ProtocolError 'connection-lost', or the signal's reason
   */
  async write(frames: readonly Frame[], signal?: AbortSignal): Promise<void> {
    const bytes = frames.reduce((sum, { payload }) => sum + PREFIX_BYTES + payload.length, 0);
    const turn = this.#pace.sending?.(bytes, signal);
    if (turn !== undefined) await turn;
    const out = new Uint8ArrayList();
    for (const { kind, payload } of frames) {
      out.append(u32be(payload.length));
      out.append(Uint8Array.of(kind));
      out.append(payload);
    }
    try {
      this.#stream.send(out);
    } catch (error) {
      this.#error ??= error instanceof Error ? error : undefined;
      throw this.#lost();
    }
    await this.#drained(signal);
  }

  /** Ends our direction; both sides must, else the stream counts against the limits for ever. */
  async close(signal?: AbortSignal): Promise<void> {
    await this.#stream.close(signal === undefined ? {} : { signal });
  }

  abort(reason: Error): void {
    this.#stream.abort(reason);
  }

  /** True once `size` bytes are here; false at the end of the stream, if it ends between frames. */
  async #need(size: number, signal: AbortSignal | undefined): Promise<boolean> {
    this.#wanted = size;
    while (this.#received.byteLength < size) {
      this.#resume();
      if (this.#received.byteLength >= size) break;
      if (this.#error !== undefined) throw this.#lost();
      if (this.#ended || (this.#closed && this.#stream.readBufferLength === 0)) {
        if (this.#received.byteLength > 0) throw this.#lost();
        return false;
      }
      await this.#event(signal);
    }
    this.#wanted = 0;
    return true;
  }

  #pauseWhenFull(): void {
    if (this.#paused || this.#received.byteLength <= Math.max(READ_HIGH_BYTES, this.#wanted))
      return;
    this.#paused = true;
    // Not here: resume() reopens the window after it has dispatched the message we are inside of.
    queueMicrotask(() => {
      if (this.#paused && !this.#closed && this.#stream.status === 'open') this.#stream.pause();
    });
  }

  /** Dispatches what the paused stream held, synchronously. */
  #resume(): void {
    if (!this.#paused) return;
    this.#paused = false;
    const { readStatus } = this.#stream;
    if (readStatus !== 'closed' && readStatus !== 'closing') this.#stream.resume();
  }

  #event(signal: AbortSignal | undefined): Promise<void> {
    return new Promise((resolve, reject) => {
      const settle = (outcome: () => void): void => {
        this.#wake = () => {};
        signal?.removeEventListener('abort', onAbort);
        outcome();
      };
      const onAbort = (): void => settle(() => reject(signal?.reason));
      if (signal?.aborted) return reject(signal.reason);
      signal?.addEventListener('abort', onAbort);
      this.#wake = () => settle(resolve);
    });
  }

  /**
   * Waits on the buffer's length. `onDrain()` never renews its promise (@libp2p/utils 7.4.1), and
   * one `drain` event does not mean that the buffer is empty.
   */
  async #drained(signal: AbortSignal | undefined): Promise<void> {
    while (this.#stream.writeBufferLength > WRITE_HIGH_BYTES) {
      if (this.#closed || this.#stream.writeStatus === 'closed') throw this.#lost();
      await this.#room(signal);
    }
  }

  #room(signal: AbortSignal | undefined): Promise<void> {
    const events = ['drain', 'idle', 'close'] as const;
    return new Promise((resolve, reject) => {
      const settle = (outcome: () => void): void => {
        for (const event of events) this.#stream.removeEventListener(event, onEvent);
        signal?.removeEventListener('abort', onAbort);
        outcome();
      };
      const onEvent = (): void => settle(resolve);
      const onAbort = (): void => settle(() => reject(signal?.reason));
      if (signal?.aborted) return reject(signal.reason);
      for (const event of events) this.#stream.addEventListener(event, onEvent);
      signal?.addEventListener('abort', onAbort);
    });
  }

  #lost(): ProtocolError {
    const cause = this.#error === undefined ? 'ended early' : errorMessage(this.#error);
    return new ProtocolError('connection-lost', `the stream was lost: ${cause}`);
  }
}
