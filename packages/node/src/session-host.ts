import {
  assert,
  type BlobHash,
  encodeCanonical,
  equalBytes,
  errorMessage,
  InvariantError,
  type JobId,
  ProtocolError,
  type RoundId,
  toHex,
} from '@starling/core';
import { sha256 } from '@starling/crypto';
import { CHUNK_PROTOCOL, type ChunkHeader, chunkHeaderCodec } from '@starling/protocol-secagg';
import {
  type EngineEffect,
  type EngineEvent,
  type RunningSession,
  type Slot,
  slotKey,
} from '@starling/rounds';
import {
  chunkLayout,
  type MaskTerm,
  packedBytes,
  type RingShape,
  ringBudget,
  type SessionConfig,
  type SessionEvent,
} from '@starling/secagg';
import type { PlainTerm } from './compute.ts';
import { delay } from './delay.ts';
import type { JobHostParts } from './job-host.ts';
import { codecOf } from './training.ts';

type SessionEffect = Extract<EngineEffect, { kind: 'session' }>;
type Of<K> = Extract<SessionEffect['effect'], { kind: K }>;

export interface SessionHostParts extends JobHostParts {
  readonly enqueue: (event: EngineEvent) => void;
  /** Whether the attempt is the one under way: work for another is dropped. */
  readonly isCurrent: (slot: { roundId: string; attempt: number }) => boolean;
}

const CHUNK_TIMEOUT_MS = 30_000;
const RETRY_MS: readonly number[] = [100, 200, 400, 800, 1_600, 3_200];

/** Performs what the secure aggregation asks for: kernels, chunks to owners, sums from owners. */
export class SessionHost {
  readonly #parts: SessionHostParts;
  /** Round under way, for the observer. */
  #round = 0;

  constructor(parts: SessionHostParts) {
    this.#parts = parts;
  }

