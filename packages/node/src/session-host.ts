import {
  assert,
  type BlobHash,
  decodeCanonical,
  encodeCanonical,
  equalBytes,
  errorMessage,
  InvariantError,
  LIMITS,
  type Parcel,
  type PeerId,
  ProtocolError,
  toHex,
  unreachable,
} from '@starling/core';
import { sha256, verifyMerkleProof } from '@starling/crypto';
import {
  CHUNK_PROTOCOL,
  type ChunkHeader,
  chunkHeaderCodec,
  OPEN_PROTOCOL,
  openRequestCodec,
} from '@starling/protocol-secagg';
import {
  codecOf,
  type EngineEffect,
  type EngineEvent,
  publicSeedOf,
  type RunningSession,
} from '@starling/rounds';
import {
  type AssemblyEvent,
  keepersOf,
  packedBytes,
  ringBudget,
  type SessionCompute,
  type SessionEvent,
} from '@starling/secagg';
import { type ChunkCounts, ChunkProgress } from './chunk-progress.ts';
import { delay } from './delay.ts';
import type { JobHostParts } from './job-host.ts';
import { addSums } from './next-state.ts';
import { isPacked, isPackedChunk, isPackedSum, layoutOf, sumBytes } from './packed.ts';
import { Place, plain } from './session-place.ts';
import { type Suspect, Suspicion } from './suspicion.ts';

type SessionEffect = Extract<EngineEffect, { kind: 'session' }>;
type Of<K> = Extract<SessionEffect['effect'], { kind: K }>;
type Task<K> = Extract<SessionCompute, { task: K }>;

export interface SessionHostParts extends JobHostParts {
  readonly enqueue: (event: EngineEvent) => void;
  /** Told of parts of sums, and who sent them. */
  readonly onReceived: (peer: PeerId, bytes: number) => void;
  /** Looks at a new state before it is signed; answers why it is not to be. */
  readonly judge: (before: BlobHash, after: BlobHash) => Promise<string | undefined>;
  /** Whether the attempt is the one under way: work for another is dropped. */
  readonly isCurrent: (slot: { roundId: string; attempt: number }) => boolean;
}

const CHUNK_TIMEOUT_MS = 30_000;
/** Pause after nobody had what was asked for. */
const MISSING_MS = 500;
const NOTHING = new Uint8Array(0);
const RETRY_MS: readonly number[] = [100, 200, 400, 800, 1_600, 3_200];

/** Performs what the secure aggregation asks for: kernels, chunks to owners, sums from owners. */
export class SessionHost {
  readonly #parts: SessionHostParts;
  readonly #suspicion = new Suspicion();
  readonly #progress = new ChunkProgress();
  /** Round under way, for the observer. */
  #round = 0;

  constructor(parts: SessionHostParts) {
    this.#parts = parts;
  }

  /** Peers that were in cells that somebody spoilt. */
  get suspects(): readonly Suspect[] {
    return this.#suspicion.suspects();
  }

  /** Chunks of the attempt that goes on, or went on last. */
  get chunks(): ChunkCounts | undefined {
    return this.#progress.counts;
  }

