import { type BlobHash, utf8 } from '@starling/core';
import { hashHex, peerIdOf } from '@starling/crypto';
import { MemoryBlobStore } from '@starling/store';
import { expect, test } from 'vitest';
import { realClock } from '../../../../test/helpers/parts.ts';
import { fullyMeshed, type TestNode, testNodes } from '../../../../test/helpers/swarms.ts';
import { createBlobExchange } from './exchange.ts';

const OPTIONS = { timeoutMs: 10_000 };

test('a blob is found at the second peer asked, whole and checked', async () => {
  const nodes = (await testNodes(3)) as [TestNode, TestNode, TestNode];
  await fullyMeshed(nodes);
  const stores = nodes.map(() => new MemoryBlobStore());
  const exchanges = nodes.map(({ swarm }, i) =>
    createBlobExchange({ transport: swarm, store: stores[i]!, clock: realClock }),
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
    createBlobExchange({ transport: swarm, store: new MemoryBlobStore(), clock: realClock }),
  );
  const stranger = peerIdOf(new Uint8Array(32).fill(9));
  const hash = hashHex(utf8('nobody has it')) as BlobHash;
  const nowhere = a!.fetch(hash, [nodes[1].swarm.self, stranger], OPTIONS);
  await expect(nowhere).rejects.toMatchObject({ code: 'blob-unavailable' });
  await expect(nowhere).rejects.toThrow('does not hold it');
  await expect(nowhere).rejects.toThrow(stranger);
  await expect(a!.fetch(hash, [], OPTIONS)).rejects.toThrow('no peer to ask');
});
