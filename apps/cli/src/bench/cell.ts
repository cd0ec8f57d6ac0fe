import { assert, encodeCanonical, type RoundId, toHex, unreachable, utf8 } from '@starling/core';
import { Secret, type SigningKey, sha256, signingKeyFromSeed } from '@starling/crypto';
import { openEnvelope, sealEnvelope } from '@starling/protocol-rounds';
import { chunkHeaderCodec, decodeMessage, encodeMessage } from '@starling/protocol-secagg';
import {
  createSession,
  helloOf,
  type ProtectionName,
  type RingShape,
  type SessionConfig,
  type SessionEffect,
  type SessionEvent,
  type SessionState,
  step,
  type UnmaskingName,
} from '@starling/secagg';
import { CellHost } from './cell-host.ts';

export interface CellSetup {
  readonly peers: number;
  readonly shape: RingShape;
  readonly replication: number;
  readonly protection: ProtectionName;
  readonly unmasking: UnmaskingName;
  /** Input of each member. */
  readonly inputs: readonly Uint32Array[];
  /** Takes a chunk or a sum from one member to another; handed over directly when absent. */
  readonly carry?: Carry | undefined;
}

export type Carry = (from: number, to: number, body: Uint8Array) => Promise<Uint8Array>;

/** Bytes that all members together handed to the network. */
export interface CellTraffic {
  /** Signed control messages, each counted once, however many relay it: as the demo counts. */
  readonly control: number;
  /** Masked chunks to owners and sums from owners, with their headers. */
  readonly direct: number;
}

type Of<K> = Extract<SessionEffect, { kind: K }>;

interface Peer {
  readonly index: number;
  readonly key: SigningKey;
  readonly host: CellHost;
  /** Control messages that wait; like a node's loop, all that wait are taken in one step. */
  mail: Uint8Array[];
  readonly events: SessionEvent[];
  state: SessionState;
}

/** No header of the blobs protocol is longer: a request and its answer. */
const FETCH_HEADERS_BYTES = 2 * 64;

/**
 * One cell's aggregation from roster to opened sum, all members in this process: the real session,
 * kernels, encodings and signatures, and a network that delivers at once and loses nothing. Timers
 * are not needed: nobody waits for anybody who is gone.
 */
export class BenchCell {
  readonly #setup: CellSetup;
  readonly #peers: readonly Peer[];
  #control = 0;
  #direct = 0;

