import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { LIMITS, type Parcel, utf8 } from '@starling/core';
import { expect, onTestFinished, test } from 'vitest';
import { realParts, realRandom } from '../../../test/helpers/parts.ts';
import { fullyMeshed, type TestNode, testNode, testNodes } from '../../../test/helpers/swarms.ts';
import { until } from '../../../test/helpers/until.ts';
import { FramedStream } from './framed-stream.ts';
import { peerOf } from './identity.ts';
import { Requests } from './requests.ts';
import { STREAMS_PER_PEER_MAX } from './stream-pool.ts';

const CHILD = fileURLToPath(
  new URL('../../../test/helpers/children/swarm-peer.ts', import.meta.url),
);
const EMPTY: Parcel = { header: new Uint8Array(0), body: new Uint8Array(0) };
const OPTIONS = { timeoutMs: 20_000 };

async function pair(): Promise<[TestNode, TestNode]> {
  const nodes = (await testNodes(2)) as [TestNode, TestNode];
  await fullyMeshed(nodes);
  return nodes;
}

/** Streams of `protocol` that `node` has open, in either direction. */
const open = ({ node }: TestNode, protocol: string): number =>
  node
    .getConnections()
    .flatMap(({ streams }) => streams)
    .filter((stream) => stream.protocol === `${protocol}/test`).length;

test('many requests share a few streams, which stay open', async () => {
  const [a, b] = await pair();
  let atOnce = 0;
  let most = 0;
  b.swarm.handle('/test/count/1', async (parcel) => {
    most = Math.max(most, ++atOnce);
    // The first ones wait until every stream that there may be is busy.
    await until(() => most >= STREAMS_PER_PEER_MAX);
    atOnce--;
    return parcel;
  });
  const ask = (): Promise<Parcel> => a.swarm.request(b.swarm.self, '/test/count/1', EMPTY, OPTIONS);
  await Promise.all(Array.from({ length: 300 }, ask));
  expect(most).toBe(STREAMS_PER_PEER_MAX);
  expect(open(a, '/test/count/1')).toBe(STREAMS_PER_PEER_MAX);
  await ask();
  expect(open(a, '/test/count/1')).toBe(STREAMS_PER_PEER_MAX);
});

test('a request waits for its turn no longer than its time', async () => {
  const [a, b] = await pair();
  let finish: () => void = () => {};
  b.swarm.handle('/test/gate/1', async (parcel) => {
    await new Promise<void>((resolve) => {
      const before = finish;
      finish = () => {
        before();
        resolve();
      };
    });
    return parcel;
  });
  const ask = (timeoutMs: number): Promise<Parcel> =>
    a.swarm.request(b.swarm.self, '/test/gate/1', EMPTY, { timeoutMs });
  const first = Array.from({ length: STREAMS_PER_PEER_MAX }, () => ask(10_000));
  await until(() => open(b, '/test/gate/1') === STREAMS_PER_PEER_MAX);
  await expect(ask(100)).rejects.toMatchObject({ code: 'timeout' });
  let served = false;
  const last = ask(10_000).then(() => {
    served = true;
  });
  await until(() => {
    finish();
    return served;
  });
  await last;
  await Promise.all(first);
});

