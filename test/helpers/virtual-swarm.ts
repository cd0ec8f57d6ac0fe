import type { BlobHash, JobId, Membership, Transport } from '@starling/core';
import { hashHex, type SigningKey, signingKeyFromSeed } from '@starling/crypto';
import { inlineCompute, type NodeOptions, plainWire, StarlingNode } from '@starling/node';
import {
  DEFAULT_AGGREGATION,
  DEFAULT_TRAINING,
  type Manifest,
  NO_PRIVACY,
} from '@starling/protocol-rounds';
import type { DataMatch, Notice, Policy, Trainer } from '@starling/rounds';
import { NO_FAULTS } from '@starling/sim';
import { MemoryBlobStore, MemoryJournal } from '@starling/store';
import { fakeModel, fakeTrainer } from '../../packages/sim/src/fake-trainer.ts';
import { SimNetwork } from '../../packages/sim/src/network.ts';
import { Prng, seededRandom } from '../../packages/sim/src/prng.ts';
import { VirtualTime } from '../../packages/sim/src/virtual-time.ts';
import { silentLog } from './parts.ts';

export const TEST_MODEL = fakeModel(50);

/** A manifest for `TEST_MODEL`. */
export const virtualManifest = (changes: Partial<Manifest> = {}): Manifest => ({
  name: 'virtual',
  model: hashHex(TEST_MODEL) as BlobHash,
  data: { task: 'virtual', inputType: 'float32', inputShape: [1], target: 'classes', classes: 2 },
  loss: 'softmax-cross-entropy',
  training: { ...DEFAULT_TRAINING, batchSize: 1 },
  aggregation: { ...DEFAULT_AGGREGATION, phaseSeconds: 2 },
  privacy: NO_PRIVACY,
  admission: { minPeers: 3, maxPeers: 64, joinWindowSeconds: 5, participation: 1 },
  stop: { rounds: 2, target: null, seconds: 0 },
  nonce: new Uint8Array(16),
  ...changes,
});

/** What a test may want otherwise on one peer; everything is asked anew each time. */
export interface PeerSettings {
  policy: Policy;
  match: DataMatch;
  trainer: Trainer;
  /** Everybody is one unless told. */
  members: Membership | undefined;
}

interface Stood {
  readonly job: JobId;
  readonly kind: string;
  readonly isRecovered: boolean;
  readonly rounds: number;
}

/** One virtual peer whose disk outlives its node. */
export interface VirtualPeer {
  readonly key: SigningKey;
  readonly settings: PeerSettings;
  readonly blobs: MemoryBlobStore;
  readonly journal: MemoryJournal;
  readonly notices: Notice[];
  /** Where jobs stood whenever that was told, and what was there of their chains. */
  readonly standings: Stood[];
  node: StarlingNode;
}

const TRUST_ALL: Policy = { trust: { includes: () => true }, minPeers: 3 };
const HAS_DATA: DataMatch = { ok: true, dataset: 'mine' };

/** Real nodes on memory ports, a faultless network and time that a test moves. */
export class VirtualSwarm {
  readonly time = new VirtualTime();
  readonly peers: VirtualPeer[] = [];
  /** Bugs of ours that a node met. */
  readonly fatal: unknown[] = [];
  readonly #prng: Prng;
  readonly #network: SimNetwork;
  readonly #seed: number;

  constructor(seed: number) {
    this.#seed = seed;
    this.#prng = new Prng(BigInt(seed));
    const parts = { time: this.time, prng: this.#prng.fork(), faults: NO_FAULTS };
    this.#network = new SimNetwork({
      ...parts,
      burstMs: 2,
      onFault: () => {},
      onDelivery: () => {},
    });
  }

  keyOf(index: number): SigningKey {
    return signingKeyFromSeed(seededRandom(this.#seed, index, 0xffff).bytes(32));
  }

  /** A peer of which only the transport is there, for a test to speak through. */
  bare(key: SigningKey): Transport {
    return this.#network.join(key.peerId);
  }

  async add(changes: Partial<PeerSettings> = {}): Promise<VirtualPeer> {
    const index = this.peers.length;
    const trainer = fakeTrainer(this.#prng.fork());
    const peer = {
      key: this.keyOf(index),
      settings: { policy: TRUST_ALL, match: HAS_DATA, trainer, members: undefined, ...changes },
      blobs: new MemoryBlobStore(),
      journal: new MemoryJournal(),
      notices: [],
      standings: [],
    };
    const node = this.#node(peer, 0);
    const added: VirtualPeer = { ...peer, node };
    this.peers.push(added);
    await this.run(node.start());
    return added;
  }

  /** Stops a peer's process. */
  async kill(peer: VirtualPeer): Promise<void> {
    await this.run(peer.node.stop());
    this.#network.kill(peer.key.peerId);
  }

  /** Stops a peer's process and starts another on the same disk. */
  async restart(peer: VirtualPeer): Promise<void> {
    await this.kill(peer);
    peer.node = this.#node(peer, 1);
    await this.run(peer.node.start());
  }

  /** Moves time until `work` has settled. */
  async run<T>(work: Promise<T>): Promise<T> {
    let settled = false;
    const settle = () => {
      settled = true;
    };
    work.then(settle, settle);
    await this.until(() => settled);
    return work;
  }

  /** Moves time until `condition` holds, an hour at most. */
  async until(condition: () => boolean): Promise<void> {
    const limit = this.time.now + 3_600_000;
    while (!condition()) {
      if (this.time.now > limit) throw new Error('nothing of the sort within an hour');
      if (!(await this.time.step())) await new Promise((resolve) => setImmediate(resolve));
    }
  }

  /** Lets everything happen that happens within `ms`. */
  async pass(ms: number): Promise<void> {
    const end = this.time.now + ms;
    this.time.after(ms, () => {});
    await this.until(() => this.time.now >= end);
  }

  async stop(): Promise<void> {
    for (const { node } of this.peers) await this.run(node.stop());
  }

  #node(peer: Omit<VirtualPeer, 'node'>, boot: number): StarlingNode {
    const { key, settings, blobs, journal, notices, standings } = peer;
    const options: NodeOptions = {
      weight: 1,
      protection: 'double-masking',
      launchCopies: 3,
      policy: () => settings.policy,
      onFatal: (error) => this.fatal.push(error),
      onNotice: (_job: JobId, notice) => notices.push(notice),
      onStanding: (job) => {
        const { standing, isRecovered, certificates } = node.job(job)!;
        const { kind } = standing;
        standings.push({ job, kind, isRecovered, rounds: certificates.length });
      },
    };
    const parts = {
      clock: this.time.clock(() => true),
      random: seededRandom(this.#seed, this.peers.length, boot),
      log: silentLog,
      transport: this.#network.join(key.peerId),
      blobs,
      journal,
      trainer: settings.trainer,
      compute: inlineCompute,
      wire: plainWire,
      key,
      ...(settings.members && { members: settings.members }),
    };
    const node = new StarlingNode(parts, options, { match: async () => settings.match });
    return node;
  }
}