  constructor(setup: CellSetup) {
    this.#setup = setup;
    this.#peers = configsOf(setup).map(({ config, key }, index) => {
      const host = new CellHost(config, setup.inputs[index]!);
      const events: SessionEvent[] = [{ kind: 'start' }];
      return { index, key, host, mail: [], events, state: createSession(config) };
    });
  }

  async run(): Promise<CellTraffic> {
    let busy = true;
    while (busy) {
      busy = false;
      for (const peer of this.#peers) {
        const event = nextEvent(peer);
        if (event === undefined) continue;
        busy = true;
        await this.#take(peer, event);
      }
    }
    return { control: this.#control, direct: this.#direct };
  }

  /** @throws InvariantError unless every member opened the exact sum of all inputs */
  assertExact(): void {
    const { inputs, shape } = this.#setup;
    const expected = new Float64Array(shape.length);
    for (const input of inputs) for (let i = 0; i < input.length; i++) expected[i]! += input[i]!;
    for (const { host, index } of this.#peers) {
      assert(host.result !== undefined, `member ${index} opened no sum`);
      const isExact = host.result.every((word, i) => word === expected[i]);
      assert(isExact, `member ${index} opened a wrong sum`);
    }
  }

  async #take(peer: Peer, event: SessionEvent): Promise<void> {
    const { state, effects } = step(peer.state, event);
    peer.state = state;
    for (const effect of effects) await this.#perform(peer, effect);
  }

  async #perform(peer: Peer, effect: SessionEffect): Promise<void> {
    switch (effect.kind) {
      case 'broadcast':
        this.#broadcast(peer, effect);
        return;
      case 'compute':
        peer.events.push(await peer.host.compute(effect.compute));
        return;
      case 'send-chunk':
        await this.#sendChunk(peer, effect);
        return;
      case 'fetch-sum':
        await this.#fetchSum(peer, effect);
        return;
      case 'fetch-plain':
        await this.#fetchPlain(peer, effect);
        return;
      case 'fetch-chunk':
      case 'convict':
      case 'nominate':
        throw new Error(`nobody lies or dies here, but: ${effect.kind}`);
      case 'journal':
      case 'set-timer':
      case 'phase':
      case 'ended':
        return;
      default:
        unreachable(effect);
    }
  }

  #broadcast(peer: Peer, { message }: Of<'broadcast'>): void {
    const { attempt, rosterDigest, roundId } = peer.state.config;
    const context = { roundId: toHex(roundId) as RoundId, attempt, roster: rosterDigest };
    const body = { kind: 'session', message: encodeMessage(message) } as const;
    const { bytes } = sealEnvelope(context, body, peer.key);
    this.#control += bytes.length;
    for (const other of this.#peers) if (other !== peer) other.mail.push(bytes);
  }

  async #sendChunk(peer: Peer, { to, chunk, proof }: Of<'send-chunk'>): Promise<void> {
    const { attempt, roundId } = peer.state.config;
    const header = encodeCanonical(chunkHeaderCodec, { roundId, attempt, chunk, proof });
    const sent = peer.host.chunk(chunk, peer.index);
    this.#direct += header.length + sent.length;
    const body = await this.#carried(peer.index, to, sent);
    const owner = this.#peers[to]!;
    const hash = owner.host.keepChunk(chunk, peer.index, body);
    owner.events.push({ kind: 'chunk-received', from: peer.index, chunk, hash, proof });
  }

  async #fetchSum(peer: Peer, { chunk, hash, from }: Of<'fetch-sum'>): Promise<void> {
    const [owner] = from;
    const sum = this.#peers[owner!]!.host.sum({ chunk, hash });
    this.#direct += FETCH_HEADERS_BYTES + sum.length;
    const body = await this.#carried(owner!, peer.index, sum);
    peer.host.keepSum({ chunk, hash }, body);
    peer.events.push({ kind: 'sum-fetched', chunk, hash });
  }

  async #fetchPlain(peer: Peer, { chunk, hash, from }: Of<'fetch-plain'>): Promise<void> {
    const [unmasker] = from;
    const plain = this.#peers[unmasker!]!.host.plain({ chunk, hash });
    this.#direct += FETCH_HEADERS_BYTES + plain.length;
    const body = await this.#carried(unmasker!, peer.index, plain);
    peer.host.keepPlain({ chunk, hash }, body);
    peer.events.push({ kind: 'plain-fetched', chunk, hash });
  }

  async #carried(from: number, to: number, body: Uint8Array): Promise<Uint8Array> {
    const { carry } = this.#setup;
    return carry === undefined ? body : carry(from, to, body);
  }
}

function nextEvent(peer: Peer): SessionEvent | undefined {
  if (peer.mail.length === 0) return peer.events.shift();
  const { members } = peer.state.config;
  const messages = peer.mail.map((bytes) => {
    const envelope = openEnvelope(bytes);
    assert(envelope?.body.kind === 'session', 'an envelope does not open');
    const from = members.findIndex((member) => member.peer === envelope.sender);
    return { from, message: decodeMessage(envelope.body.message) };
  });
  peer.mail = [];
  return { kind: 'messages', messages };
}

interface MemberSetup {
  readonly config: SessionConfig;
  readonly key: SigningKey;
}

function configsOf({
  peers,
  shape,
  replication,
  protection,
  unmasking,
}: CellSetup): readonly MemberSetup[] {
  const bytesFor = (use: string) => sha256(utf8(`bench/${use}`));
  const seeds = Array.from({ length: peers }, (_, i) => new Secret(bytesFor(`seed/${i}`)));
  const keys = seeds.map((_, i) => signingKeyFromSeed(bytesFor(`key/${i}`)));
  const members = seeds.map((seed, i) => {
    return { peer: keys[i]!.peerId, hello: helloOf(seed), weight: 1 };
  });
  return seeds.map((seed, self) => {
    const config: SessionConfig = {
      ...{ members, self, seed, shape, replication, protection, unmasking },
      ...{ roundId: bytesFor('round'), attempt: 0, input: 'update' },
      ...{ rosterDigest: bytesFor('roster'), context: bytesFor('context') },
      timers: { phaseMs: 1_000, decideMs: 500 },
    };
    return { config, key: keys[self]! };
  });
}