  async perform({ round, roundId, slot, config, effect }: SessionEffect): Promise<void> {
    const place = new Place(this.#parts.job.id, roundId, slot, config);
    this.#round = round;
    this.#progress.enter(round, place);
    switch (effect.kind) {
      case 'send-chunk':
        await this.#sendChunk(place, effect);
        return;
      case 'fetch-sum':
        await this.#fetchSum(place, effect);
        return;
      case 'fetch-plain':
        await this.#fetchPlain(place, effect);
        return;
      case 'fetch-chunk':
        await this.#fetchChunk(place, effect);
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
      const next = await this.#nextState(effect);
      const withheld = await this.#parts.judge(effect.stateHash, next.stateHash);
      enqueue({ kind: 'applied', roundId, ...next, withheld });
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
    const { results, round } = effect;
    const cells = results.map(({ sum, survivors }) => ({
      words: vectors.words(sum),
      survivors: survivors.length,
    }));
    node.observer?.sum(job.id, round, effect.slot, addSums(cells));
    const codec = codecOf(job.manifest);
    const publicSeed = publicSeedOf(job.id, effect.stateHash);
    const input = { state: before, cells, codec, publicSeed };
    const next = await node.compute.run('apply', input);
    const peers = results.map(({ survivors }) => survivors);
    this.#suspicion.note(peers, next.spoilt);
    for (const cell of next.spoilt) {
      const why = 'the mean of a cell is longer than honest peers can make it: one of them lies';
      node.log.warn(why, { job: job.id, round, peers: peers[cell]!.join(' ') });
    }
    return { stateHash: await node.blobs.put(next.state), metrics: next.metrics };
  }

  async #compute(place: Place, { compute }: Of<'compute'>): Promise<void> {
    switch (compute.task) {
      case 'mask':
        await this.#mask(place, compute);
        return;
      case 'sum':
        await this.#sum(place, compute);
        return;
      case 'tag-chunks':
        await this.#tagChunks(place, compute);
        return;
      case 'tag-sums':
        await this.#tagSums(place, compute);
        return;
      case 'unmask':
        await this.#unmask(place, compute);
        return;
      case 'unmask-chunks':
        await this.#unmaskChunks(place, compute);
        return;
      case 'assemble':
        await this.#assemble(place, compute);
        return;
      default:
        unreachable(compute);
    }
  }

  async #mask(place: Place, { input, terms }: Task<'mask'>): Promise<void> {
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

  async #sum(place: Place, { chunks, members }: Task<'sum'>): Promise<void> {
    const { node, vectors } = this.#parts;
    const parts = chunks.map((chunk) => {
      return { chunk, packed: members.map((member) => this.#held(place.chunk(chunk, member))) };
    });
    const { shape, members: roster } = place.config;
    const { sums } = await node.compute.run('sum', { parts, shape, peers: roster.length });
    for (const { chunk, bytes, hash } of sums) {
      vectors.putBytes(place.sum({ chunk, hash }), bytes, hash);
    }
    this.#tell(place, {
      kind: 'summed',
      sums: sums.map(({ chunk, hash }) => ({ chunk, hash })),
    });
  }

  async #tagChunks(place: Place, { chunks, seed }: Task<'tag-chunks'>): Promise<void> {
    const { shape } = place.config;
    const parts = chunks.map(({ chunk, of }) => {
      return { chunk, bytes: this.#held(place.chunk(chunk, of)) };
    });
    const input = { parts, bits: shape.bits, shape, seed: seed.reveal() };
    const { tags } = await this.#parts.node.compute.run('tag', input);
    const answer = chunks.map((each, i) => ({ ...each, tag: tags[i]! }));
    this.#tell(place, { kind: 'chunks-tagged', tags: answer });
  }

