import type { PeerId } from '@starling/core';
import type { FramedStream } from './framed-stream.ts';

/** Opens a stream of `protocol` to `peer`, dialling it when need be. */
export type OpenStream = (
  peer: PeerId,
  protocol: string,
  signal: AbortSignal,
) => Promise<FramedStream>;

/** A new stream costs 2 to 3 ms, an open one 0.1 ms; past four in parallel nothing is gained. */
export const STREAMS_PER_PEER_MAX = 4;

interface Waiting {
  /** Tells that a place is free; whoever is told tries again. */
  readonly wake: () => void;
}

interface Place {
  readonly idle: FramedStream[];
  /** Streams that are open or being opened, idle ones included. */
  count: number;
  readonly waiting: Set<Waiting>;
}

/** Open streams kept per peer and protocol; who finds all of them busy waits in line. */
export class StreamPool {
  readonly #open: OpenStream;
  readonly #places = new Map<string, Place>();

  constructor(open: OpenStream) {
    this.#open = open;
  }

  /** Gives the stream to `use` alone; it is kept for the next one if `use` resolves. */
  async with<T>(
    peer: PeerId,
    protocol: string,
    signal: AbortSignal,
    use: (stream: FramedStream) => Promise<T>,
  ): Promise<T> {
    const key = `${peer} ${protocol}`;
    const place = this.#place(key);
    const stream = await this.#take(place, peer, protocol, signal);
    try {
      const answer = await use(stream);
      if (!stream.closed) place.idle.push(stream);
      return answer;
    } catch (error) {
      // In the middle of a message nothing on the stream has a meaning any more.
      stream.abort(error instanceof Error ? error : new Error(String(error)));
      throw error;
    } finally {
      if (!place.idle.includes(stream)) place.count--;
      this.#passOn(key, place);
    }
  }

  async #take(
    place: Place,
    peer: PeerId,
    protocol: string,
    signal: AbortSignal,
  ): Promise<FramedStream> {
    for (;;) {
      if (signal.aborted) {
        // Woken and late at once: the turn goes to the next in line, or it would be lost.
        this.#passOn(`${peer} ${protocol}`, place);
        throw signal.reason;
      }
      const idle = place.idle.pop();
      if (idle !== undefined && !idle.closed) return idle;
      if (idle !== undefined) place.count--;
      else if (place.count < STREAMS_PER_PEER_MAX) break;
      else await turn(place, signal);
    }
    place.count++;
    try {
      return await this.#open(peer, protocol, signal);
    } catch (error) {
      place.count--;
      this.#passOn(`${peer} ${protocol}`, place);
      throw error;
    }
  }

  #place(key: string): Place {
    const known = this.#places.get(key);
    if (known !== undefined) return known;
    const place: Place = { idle: [], count: 0, waiting: new Set() };
    this.#places.set(key, place);
    return place;
  }

  #passOn(key: string, place: Place): void {
    const [next] = place.waiting;
    if (next !== undefined) {
      place.waiting.delete(next);
      next.wake();
    } else if (place.count === 0 && this.#places.get(key) === place) {
      this.#places.delete(key);
    }
  }
}

/** Waits until a stream was given back; first come, first served. */
function turn(place: Place, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const onAbort = (): void => {
      place.waiting.delete(entry);
      reject(signal.reason);
    };
    const entry: Waiting = {
      wake: () => {
        signal.removeEventListener('abort', onAbort);
        resolve();
      },
    };
    signal.addEventListener('abort', onAbort, { once: true });
    place.waiting.add(entry);
  });
}