  async perform({ round, roundId, slot, config, effect }: SessionEffect): Promise<void> {
    const place = new Place(this.#parts.job.id, roundId, slot, config);
    this.#round = round;
    switch (effect.kind) {
      case 'send-chunk':
        await this.#sendChunk(place, effect);
        return;
      case 'fetch-sum':
        await this.#fetchSum(place, effect);
        return;
      case 'compute':
        await this.#compute(place, effect);
        return;
      default:
    }
  }

  /** Computes the new global state, keeps it durably, and tells the engine its hash. */
  async apply(effect: Extract<EngineEffect, { kind: 'apply' }>): Promise<void> {
    const { enqueue } = this.#parts;
    const { roundId } = effect;
    try {
      enqueue({ kind: 'applied', roundId, ...(await this.#nextState(effect)) });
    } catch (error) {
      // A full disk or a dead worker must not leave the engine waiting for an answer.
      if (error instanceof InvariantError) throw error;
      enqueue({ kind: 'apply-failed', roundId, reason: errorMessage(error) });
    }
  }

  async #nextState(effect: Extract<EngineEffect, { kind: 'apply' }>) {
    const { node, job, vectors } = this.#parts;
    const before = await node.blobs.get(effect.stateHash);
    if (before === undefined) throw new ProtocolError('state-missing', effect.stateHash);
    const { state, metrics } = await node.compute.run('apply', {
      state: before,
      words: vectors.words(effect.result),
      survivors: effect.survivors,
      codec: codecOf(job.manifest),
    });
    return { stateHash: await node.blobs.put(state), metrics };
  }

  async #compute(place: Place, { compute }: Of<'compute'>): Promise<void> {
    switch (compute.task) {
      case 'mask':
        await this.#mask(place, compute.input, compute.terms);
        return;
      case 'sum':
        await this.#sum(place, compute.chunks, compute.members);
        return;
      case 'unmask':
        await this.#unmask(place, compute.terms, compute.survivors);
        return;
      default:
    }
  }

  async #mask(place: Place, input: string, terms: readonly MaskTerm[]): Promise<void> {
    const { node, vectors, job } = this.#parts;
    const words = vectors.words(input);
    node.observer?.input(job.id, this.#round, place.slot, words);
    const { shape, self } = place.config;
    const { chunks, hashes } = await node.compute.run('mask', {
      words,
      terms: plain(terms),
      shape,
    });
    for (const [chunk, bytes] of chunks.entries()) {
      vectors.putBytes(place.chunk(chunk, self), bytes);
    }
    this.#tell(place, { kind: 'masked', chunkHashes: hashes });
  }

  async #sum(place: Place, chunks: readonly number[], members: readonly number[]): Promise<void> {
    const { node, vectors } = this.#parts;
    const parts = chunks.map((chunk) => {
      const packed = members.map((member) => {
        const bytes = vectors.bytes(place.chunk(chunk, member));
        assert(bytes !== undefined, `chunk ${chunk} of member ${member} is receipted, not held`);
        return bytes;
      });
      return { chunk, packed };
    });
    const { shape, members: roster } = place.config;
    const { sums } = await node.compute.run('sum', { parts, shape, peers: roster.length });
    for (const { chunk, bytes, hash } of sums) vectors.putBytes(place.sum(chunk), bytes, hash);
    this.#tell(place, {
      kind: 'summed',
      sums: sums.map(({ chunk, hash }) => ({ chunk, hash })),
    });
  }

  async #unmask(place: Place, terms: readonly MaskTerm[], survivors: number): Promise<void> {
    const { node, vectors, job } = this.#parts;
    const { shape, members } = place.config;
    const { count } = chunkLayout(shape.length, shape.bits, { chunkBytes: shape.chunkBytes });
    const sums = Array.from({ length: count }, (_, chunk) => {
      const bytes = vectors.bytes(place.sum(chunk));
      assert(bytes !== undefined, `sum of chunk ${chunk} is counted as here, but is not`);
      return bytes;
    });
    const peers = members.length;
    const input = { sums, terms: plain(terms), shape, peers, survivors };
    const { words, inRange } = await node.compute.run('unmask', input);
    vectors.putWords(place.result, words);
    node.observer?.sum(job.id, this.#round, place.slot, words);
    this.#tell(place, { kind: 'unmasked', result: place.result, inRange });
  }

  async #sendChunk(place: Place, { to, chunk, proof }: Of<'send-chunk'>): Promise<void> {
    const { node, vectors, job } = this.#parts;
    const body = vectors.bytes(place.chunk(chunk, place.config.self));
    assert(body !== undefined, `own chunk ${chunk} is gone before it was sent`);
    const { roundId, attempt } = place.config;
    const header = encodeCanonical(chunkHeaderCodec, { roundId, attempt, chunk, proof });
    const peer = place.config.members[to]!.peer;
    node.observer?.chunk(job.id, this.#round, body);
    await this.#withRetries(place, async () => {
      await node.transport.request(
        peer,
        CHUNK_PROTOCOL,
        { header, body },
        { timeoutMs: CHUNK_TIMEOUT_MS },
      );
    });
  }

  async #fetchSum(place: Place, { chunk, hash, from }: Of<'fetch-sum'>): Promise<void> {
    const { blobs, vectors, node } = this.#parts;
    const peers = from.map((member) => place.config.members[member]!.peer);
    try {
      const blob = toHex(hash) as BlobHash;
      const bodyBytesMax = sumBytes(place.config, chunk);
      const options = { timeoutMs: CHUNK_TIMEOUT_MS, bodyBytesMax };
      const bytes = await blobs.fetch(blob, peers, options);
      if (bytes.length !== bodyBytesMax)
        throw new ProtocolError('malformed', 'sum of wrong length');
      vectors.putBytes(place.sum(chunk), bytes, hash);
      this.#tell(place, { kind: 'sum-fetched', chunk });
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      await delay(node, 500);
      this.#tell(place, { kind: 'sum-missing', chunk });
    }
  }

  /** A chunk from a member of the running attempt. */
  receiveChunk(running: RunningSession, from: number, header: ChunkHeader, body: Uint8Array): void {
    const { vectors, job } = this.#parts;
    const { roundId, slot, config } = running;
    const { owners } = running.state;
    if (owners.length === 0) throw new ProtocolError('not-yet', 'owners are not decided');
    if (owners[header.chunk]?.includes(config.self) !== true) {
      throw new ProtocolError('not-an-owner', `chunk ${header.chunk} has other owners`);
    }
    if (!isPacked(body, header.chunk, config.shape)) {
      throw new ProtocolError('malformed', `chunk ${header.chunk} is not packed as it must be`);
    }
    const handle = new Place(job.id, roundId, slot, config).chunk(header.chunk, from);
    const held = vectors.bytes(handle);
    // What is held may be verified and receipted already; a second version would change the sum.
    if (held !== undefined && !equalBytes(held, body)) {
      throw new ProtocolError('conflict', `chunk ${header.chunk} differs from the one sent before`);
    }
    vectors.putBytes(handle, body);
    const { chunk, proof } = header;
    const event: SessionEvent = { kind: 'chunk-received', from, chunk, hash: sha256(body), proof };
    this.#parts.enqueue({ kind: 'session', roundId, message: { slot, event } });
  }

  /**
   * Repeats a delivery that failed, as long as the attempt lasts: the owner may be a moment behind.
   */
  async #withRetries(place: Place, attempt: () => Promise<void>): Promise<void> {
    const { node, isCurrent } = this.#parts;
    for (const wait of RETRY_MS) {
      try {
        await attempt();
        return;
      } catch (error) {
        if (!(error instanceof ProtocolError)) throw error;
      }
      await delay(node, wait);
      if (!isCurrent({ roundId: place.roundId, attempt: place.slot.attempt })) return;
    }
  }

  #tell(place: Place, event: SessionEvent): void {
    const message = { slot: place.slot, event };
    this.#parts.enqueue({ kind: 'session', roundId: place.roundId, message });
  }
}

