import { createHash } from 'node:crypto';
import { utf8 } from '@starling/core';
import type { SwarmOptions } from '@starling/swarm';
import { describe, expect, test } from 'vitest';
import { privateNode } from '../../../test/helpers/private-swarms.ts';
import { fullyMeshed, type TestNode, testNode } from '../../../test/helpers/swarms.ts';
import { until } from '../../../test/helpers/until.ts';
import { testSwarm } from '../../membership/src/testing/swarm-of.ts';
import { FramedStream } from './framed-stream.ts';

const MIB = 2 ** 20;
const OFFER = { maxConnections: 8 };
/** Behind a NAT is, on loopback: listens nowhere, so nobody can dial it. */
const HIDDEN: Partial<SwarmOptions> = { listen: [] };

const reserved = ({ swarm }: TestNode, relay: TestNode): boolean =>
  swarm.status().relay.reservations.includes(relay.swarm.self);

async function hiddenPair(relay: TestNode): Promise<readonly [TestNode, TestNode]> {
  const bootstrap = relay.swarm.addresses();
  const pair = [
    await testNode({ ...HIDDEN, bootstrap }),
    await testNode({ ...HIDDEN, bootstrap }),
  ] as const;
  return pair;
}

test('two peers that nobody can dial meet through a relay without limits', async () => {
  const relay = await testNode({ relay: { offer: OFFER } });
  const [a, b] = await hiddenPair(relay);
  await fullyMeshed([relay, a, b]);
  expect(a.swarm.status().connections.find(({ peer }) => peer === b.swarm.self)?.relayed).toBe(
    true,
  );
  b.swarm.handle('/test/1', async ({ body }) => ({
    header: createHash('sha256').update(body).digest(),
    body: new Uint8Array(0),
  }));
  const body = new Uint8Array(4 * 1024 * 1024).fill(7);
  const { header } = await a.swarm.request(
    b.swarm.self,
    '/test/1',
    { header: new Uint8Array(0), body },
    { timeoutMs: 60_000 },
  );
  expect(Buffer.from(header)).toEqual(createHash('sha256').update(body).digest());
  expect(a.swarm.relayOf?.(b.swarm.self)).toBe(relay.swarm.self);
  expect(a.swarm.relayOf?.(relay.swarm.self)).toBeUndefined();
  const offer = relay.swarm.status().relay.offer;
  expect(offer).toMatchObject({ reservations: 2, maxConnections: 8 });
  expect(offer!.connections).toBeGreaterThanOrEqual(1);
});

test('a reservation is made anew when the relay has come back', async () => {
  const seed = new Uint8Array(32).fill(41);
  const relay = await testNode({ seed, relay: { offer: OFFER } });
  const [a, b] = await hiddenPair(relay);
  await fullyMeshed([relay, a, b]);
  await until(() => reserved(a, relay) && reserved(b, relay));
  const [listen] = relay.swarm.addresses();
  await relay.swarm.stop();
  await until(() => a.swarm.peers().length === 0 && b.swarm.peers().length === 0);
  expect(a.swarm.addresses()).toEqual([]);
  const again = await testNode({
    ...{ seed, relay: { offer: OFFER } },
    listen: [listen!.replace(/\/p2p\/.*/, '')],
  });
  await fullyMeshed([again, a, b]);
  await until(() => reserved(a, again) && reserved(b, again));
  expect(a.swarm.addresses().some((address) => address.includes('/p2p-circuit/'))).toBe(true);
});

test('whoever is reachable is dialled back, and the relayed connection makes room', async () => {
  const relay = await testNode({ relay: { offer: OFFER } });
  const bootstrap = relay.swarm.addresses();
  const hidden = await testNode({ ...HIDDEN, bootstrap });
  await fullyMeshed([relay, hidden]);
  await until(() => reserved(hidden, relay));
  const open = await testNode({ relay: { use: false } });
  const [address] = hidden.swarm.addresses();
  await open.swarm.dial(address!);
  await until(() =>
    hidden.swarm
      .status()
      .connections.some(({ peer, relayed }) => peer === open.swarm.self && !relayed),
  );
});

test('a relay has as many places as its owner says, and says when it has none', async () => {
  const relay = await testNode({ relay: { offer: { maxConnections: 1 } } });
  const bootstrap = relay.swarm.addresses();
  const first = await testNode({ ...HIDDEN, bootstrap });
  await until(() => reserved(first, relay));
  const second = await testNode({ ...HIDDEN, bootstrap });
  const why = await until(() => second.swarm.status().relay.lastError);
  expect(why).toBe(`${relay.swarm.self}: it has no place left`);
  // However often it asks: a refused question leaves no stream behind.
  const asked = relay.node.getConnections(second.node.peerId).flatMap(({ streams }) => streams);
  await until(() =>
    asked.every(({ protocol, status }) => !/hop$/.test(protocol) || status !== 'open'),
  );
});

test('gossip and requests pass a relay that has limits, until they are used up', async () => {
  const offer = { maxConnections: 8, bytesMax: 2 * 1024 * 1024, secondsMax: 3600 };
  const relay = await testNode({ relay: { offer } });
  const [a, b] = await hiddenPair(relay);
  await fullyMeshed([relay, a, b]);
  b.swarm.handle('/test/1', async () => ({
    header: Uint8Array.of(1),
    body: new Uint8Array(8 * 1024 * 1024),
  }));
  const ask = () =>
    a.swarm.request(
      b.swarm.self,
      '/test/1',
      { header: new Uint8Array(0), body: new Uint8Array(0) },
      { timeoutMs: 30_000 },
    );
  await expect(ask()).rejects.toMatchObject({ code: 'connection-lost' });
  const heard = new Promise<Uint8Array>((resolve) => b.swarm.subscribe('news', resolve));
  await fullyMeshed([relay, a, b]);
  await until(async () => {
    await a.swarm.publish('news', Uint8Array.of(9));
    return Promise.race([heard, Promise.resolve(undefined)]);
  });
  expect([...(await heard)]).toEqual([9]);
});

test('a relay between a fast sender and a reader that does not read holds little', async () => {
  const relay = await testNode({ relay: { offer: OFFER } });
  const [a, b] = await hiddenPair(relay);
  await fullyMeshed([relay, a, b]);
  let reader: FramedStream | undefined;
  await b.node.handle('/test/1', (stream) => {
    reader = new FramedStream(stream);
  });
  const [connection] = a.node.getConnections(b.node.peerId);
  const stream = new FramedStream(await connection!.newStream('/test/1'));
  let written = 0;
  const stop = new AbortController();
  const writing = (async () => {
    const payload = new Uint8Array(256 * 1024);
    for (; written < 400; written++) await stream.write([{ kind: 2, payload }], stop.signal);
  })();
  writing.catch(() => {});
  let before = -1;
  await until(async () => {
    const same = written === before;
    before = written;
    await new Promise((resolve) => setTimeout(resolve, 500));
    return same;
  });
  // Windows and buffers of 4 and 8 MiB on four connection ends.
  expect(written * 256 * 1024).toBeLessThan(64 * MIB);
  for (let i = 0; i < 400; i++) await reader!.read();
  await writing;
  expect(written).toBe(400);
});

describe('in a private swarm', () => {
  test('members meet through a relay of theirs; a stranger gets no place there', async () => {
    const swarm = testSwarm(4);
    const admin = await privateNode(swarm, 0, { options: { relay: { offer: OFFER } } });
    const options = { ...HIDDEN, bootstrap: admin.swarm.addresses() };
    const a = await privateNode(swarm, 1, { options });
    const b = await privateNode(swarm, 2, { options });
    await fullyMeshed([admin, a, b]);
    expect(a.swarm.status().connections.some(({ relayed }) => relayed)).toBe(true);
    const parcel = { header: new Uint8Array(0), body: utf8('echo') };
    b.swarm.handle('/test/1', async ({ body }) => ({ header: new Uint8Array(0), body }));
    const answer = await a.swarm.request(b.peer, '/test/1', parcel, { timeoutMs: 5_000 });
    expect(answer.body).toEqual(utf8('echo'));

    const stranger = await privateNode(swarm, 3, { options, stranger: true });
    await until(() => stranger.swarm.status().refusedBy.length > 0);
    expect(stranger.swarm.status().relay.reservations).toEqual([]);
    expect(admin.swarm.status().relay.offer?.reservations).toBe(2);
  });

  test('who is revoked loses its place, and what went through', async () => {
    const swarm = testSwarm(3);
    const admin = await privateNode(swarm, 0, { options: { relay: { offer: OFFER } } });
    const options = { ...HIDDEN, bootstrap: admin.swarm.addresses() };
    const a = await privateNode(swarm, 1, { options });
    const b = await privateNode(swarm, 2, { options });
    await fullyMeshed([admin, a, b]);
    await admin.members.revoke({ kind: 'peer', peer: b.peer }, 'left');
    await until(() => a.swarm.peers().length === 1 && b.swarm.peers().length === 0);
    expect(a.swarm.peers()).toEqual([admin.peer]);
    await until(() => b.swarm.addresses().length === 0);
  });
});