/** A peer in a process of its own, connected to `swarm`. */
async function childOf({ swarm }: TestNode) {
  const child = spawn(process.execPath, ['--import', 'tsx', CHILD], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  onTestFinished(() => void child.kill('SIGKILL'));
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const next = async (): Promise<string> => (await lines.next()).value;
  return { child, next, peer: await swarm.dial(await next()) };
}

test('a peer that is killed in the middle rejects what it was asked', async () => {
  const node = await testNode();
  const { child, next, peer } = await childOf(node);
  const ask = (protocol: string): Promise<Parcel> =>
    node.swarm.request(peer, protocol, EMPTY, OPTIONS);
  expect((await ask('/test/large/1')).body).toHaveLength(64 * 1024 * 1024);
  const [hanging, halfway] = [ask('/test/hang/1'), ask('/test/large/1')];
  for (const request of [hanging, halfway]) request.catch(() => {});
  expect(await next()).toBe('asked');
  const exit = once(child, 'exit');
  child.kill('SIGKILL');
  await exit;
  const killedAt = performance.now();
  await expect(hanging).rejects.toMatchObject({ code: 'connection-lost' });
  await expect(halfway).rejects.toMatchObject({ code: 'connection-lost' });
  expect(performance.now() - killedAt).toBeLessThan(5_000);
  await expect(ask('/test/hang/1')).rejects.toMatchObject({ code: 'unreachable' });
}, 30_000);

test('a peer that hangs is noticed by the monitor, long before the request runs out', async () => {
  const node = await testNode({ monitor: { intervalMs: 600, timeoutMs: 500 } });
  const { child, next, peer } = await childOf(node);
  const hanging = node.swarm.request(peer, '/test/hang/1', EMPTY, OPTIONS);
  hanging.catch(() => {});
  expect(await next()).toBe('asked');
  child.kill('SIGSTOP');
  const stoppedAt = performance.now();
  await expect(hanging).rejects.toMatchObject({ code: 'connection-lost' });
  expect(performance.now() - stoppedAt).toBeLessThan(5_000);
}, 30_000);

test('a peer that is known but not connected is dialled', async () => {
  const [a, b] = await pair();
  b.swarm.handle('/test/echo/1', async (parcel) => parcel);
  await a.node.hangUp(b.node.peerId);
  const answer = await a.swarm.request(b.swarm.self, '/test/echo/1', EMPTY, OPTIONS);
  expect(answer).toEqual(EMPTY);
});

test('a declared size beyond the limit is refused, and too much at once as well', async () => {
  const [a, b] = [await testNode(), await testNode()];
  const requests = new Requests({
    ...realParts,
    open: async () => Promise.reject(new Error('only serves')),
    bodyBytesMax: 1_000_000,
  });
  const waiting: (() => void)[] = [];
  await b.node.handle('/test/small/1/test', (stream, { remotePeer }) =>
    requests.serve(stream, peerOf(remotePeer)!, async () => {
      await new Promise<void>((resolve) => waiting.push(resolve));
      return EMPTY;
    }),
  );
  await a.swarm.dial(b.swarm.addresses()[0]!);
  const ask = (bytes: number): Promise<Parcel> =>
    a.swarm.request(
      b.swarm.self,
      '/test/small/1',
      { ...EMPTY, body: new Uint8Array(bytes) },
      OPTIONS,
    );
  const large = ask(20_000_000);
  await expect(large).rejects.toMatchObject({ code: 'refused' });
  await expect(large).rejects.toThrow('body of 20000000 bytes, at most 1000000');

  const fits = ask(700_000);
  await until(() => waiting.length === 1);
  await expect(ask(700_000)).rejects.toThrow('too many large requests at once');
  waiting[0]!();
  await fits;
  const again = ask(700_000);
  await until(() => waiting.length === 2);
  waiting[1]!();
  await again;
});

test('a body as large as memory allows for, sent and received whole', async () => {
  const [a, b] = await pair();
  const body = new Uint8Array(100_000_000).fill(3);
  b.swarm.handle('/test/swap/1', async ({ body: got }) => ({ ...EMPTY, body: got }));
  const answer = await a.swarm.request(b.swarm.self, '/test/swap/1', { ...EMPTY, body }, OPTIONS);
  expect(Buffer.compare(answer.body, body)).toBe(0);
}, 30_000);

test('garbage on every protocol ends the stream and nothing else', async () => {
  const [a, b] = [await testNode(), await testNode()];
  b.swarm.handle('/test/echo/1', async (parcel) => parcel);
  b.swarm.subscribe('news', () => {});
  await a.swarm.dial(b.swarm.addresses()[0]!);
  const protocols = b.node.getProtocols();
  expect(protocols).toContain('/test/echo/1/test');
  expect(protocols).toContain('/starling/kad/1.0.0/test');
  for (const protocol of protocols) {
    for (const garbage of [realRandom.bytes(2_000), new Uint8Array(9).fill(255), utf8('GET /')]) {
      // Some end the connection, as libp2p thinks best: then dial again.
      const stream = await a.node
        .dialProtocol(b.node.getMultiaddrs(), protocol, { signal: AbortSignal.timeout(5_000) })
        .catch(() => undefined);
      if (stream?.status !== 'open') continue;
      stream.send(garbage);
      await stream.close().catch(() => {});
    }
  }
  const wrong: [number, Uint8Array][] = [
    [1, new Uint8Array(2)],
    [1, new Uint8Array(LIMITS.controlBytesMax + 5)],
    [2, new Uint8Array(5)],
    [3, new Uint8Array(32)],
    [4, utf8('no')],
    [9, utf8('?')],
  ];
  for (const [kind, payload] of wrong) {
    const raw = await a.node.dialProtocol(b.node.getMultiaddrs(), '/test/echo/1/test');
    const stream = new FramedStream(raw);
    await stream.write([{ kind, payload }]);
    await until(() => raw.status !== 'open' || undefined);
    expect(raw.status).toBe('reset');
  }
  const answer = await a.swarm.request(b.swarm.self, '/test/echo/1', EMPTY, OPTIONS);
  expect(answer).toEqual(EMPTY);
}, 60_000);
