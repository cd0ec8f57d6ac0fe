import { encodeCanonical, type JobId, type PeerId } from '@starling/core';
import { type SigningKey, signingKeyFromSeed } from '@starling/crypto';
import { BLOBS_PROTOCOL } from '@starling/protocol-blobs';
import {
  type Body,
  gossipCodec,
  jobsTopic,
  jobTopic,
  SYNC_PROTOCOL,
  sealEnvelope,
} from '@starling/protocol-rounds';
import { CHUNK_PROTOCOL, chunkHeaderCodec } from '@starling/protocol-secagg';
import { createSwarm, type Swarm } from '@starling/swarm';
import { seededRandom } from '../../packages/sim/src/prng.ts';
import { realParts } from '../helpers/parts.ts';
import { until } from '../helpers/until.ts';

const PROTOCOLS = [SYNC_PROTOCOL, CHUNK_PROTOCOL, BLOBS_PROTOCOL];
const REQUEST = { timeoutMs: 2_000 };
const PAUSE_MS = 150;

export interface Flood {
  /** Ends it; how much was sent. */
  stop(): Promise<{ readonly published: number; readonly asked: number }>;
}

/** A real peer of the swarm that speaks every protocol and nothing but garbage. */
export class Rogue {
  readonly #swarm: Swarm;
  readonly #key: SigningKey;
  readonly #random = seededRandom(1, 0, 0);

  private constructor(swarm: Swarm, key: SigningKey) {
    this.#swarm = swarm;
    this.#key = key;
  }

  /** Enters the swarm, connected to everybody in it. */
  static async join(bootstrap: readonly string[]): Promise<Rogue> {
    const seed = realParts.random.bytes(32);
    const listen = ['/ip4/127.0.0.1/tcp/0'];
    const options = { seed, network: 'demo', listen, bootstrap, mdns: false };
    const swarm = await createSwarm(options, realParts);
    const rogue = new Rogue(swarm, signingKeyFromSeed(seed));
    // Whoever asks gets garbage, too.
    for (const protocol of PROTOCOLS) {
      swarm.handle(protocol, async () => ({ header: rogue.#bytes(40), body: rogue.#bytes(900) }));
    }
    await until(() => swarm.peers().length >= 3, 20_000, 'the rogue is connected');
    return rogue;
  }

  leave(): Promise<void> {
    return this.#swarm.stop();
  }

  /** Sends one thing of every sort after another, until it is stopped. */
  flood(job: string): Flood {
    const topics = [jobsTopic, jobTopic(job as JobId)];
    for (const topic of topics) this.#swarm.subscribe(topic, () => {});
    let stopped = false;
    let published = 0;
    let asked = 0;
    const gossip = async () => {
      while (!stopped) {
        for (const topic of topics) {
          for (const message of this.#messages()) {
            await this.#swarm.publish(topic, message).catch(() => {});
            published += 1;
          }
        }
        // The daemons share two cores with it: a lie a moment is enough.
        await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
      }
    };
    const requests = async () => {
      while (!stopped) {
        for (const protocol of PROTOCOLS) {
          const victim = this.#victim();
          await this.#swarm.request(victim, protocol, this.#parcel(), REQUEST).catch(() => {});
          asked += 1;
        }
        await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
      }
    };
    const running = Promise.all([gossip(), requests()]);
    return {
      stop: async () => {
        stopped = true;
        await running;
        return { published, asked };
      },
    };
  }

  #bytes(most: number): Uint8Array {
    const length = new DataView(this.#random.bytes(2).buffer).getUint16(0);
    return this.#random.bytes(1 + (length % most));
  }

  #victim(): PeerId {
    const peers = this.#swarm.peers();
    return peers[this.#random.bytes(1)[0]! % peers.length]!;
  }

  /** Bare noise, noise inside a well-formed message, and a well-formed and signed lie. */
  #messages(): readonly Uint8Array[] {
    const roundId = Buffer.from(this.#random.bytes(32)).toString('hex') as never;
    const lie = (body: Body) =>
      sealEnvelope({ roundId, attempt: 0, roster: null }, body, this.#key);
    const envelopes = [
      lie({ kind: 'roster', joins: [] }),
      lie({ kind: 'session', message: this.#bytes(200) }),
      lie({
        kind: 'join',
        round: 1_000_000,
        restarts: 1_000,
        parent: roundId,
        stateHash: roundId,
        hello: this.#bytes(200),
        beacon: new Uint8Array(32),
        weight: 1,
      }),
    ];
    return [
      this.#bytes(20_000),
      encodeCanonical(gossipCodec, { kind: 'envelope', bytes: this.#bytes(2_000) }),
      encodeCanonical(gossipCodec, { kind: 'head', round: 999_999, certificate: null }),
      ...envelopes.map(({ bytes }) => encodeCanonical(gossipCodec, { kind: 'envelope', bytes })),
    ];
  }

  #parcel() {
    const chunk = { roundId: this.#random.bytes(32), attempt: 0, chunk: 0, proof: [] };
    return this.#random.bytes(1)[0]! < 128
      ? { header: encodeCanonical(chunkHeaderCodec, chunk), body: this.#bytes(60_000) }
      : { header: this.#bytes(300), body: this.#bytes(5_000) };
  }
}
