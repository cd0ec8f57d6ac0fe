import type { BlobHash, JobId, Journal, Log, PeerId } from '@starling/core';
import { type SigningKey, signingKeyFromSeed } from '@starling/crypto';
import {
  type InputObserver,
  inlineCompute,
  type NodeOptions,
  StarlingNode,
  type Wire,
} from '@starling/node';
import { type EngineCanary, messageIn, type Notice, type Trainer } from '@starling/rounds';
import type { ProtectionName } from '@starling/secagg';
import { MemoryBlobStore, MemoryJournal } from '@starling/store';
import { adversaryOf, type Behaviour, envelopeIn } from './adversaries/index.ts';
import type { Observation } from './checkers/index.ts';
import { fakeTrainer, mortalJournal } from './fake-trainer.ts';
import { heldTrainer } from './held-trainer.ts';
import { type JournalStage, watchedJournal } from './journal-watch.ts';
import type { SimNetwork, SimTransport } from './network.ts';
import { type Prng, seededRandom } from './prng.ts';
import type { VirtualTime } from './virtual-time.ts';

export interface WorldParts {
  readonly seed: number;
  readonly peers: number;
  readonly prng: Prng;
  readonly time: VirtualTime;
  readonly network: SimNetwork;
  readonly wire: Wire;
  readonly protection: ProtectionName;
  readonly canary: EngineCanary | undefined;
  /** The trainer of a peer; one that draws numbers when absent. */
  readonly trainer: ((peer: number) => Trainer) | undefined;
  /** Behaviour of each peer that is not honest. */
  readonly adversaries: ReadonlyMap<number, Behaviour>;
  readonly observe: (observation: Observation) => void;
  readonly onNotice: (peer: SimPeer, notice: Notice) => void;
  /** Called for every lie that a dishonest peer tells. */
  readonly onDeed: () => void;
  readonly onFatal: (error: unknown) => void;
  /** Told of every journal write, before it is on disk and after; true when the peer dies there. */
  readonly onJournalWrite?: (peer: SimPeer, count: number, stage: JournalStage) => boolean;
}

/** One virtual peer: a real node on memory ports. Its disk outlives its process. */
export class SimPeer {
  readonly index: number;
  readonly key: SigningKey;
  readonly #parts: WorldParts;
  readonly #disk = { blobs: new MemoryBlobStore(), journal: new MemoryJournal() };
  #boots = 0;
  #writes = 0;
  #alive: { value: boolean } = { value: false };
  node: StarlingNode | undefined;

  constructor(parts: WorldParts, index: number) {
    this.#parts = parts;
    this.index = index;
    const seed = seededRandom(parts.seed, index, 0xffff).bytes(32);
    this.key = signingKeyFromSeed(seed);
  }

  get peer(): PeerId {
    return this.key.peerId;
  }

  get isAlive(): boolean {
    return this.#alive.value;
  }

  get isHonest(): boolean {
    return !this.#parts.adversaries.has(this.index);
  }

  /** Starts the process, with what its disk holds. */
  async boot(): Promise<void> {
    const { seed, network, time, prng, adversaries, onDeed } = this.#parts;
    const alive = { value: true };
    this.#alive = alive;
    const isAlive = () => alive.value;
    const behaviour = adversaries.get(this.index);
    const clock = time.clock(isAlive);
    const honest = this.#watched(network.join(this.peer));
    const { key } = this;
    const wire = () => ({ transport: honest, key, prng: prng.fork(), clock, onDeed });
    const transport = behaviour === undefined ? honest : adversaryOf(behaviour)(wire());
    this.node = new StarlingNode(
      {
        clock,
        random: seededRandom(seed, this.index, this.#boots++),
        log: SILENT,
        transport,
        blobs: this.#disk.blobs,
        journal: this.#journal(isAlive),
        trainer: this.#trainer(prng.fork()),
        compute: inlineCompute,
        key,
        wire: this.#parts.wire,
        observer: this.#observer(),
      },
      this.#options(isAlive),
      { match: async () => ({ ok: true, dataset: 'simulated' }) },
    );
    await this.node.start();
  }

  /** SIGKILL: what the process was doing ends in the middle. */
  kill(): void {
    this.#alive.value = false;
    this.node = undefined;
    this.#parts.network.kill(this.peer);
  }

  /** Bytes that its disk holds. */
  blob(hash: BlobHash): Promise<Uint8Array | undefined> {
    return this.#disk.blobs.get(hash);
  }

  #trainer(prng: Prng): Trainer {
    const { trainer, time } = this.#parts;
    return trainer === undefined ? fakeTrainer(prng) : heldTrainer(trainer(this.index), time);
  }

  #journal(isAlive: () => boolean): Journal {
    const { onJournalWrite } = this.#parts;
    const journal = mortalJournal(this.#disk.journal, isAlive);
    if (onJournalWrite === undefined) return journal;
    return watchedJournal(journal, {
      isAlive,
      nextCount: () => ++this.#writes,
      onWrite: (count, stage) => onJournalWrite(this, count, stage),
    });
  }

  #options(isAlive: () => boolean): NodeOptions {
    const { protection, canary, onFatal, onNotice, observe } = this.#parts;
    return {
      weight: 1,
      protection,
      canary,
      launchCopies: 3,
      policy: () => ({ trust: TRUST_ALL, minPeers: 3 }),
      onFatal,
      onNotice: (_job: JobId, notice: Notice) => {
        if (!isAlive()) return;
        if (this.isHonest) observe({ kind: 'notice', by: this.peer, notice });
        onNotice(this, notice);
      },
    };
  }

  #observer(): InputObserver {
    const { observe } = this.#parts;
    const by = this.peer;
    return {
      input: (_job, round, slot, words) => observe({ kind: 'input', by, round, slot, words }),
      sum: (_job, round, slot, words) => observe({ kind: 'sum', by, round, slot, words }),
      chunk: () => {},
    };
  }

  /** Shows the checkers every envelope that leaves this peer. */
  #watched(transport: SimTransport): SimTransport {
    const { observe } = this.#parts;
    const watch = (bytes: Uint8Array) => {
      const envelope = this.isAlive ? envelopeIn(bytes, this.#parts.wire) : undefined;
      if (envelope === undefined) return;
      const message = messageIn(envelope);
      observe({ kind: 'sent', by: this.peer, honest: this.isHonest, envelope, message });
    };
    return {
      ...transport,
      publish: async (topic, bytes) => {
        watch(bytes);
        await transport.publish(topic, bytes);
      },
      publishTo: async (peers, topic, bytes) => {
        watch(bytes);
        await transport.publishTo(peers, topic, bytes);
      },
    };
  }
}

/** In a simulated swarm everybody takes every job. */
const TRUST_ALL = { includes: () => true };

const SILENT: Log = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };
