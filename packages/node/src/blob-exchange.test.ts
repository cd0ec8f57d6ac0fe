import {
  type BlobHash,
  type BlobStore,
  type Parcel,
  type PeerId,
  type Transport,
  utf8,
} from '@starling/core';
import { hashHex, peerIdOf } from '@starling/crypto';
import { BLOBS_PROTOCOL } from '@starling/protocol-blobs';
import { expect, test } from 'vitest';
import { fullyMeshed, type TestNode, testNodes } from '../../../test/helpers/swarms.ts';
import { createBlobExchange } from './blob-exchange.ts';

const OPTIONS = { timeoutMs: 10_000 };

/** Enough of a store for this; `packages/store` is not below this package. */
function memoryStore(): BlobStore {
  const blobs = new Map<BlobHash, Uint8Array>();
  return {
    put: async (bytes) => {
      const hash = hashHex(bytes) as BlobHash;
      blobs.set(hash, bytes);
      return hash;
    },
    get: async (hash) => blobs.get(hash),
    has: async (hash) => blobs.has(hash),
    delete: async (hash) => void blobs.delete(hash),
    list: async function* () {
      yield* blobs.keys();
    },
  };
}

test('a blob is found at the second peer asked, whole and checked', async () => {
  const nodes = (await testNodes(3)) as [TestNode, TestNode, TestNode];
  await fullyMeshed(nodes);
  const stores = nodes.map(() => memoryStore());
  const exchanges = nodes.map(({ swarm }, i) =>
    createBlobExchange({ transport: swarm, store: stores[i]! }),
  );
  const blob = new Uint8Array(3_000_000).map((_, i) => i % 251);
  const hash = await stores[2]!.put(blob);
  const peers = nodes.slice(1).map(({ swarm }) => swarm.self);
  const got = await exchanges[0]!.fetch(hash, peers, OPTIONS);
  expect(hashHex(got)).toBe(hash);
});

test('each reason is told when no peer has it [B-2]', async () => {
  const nodes = (await testNodes(2)) as [TestNode, TestNode];
  await fullyMeshed(nodes);
  const [a] = nodes.map(({ swarm }) =>
    createBlobExchange({ transport: swarm, store: memoryStore() }),
  );
  const stranger = peerIdOf(new Uint8Array(32).fill(9));
  const hash = hashHex(utf8('nobody has it')) as BlobHash;
  const nowhere = a!.fetch(hash, [nodes[1].swarm.self, stranger], OPTIONS);
  await expect(nowhere).rejects.toMatchObject({ code: 'blob-unavailable' });
  await expect(nowhere).rejects.toThrow('does not hold it');
  await expect(nowhere).rejects.toThrow(stranger);
  await expect(a!.fetch(hash, [], OPTIONS)).rejects.toThrow('no peer to ask');
});

/** A transport of which only direct requests matter; `answers` maps a peer to what it gives. */
function fakeTransport(answers: ReadonlyMap<PeerId, Parcel>): {
  readonly transport: Transport;
  readonly serve: (parcel: Parcel) => Promise<Parcel>;
} {
  let handler: ((parcel: Parcel, from: PeerId) => Promise<Parcel>) | undefined;
  const self = 'self' as PeerId;
  const transport: Transport = {
    self,
    peers: () => [...answers.keys()],
    publish: async () => {},
    subscribe: () => () => {},
    onPeerChange: () => () => {},
    request: async (to) => answers.get(to)!,
    handle: (protocol, answer) => {
      expect(protocol).toBe(BLOBS_PROTOCOL);
      handler = answer;
    },
    provide: async () => {},
    findProviders: async () => [],
  };
  return { transport, serve: (parcel) => handler!(parcel, self) };
}

test('lying peers are passed over, an own blob is not asked for [B-4]', async () => {
  const blob = utf8('the truth');
  const hash = hashHex(blob) as BlobHash;
  const found = new Uint8Array([0x92, 0, 0x91, blob.length]);
  const [liar, garbler, honest] = ['liar', 'garbler', 'honest'] as [PeerId, PeerId, PeerId];
  const { transport } = fakeTransport(
    new Map([
      [liar, { header: found, body: utf8('the trush') }],
      [garbler, { header: utf8('?'), body: blob }],
      [honest, { header: found, body: blob }],
    ]),
  );
  const store = memoryStore();
  const exchange = createBlobExchange({ transport, store });
  expect(await exchange.fetch(hash, [liar, garbler, honest], OPTIONS)).toEqual(blob);
  expect(await store.has(hash)).toBe(false);
  await expect(exchange.fetch(hash, [liar, garbler], OPTIONS)).rejects.toThrow('other bytes');
  await store.put(blob);
  expect(await exchange.fetch(hash, [], OPTIONS)).toEqual(blob);
});

test('serves what `extra` gives, and refuses what is no request [B-3]', async () => {
  const chunk = utf8('a chunk in memory');
  const hash = hashHex(chunk) as BlobHash;
  const extra = (asked: BlobHash): Uint8Array | undefined => (asked === hash ? chunk : undefined);
  const { transport, serve } = fakeTransport(new Map());
  createBlobExchange({ transport, store: memoryStore(), extra });
  const header = new Uint8Array([0x91, 0xc4, 32, ...Buffer.from(hash, 'hex')]);
  const answer = await serve({ header, body: new Uint8Array(0) });
  expect(answer.body).toEqual(chunk);
  await expect(serve({ header, body: utf8('x') })).rejects.toThrow('no body');
  await expect(serve({ header: utf8('junk'), body: new Uint8Array(0) })).rejects.toThrow();
});
