import type { KadDHT, SingleKadDHT } from '@libp2p/kad-dht';
import {
  assert,
  type Clock,
  type PeerId,
  ProtocolError,
  type Random,
  type RequestOptions,
} from '@starling/core';
import { CID } from 'multiformats/cid';
import * as raw from 'multiformats/codecs/raw';
import { create as digestOf } from 'multiformats/hashes/digest';
import { withDeadline } from './deadline.ts';
import { peerOf } from './identity.ts';

const SHA2_256 = 0x12;
const KEY_BYTES = 32;
const PROVIDE_TIMEOUT_MS = 30_000;
const WALK_TIMEOUT_MS = 5_000;

export interface ProviderParts {
  readonly dht: KadDHT;
  readonly self: PeerId;
  readonly clock: Clock;
  readonly random: Random;
}

/**
 * Who has what, in the DHT. Every query has a deadline: kad-dht waits for ever while its routing
 * table is empty. Answers are hints: records of dead peers stay for two days.
 */
export class Providers {
  readonly #parts: ProviderParts;

  constructor(parts: ProviderParts) {
    this.#parts = parts;
  }

  /** @throws ProtocolError 'timeout' when no peer could be told in time */
  async provide(key: Uint8Array): Promise<void> {
    const cid = cidOf(key);
    await withDeadline(this.#parts.clock, PROVIDE_TIMEOUT_MS, 'provide', async (signal) => {
      await drain(this.#parts.dht.provide(cid, { signal }));
      if (signal.aborted) throw signal.reason;
    });
  }

  /** What was found within the time, which may be nothing; ourselves left out. */
  async findProviders(key: Uint8Array, { timeoutMs }: RequestOptions): Promise<readonly PeerId[]> {
    const found = new Set<PeerId>();
    const cid = cidOf(key);
    await untilLate(this.#parts.clock, timeoutMs, async (signal) => {
      for await (const event of this.#parts.dht.findProviders(cid, { signal })) {
        if (event.name !== 'PROVIDER' && event.name !== 'PEER_RESPONSE') continue;
        for (const { id } of event.providers) {
          const peer = peerOf(id);
          if (peer !== undefined && peer !== this.#parts.self) found.add(peer);
        }
      }
    });
    return [...found];
  }

  /**
   * Asks for the neighbours of a random point: every peer it names enters the peer store.
   * @returns how many peers answered
   */
  async walk(): Promise<number> {
    const point = this.#parts.random.bytes(KEY_BYTES);
    const answered = new Set<string>();
    await untilLate(this.#parts.clock, WALK_TIMEOUT_MS, async (signal) => {
      for await (const event of this.#parts.dht.getClosestPeers(point, { signal })) {
        if (event.name === 'PEER_RESPONSE') answered.add(event.from.toString());
      }
    });
    return answered.size;
  }

  routingTableSize(): number {
    const { dht } = this.#parts;
    return hasTable(dht) ? dht.routingTable.size : 0;
  }
}

function cidOf(key: Uint8Array): CID {
  assert(key.length === KEY_BYTES, `key of ${key.length} bytes`);
  return CID.createV1(raw.code, digestOf(SHA2_256, key));
}

async function drain(events: AsyncIterable<unknown>): Promise<void> {
  for await (const _event of events);
}

/** Runs a query that gives what it has by then; only its own time-out is no error. */
async function untilLate(
  clock: Clock,
  ms: number,
  query: (signal: AbortSignal) => Promise<void>,
): Promise<void> {
  try {
    await withDeadline(clock, ms, 'query', query);
  } catch (error) {
    if (!(error instanceof ProtocolError && error.code === 'timeout')) throw error;
  }
}

function hasTable(dht: KadDHT): dht is SingleKadDHT {
  return 'routingTable' in dht;
}