/** Names of one attempt's vectors; the round's id leads, so that one release forgets them all. */
class Place {
  readonly roundId: RoundId;
  readonly slot: Slot;
  readonly config: SessionConfig;
  readonly #prefix: string;

  constructor(job: JobId, roundId: RoundId, slot: Slot, config: SessionConfig) {
    this.roundId = roundId;
    this.slot = slot;
    this.config = config;
    this.#prefix = `${job}/${roundId}/${slotKey(slot)}`;
  }

  chunk = (chunk: number, member: number): string => `${this.#prefix}/chunk/${chunk}/${member}`;
  sum = (chunk: number): string => `${this.#prefix}/sum/${chunk}`;
  get result(): string {
    return `${this.#prefix}/result`;
  }
}

const plain = (terms: readonly MaskTerm[]): readonly PlainTerm[] =>
  terms.map(({ seed, sign }) => ({ seed: seed.reveal(), sign }));

/** Packed bytes of a chunk's integer sum over the roster. */
function sumBytes({ shape, members }: SessionConfig, chunk: number): number {
  const { wordsOf } = chunkLayout(shape.length, shape.bits, { chunkBytes: shape.chunkBytes });
  return packedBytes(wordsOf(chunk), ringBudget(shape.bits, members.length));
}

/** Whether bytes have a chunk's exact length, and nothing in the bits behind its last word. */
function isPacked(bytes: Uint8Array, chunk: number, shape: RingShape): boolean {
  const layout = chunkLayout(shape.length, shape.bits, { chunkBytes: shape.chunkBytes });
  if (chunk >= layout.count || bytes.length !== layout.bytesOf(chunk)) return false;
  const used = (layout.wordsOf(chunk) * shape.bits) % 8;
  return used === 0 || bytes.at(-1)! >> used === 0;
}
