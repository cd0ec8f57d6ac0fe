import type { Stream } from '@libp2p/interface';
import {
  type Bandwidth,
  type Clock,
  errorMessage,
  InvariantError,
  LIMITS,
  type Log,
  type Parcel,
  type PeerId,
  ProtocolError,
  type RequestOptions,
} from '@starling/core';
import { withDeadline } from './deadline.ts';
import { type Frame, FramedStream, paceOf, type ReceivedFrame } from './framed-stream.ts';
import { checkParcel, type Message, readMessage, writeParcel, writeRefusal } from './parcels.ts';
import { type OpenStream, StreamPool } from './stream-pool.ts';

export type Answer = (parcel: Parcel, from: PeerId) => Promise<Parcel>;

export interface RequestParts {
  readonly clock: Clock;
  readonly log: Log;
  readonly open: OpenStream;
  readonly bodyBytesMax: number;
  readonly bandwidth?: Bandwidth | undefined;
}

/** Between two frames of a message that has begun: below this a peer is slow, above it is gone. */
const FRAME_TIMEOUT_MS = 30_000;

/** Requests and answers over pooled streams: one message each way, then the next request. */
export class Requests {
  readonly #parts: RequestParts;
  readonly #pool: StreamPool;
  /** Declared bodies being received from a peer or answered, in bytes. */
  readonly #inFlight = new Map<PeerId, number>();

  constructor(parts: RequestParts) {
    this.#parts = parts;
    this.#pool = new StreamPool(parts.open);
  }

  /** @throws ProtocolError 'refused', 'timeout', 'connection-lost', 'unreachable', 'too-large' … */
  async request(
    to: PeerId,
    protocol: string,
    parcel: Parcel,
    { timeoutMs, bodyBytesMax = LIMITS.bodyBytesMax }: RequestOptions,
  ): Promise<Parcel> {
    checkParcel(parcel, LIMITS.bodyBytesMax);
    const what = `${protocol} to ${to}`;
    const message = await withDeadline(this.#parts.clock, timeoutMs, what, (signal) =>
      this.#pool.with(to, protocol, signal, (stream) =>
        exchange(stream, parcel, { signal, bodyBytesMax }),
      ),
    );
    if (message.kind === 'refusal') throw new ProtocolError('refused', message.reason);
    return message.parcel;
  }

  /** Answers one stream's requests in turn until the other side ends it or sends garbage. */
  async serve(raw: Stream, from: PeerId, answer: Answer): Promise<void> {
    const stream = new FramedStream(raw, paceOf(this.#parts.bandwidth, from));
    try {
      // An idle stream may stay: there are few per peer, and a new one costs more than keeping it.
      for (let first = await stream.read(); first !== undefined; first = await stream.read()) {
        await this.#serveOne(stream, first, from, answer);
      }
      await this.#within('closing', (signal) => stream.close(signal));
    } catch (error) {
      this.#parts.log.debug('stream given up', { from, reason: errorMessage(error) });
      stream.abort(error instanceof Error ? error : new Error(String(error)));
    }
  }

  async #serveOne(
    stream: FramedStream,
    first: ReceivedFrame,
    from: PeerId,
    answer: Answer,
  ): Promise<void> {
    let held = 0;
    const hold = (bytes: number): void => {
      this.#hold(from, bytes);
      held = bytes;
    };
    const write = (frames: readonly Frame[]): Promise<void> =>
      this.#within('sending a frame', (signal) => stream.write(frames, signal));
    try {
      const parcel = await this.#receive(stream, first, hold);
      const reply = await this.#answerOf(answer, parcel, from);
      if (reply.kind === 'refusal') await writeRefusal(reply.reason, write);
      else await writeParcel(reply.parcel, write);
    } finally {
      this.#release(from, held);
    }
  }

  async #receive(
    stream: FramedStream,
    first: ReceivedFrame,
    onDeclared: (bytes: number) => void,
  ): Promise<Parcel> {
    try {
      const next = (): Promise<ReceivedFrame | undefined> =>
        this.#within('a frame', (signal) => stream.read(signal));
      const { bodyBytesMax } = this.#parts;
      return expectParcel(await readMessage(first, { bodyBytesMax, next, onDeclared }));
    } catch (error) {
      if (error instanceof ProtocolError && REFUSABLE.has(error.code)) {
        await this.#refuseUnread(stream, error.message);
      }
      throw error;
    }
  }

  /** Refuses a message whose rest is still coming, and waits for the sender to hang up. */
  async #refuseUnread(stream: FramedStream, reason: string): Promise<void> {
    await this.#within('refusing', async (signal) => {
      await writeRefusal(reason, (frames) => stream.write(frames, signal));
      await stream.close(signal);
      while ((await stream.read(signal)) !== undefined);
    });
  }

  /** A handler's failure is told to the requester and never ends the process. */
  async #answerOf(answer: Answer, parcel: Parcel, from: PeerId): Promise<Message> {
    try {
      const reply = await answer(parcel, from);
      checkParcel(reply, LIMITS.bodyBytesMax);
      return { kind: 'parcel', parcel: reply };
    } catch (error) {
      const reason = errorMessage(error);
      if (!(error instanceof InvariantError)) return { kind: 'refusal', reason };
      this.#parts.log.error('a handler broke an invariant', { from, reason });
      return { kind: 'refusal', reason: 'internal error' };
    }
  }

  /** @throws ProtocolError 'busy' when the peer would make us hold more than one largest body */
  #hold(from: PeerId, bytes: number): void {
    const total = (this.#inFlight.get(from) ?? 0) + bytes;
    if (total > this.#parts.bodyBytesMax) {
      throw new ProtocolError('busy', 'too many large requests at once');
    }
    this.#inFlight.set(from, total);
  }

  #release(from: PeerId, bytes: number): void {
    const rest = (this.#inFlight.get(from) ?? 0) - bytes;
    if (rest > 0) this.#inFlight.set(from, rest);
    else this.#inFlight.delete(from);
  }

  #within<T>(what: string, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
    return withDeadline(this.#parts.clock, FRAME_TIMEOUT_MS, what, work);
  }
}

const REFUSABLE: ReadonlySet<string> = new Set(['too-large', 'busy']);

function expectParcel(message: Message): Parcel {
  if (message.kind === 'refusal') throw new ProtocolError('malformed', 'a refusal as a request');
  return message.parcel;
}

interface ExchangeRules {
  readonly signal: AbortSignal;
  /** Of the answer. */
  readonly bodyBytesMax: number;
}

/** Sends and reads at once: a refusal may come while most of the body is still to be sent. */
async function exchange(
  stream: FramedStream,
  parcel: Parcel,
  rules: ExchangeRules,
): Promise<Message> {
  const { signal } = rules;
  const sent = writeParcel(parcel, (frames) => stream.write(frames, signal));
  const answer = readAnswer(stream, rules);
  // Whichever loses the race may still fail; that failure has then no more to say.
  for (const loser of [sent, answer]) loser.catch(() => {});
  const first = await Promise.race([sent.then(() => undefined), answer]);
  if (first === undefined) return answer;
  // Answered before the request was complete: the stream stays in the middle of a message.
  stream.abort(new ProtocolError('refused', 'answered before the request was complete'));
  return first;
}

async function readAnswer(
  stream: FramedStream,
  { signal, bodyBytesMax }: ExchangeRules,
): Promise<Message> {
  const next = (): Promise<ReceivedFrame | undefined> => stream.read(signal);
  const first = await next();
  if (first === undefined) throw new ProtocolError('connection-lost', 'closed without an answer');
  return readMessage(first, { bodyBytesMax, next });
}