  async #tagSums(place: Place, { sums, seed }: Task<'tag-sums'>): Promise<void> {
    const { shape, members } = place.config;
    const parts = sums.map((sum) => ({ chunk: sum.chunk, bytes: this.#held(place.sum(sum)) }));
    const bits = ringBudget(shape.bits, members.length);
    const input = { parts, bits, shape, seed: seed.reveal() };
    const { tags } = await this.#parts.node.compute.run('tag', input);
    const answer = sums.map((each, i) => ({ ...each, tag: tags[i]! }));
    this.#tell(place, { kind: 'sums-tagged', tags: answer });
  }

  async #unmask(place: Place, { sums, terms, survivors }: Task<'unmask'>): Promise<void> {
    const { node } = this.#parts;
    const { shape, members } = place.config;
    const input = {
      sums: sums.map((sum) => this.#held(place.sum(sum))),
      terms: plain(terms),
      shape,
      peers: members.length,
      survivors,
    };
    await this.#opened(place, await node.compute.run('unmask', input));
  }

  async #unmaskChunks(place: Place, { sums, terms }: Task<'unmask-chunks'>): Promise<void> {
    const { node, vectors } = this.#parts;
    const { shape, members } = place.config;
    const parts = sums.map((sum) => ({ chunk: sum.chunk, bytes: this.#held(place.sum(sum)) }));
    const input = { parts, terms: plain(terms), shape, peers: members.length };
    const opened = await node.compute.run('unmask-chunks', input);
    for (const { chunk, bytes, hash } of opened.sums) {
      vectors.putBytes(place.plain({ chunk, hash }), bytes, hash);
    }
    const found = opened.sums.map(({ chunk, hash }) => ({ chunk, hash }));
    this.#tell(place, { kind: 'chunks-unmasked', sums: found });
  }

  async #assemble(place: Place, { sums, survivors }: Task<'assemble'>): Promise<void> {
    const chunks = sums.map((sum) => this.#held(place.plain(sum)));
    const { shape } = place.config;
    const input = { chunks, shape, survivors };
    await this.#opened(place, await this.#parts.node.compute.run('assemble', input));
  }

  async #opened(
    place: Place,
    { words, inRange }: { readonly words: Uint32Array; readonly inRange: boolean },
  ): Promise<void> {
    this.#parts.vectors.putWords(place.result, words);
    // Of many cells the others fetch what this one opened.
    const digest = place.config.isCell ? await this.#offer(place, words) : undefined;
    this.#tell(place, { kind: 'unmasked', result: place.result, inRange, digest });
  }

  /** Serves this cell's opened sum by its hash. */
  async #offer(place: Place, words: Uint32Array): Promise<Uint8Array> {
    const { node, vectors } = this.#parts;
    const { bits } = place.config.shape;
    const { bytes, hash } = await node.compute.run('pack', { words, bits });
    vectors.putBytes(`${place.result}/packed`, bytes, hash);
    return hash;
  }

  /** Another cell's opened sum, from members of it who vouch for it. */
  async fetchCell(effect: Extract<EngineEffect, { kind: 'fetch-cell' }>): Promise<void> {
    const { blobs, vectors, node, job } = this.#parts;
    const { roundId, slot, config, cell, digest, from } = effect;
    const { length, bits } = config.shape;
    const tell = (event: AssemblyEvent) => {
      this.#parts.enqueue({ kind: 'assembly', roundId, slot, event });
    };
    const place = new Place(job.id, roundId, slot, config);
    try {
      const { onReceived } = this.#parts;
      const bodyBytesMax = packedBytes(length, bits);
      const options = { timeoutMs: CHUNK_TIMEOUT_MS, bodyBytesMax, onReceived };
      const bytes = await blobs.fetch(toHex(digest) as BlobHash, from, options);
      if (!isPacked(bytes, length, bits)) {
        throw new ProtocolError('malformed', 'an opened sum is not packed as it must be');
      }
      const { words } = await node.compute.run('unpack', { bytes, bits, length });
      vectors.putWords(place.cell(cell), words);
      vectors.putBytes(`${place.cell(cell)}/packed`, bytes, digest);
      tell({ kind: 'cell-fetched', cell, digest, result: place.cell(cell) });
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      await delay(node, MISSING_MS);
      tell({ kind: 'cell-missing', cell });
    }
  }

  /** Bytes that the session counts as here. */
  #held(handle: string): Uint8Array {
    const bytes = this.#parts.vectors.bytes(handle);
    assert(bytes !== undefined, `${handle} is counted as here, but is not`);
    return bytes;
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
      this.#progress.sent(place, chunk);
    });
  }

  async #fetchSum(place: Place, { chunk, hash, from }: Of<'fetch-sum'>): Promise<void> {
    const bytes = await this.#fetchPart(
      place,
      { hash, from },
      {
        bytesMax: sumBytes(place.config, chunk),
        isPacked: (body) => isPackedSum(body, chunk, place.config),
      },
    );
    if (bytes === undefined) return this.#tell(place, { kind: 'sum-missing', chunk, hash });
    this.#parts.vectors.putBytes(place.sum({ chunk, hash }), bytes, hash);
    this.#tell(place, { kind: 'sum-fetched', chunk, hash });
  }

  async #fetchPlain(place: Place, { chunk, hash, from }: Of<'fetch-plain'>): Promise<void> {
    const { shape } = place.config;
    const bytes = await this.#fetchPart(
      place,
      { hash, from },
      {
        bytesMax: shape.chunkBytes,
        isPacked: (body) => isPackedChunk(body, chunk, shape),
      },
    );
    if (bytes === undefined) return this.#tell(place, { kind: 'plain-missing', chunk, hash });
    this.#parts.vectors.putBytes(place.plain({ chunk, hash }), bytes, hash);
    this.#tell(place, { kind: 'plain-fetched', chunk, hash });
  }

  /** A part of the sum by its hash; undefined, after a pause, when no member delivers it. */
  async #fetchPart(
    place: Place,
    { hash, from }: { readonly hash: Uint8Array; readonly from: readonly number[] },
    { bytesMax, isPacked: isSound }: PartForm,
  ): Promise<Uint8Array | undefined> {
    const peers = from.map((member) => place.config.members[member]!.peer);
    try {
      const { onReceived } = this.#parts;
      const options = { timeoutMs: CHUNK_TIMEOUT_MS, bodyBytesMax: bytesMax, onReceived };
      const bytes = await this.#parts.blobs.fetch(toHex(hash) as BlobHash, peers, options);
      if (isSound(bytes)) return bytes;
      throw new ProtocolError('malformed', 'a part of the sum is not packed as it must be');
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      await delay(this.#parts.node, MISSING_MS);
      return undefined;
    }
  }

  /** Has an owner open a member's chunk; the session checks it against the member's COMMIT. */
  async #fetchChunk(place: Place, effect: Of<'fetch-chunk'>): Promise<void> {
    const { node, vectors } = this.#parts;
    const { chunk, of, from, root } = effect;
    const { roundId, attempt, members, shape } = place.config;
    const header = encodeCanonical(openRequestCodec, { roundId, attempt, chunk, of });
    const options = { timeoutMs: CHUNK_TIMEOUT_MS, bodyBytesMax: shape.chunkBytes };
    for (const member of from) {
      try {
        const parcel = { header, body: NOTHING };
        const { peer } = members[member]!;
        const answer = await node.transport.request(peer, OPEN_PROTOCOL, parcel, options);
        const opened = decodeCanonical(chunkHeaderCodec, answer.header, LIMITS.controlBytesMax);
        const { proof } = opened;
        const hash = sha256(answer.body);
        const { count } = layoutOf(shape);
        if (!isPackedChunk(answer.body, chunk, shape)) continue;
        if (!verifyMerkleProof(root, hash, chunk, count, proof)) continue;
        // Checked, so it takes the place of whatever the member itself may have sent here.
        vectors.putBytes(place.chunk(chunk, of), answer.body);
        this.#tell(place, { kind: 'chunk-received', from: of, chunk, hash, proof });
        return;
      } catch (error) {
        if (!(error instanceof ProtocolError)) throw error;
      }
    }
    await delay(node, MISSING_MS);
    this.#tell(place, { kind: 'chunk-missing', from: of, chunk });
  }

  /** What an owner was sent, for another member that audits it. */
  openChunk(running: RunningSession, chunk: number, of: number): Parcel {
    const { roundId, slot, config, state } = running;
    const held = state.chunks.get(`${chunk}/${of}`);
    const place = new Place(this.#parts.job.id, roundId, slot, config);
    const body = this.#parts.vectors.bytes(place.chunk(chunk, of));
    if (held?.verified !== true || body === undefined) {
      throw new ProtocolError('missing', `does not hold chunk ${chunk} of member ${of}`);
    }
    const { proof } = held;
    const header = { roundId: config.roundId, attempt: config.attempt, chunk, proof };
    return { header: encodeCanonical(chunkHeaderCodec, header), body };
  }

  /** A chunk from a member of the running attempt. */
  receiveChunk(running: RunningSession, from: number, header: ChunkHeader, body: Uint8Array): void {
    const { roundId, slot, config, state } = running;
    if (state.placement.length === 0) throw new ProtocolError('not-yet', 'owners are not decided');
    if (!keepersOf(state, header.chunk, from).includes(config.self)) {
      // It may be one soon: the sender has heard of a lost owner before this peer.
      throw new ProtocolError('not-an-owner', `chunk ${header.chunk} has other owners`);
    }
    const place = new Place(this.#parts.job.id, roundId, slot, config);
    const { chunk, proof } = header;
    const { vectors } = this.#parts;
    if (!isPackedChunk(body, chunk, config.shape)) {
      throw new ProtocolError('malformed', `chunk ${chunk} is not packed as it must be`);
    }
    const handle = place.chunk(chunk, from);
    const held = vectors.bytes(handle);
    // What is held may be verified and receipted already; a second version would change the sum.
    if (held !== undefined && !equalBytes(held, body)) {
      throw new ProtocolError('conflict', `chunk ${chunk} differs from the one sent before`);
    }
    vectors.putBytes(handle, body);
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
    this.#progress.note(place, event);
    const message = { slot: place.slot, event };
    this.#parts.enqueue({ kind: 'session', roundId: place.roundId, message });
  }
}

interface PartForm {
  readonly bytesMax: number;
  readonly isPacked: (bytes: Uint8Array) => boolean;
}
