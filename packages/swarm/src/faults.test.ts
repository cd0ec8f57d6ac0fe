import { connect } from 'node:net';
import type { SwarmOptions } from '@starling/swarm';
import { describe, expect, onTestFinished, test } from 'vitest';
import { type FaultyProxy, faultyProxy } from '../../../test/helpers/faulty-proxy.ts';
import { freePort } from '../../../test/helpers/free-port.ts';
import { fullyMeshed, type TestNode, testNode } from '../../../test/helpers/swarms.ts';
import { until } from '../../../test/helpers/until.ts';

const MONITOR = { intervalMs: 500, timeoutMs: 400 };
const EMPTY = new Uint8Array(0);

const portOf = ({ swarm }: TestNode): number =>
  Number(/tcp\/(\d+)/.exec(swarm.addresses()[0]!)![1]);

/** Two nodes of which the second knows the first only by a proxy. */
async function throughProxy(
  faults: Parameters<typeof faultyProxy>[0]['faults'] = {},
  options: Partial<SwarmOptions> = {},
): Promise<{ a: TestNode; b: TestNode; proxy: FaultyProxy }> {
  const port = await freePort();
  const proxy = await faultyProxy({ target: { port }, faults });
  const there = `/ip4/127.0.0.1/tcp/${proxy.port}`;
  const a = await testNode({
    ...options,
    listen: [`/ip4/127.0.0.1/tcp/${port}`],
    announce: [there],
  });
  const b = await testNode({ ...options, listen: [], bootstrap: [there], relay: { use: false } });
  a.swarm.handle('/test/1', async ({ body }) => ({ header: EMPTY, body }));
  return { a, b, proxy };
}

const echo = async (b: TestNode, to: TestNode, bytes: number): Promise<number> => {
  const body = new Uint8Array(bytes).fill(7);
  const parcel = { header: EMPTY, body };
  const answer = await b.swarm.request(to.swarm.self, '/test/1', parcel, { timeoutMs: 30_000 });
  expect(answer.body).toEqual(body);
  return answer.body.length;
};

test('a peer that hangs is noticed, and found again when it goes on', async () => {
  const { a, b, proxy } = await throughProxy({}, { monitor: MONITOR });
  await fullyMeshed([a, b]);
  proxy.faults.stalled = true;
  await until(() => a.swarm.peers().length === 0 && b.swarm.peers().length === 0);
  proxy.faults.stalled = false;
  await fullyMeshed([a, b]);
});

test('a wrong bit never becomes a wrong byte: the connection is made anew', async () => {
  const { a, b, proxy } = await throughProxy();
  await fullyMeshed([a, b]);
  await echo(b, a, 100_000);
  proxy.faults.corruptRate = 1;
  await expect(echo(b, a, 100_000)).rejects.toThrow();
  proxy.faults.corruptRate = 0;
  await fullyMeshed([a, b]);
  expect(await echo(b, a, 100_000)).toBe(100_000);
  expect(proxy.counts.corrupted).toBeGreaterThan(0);
});

test('a connection that is reset in mid-transfer fails one request, not the next', async () => {
  const { a, b, proxy } = await throughProxy({ bytesPerSecond: 2_000_000 });
  await fullyMeshed([a, b]);
  const before = proxy.counts.bytes;
  const asked = echo(b, a, 2_000_000);
  asked.catch(() => {});
  await until(() => proxy.counts.bytes > before + 500_000);
  proxy.resetAll();
  await expect(asked).rejects.toMatchObject({ code: expect.stringMatching(/lost|unreachable/) });
  await fullyMeshed([a, b]);
  expect(await echo(b, a, 500_000)).toBe(500_000);
});

/** A handshake is given 20 s. */
const isFull = process.env['STARLING_TEST_SIZE'] === 'full';
test.skipIf(!isFull)(
  'sockets that say nothing, or a byte now and then, are closed and keep nobody out',
  async () => {
    const a = await testNode();
    const closed: boolean[] = [];
    const slow = Array.from({ length: 40 }, (_, i) => {
      const socket = connect(portOf(a), '127.0.0.1');
      socket.on('error', () => {});
      socket.on('close', () => {
        closed[i] = true;
      });
      // The beginning of a handshake that never comes to its end.
      const timer = i % 2 === 0 ? setInterval(() => socket.write('\x13'), 500) : undefined;
      onTestFinished(() => {
        clearInterval(timer);
        socket.destroy();
      });
      return socket;
    });
    await until(() => slow.every(({ readyState }) => readyState === 'open'));
    const b = await testNode({ bootstrap: a.swarm.addresses() });
    await fullyMeshed([a, b]);
    await until(() => closed.filter(Boolean).length === slow.length, 60_000, 'an end of all');
  },
);

describe('addresses', () => {
  test('of IPv6', async () => {
    const a = await testNode({ listen: ['/ip6/::1/tcp/0'] });
    const b = await testNode({ listen: ['/ip6/::1/tcp/0'], bootstrap: a.swarm.addresses() });
    await fullyMeshed([a, b]);
    expect(b.swarm.status().connections[0]?.address).toMatch(/^\/ip6\/::1\/tcp\//);
    await until(async () => (await b.swarm.diagnose()).reachability === 'local');
  });

  test('by name', async () => {
    const a = await testNode();
    const b = await testNode({ bootstrap: [`/dns4/localhost/tcp/${portOf(a)}`] });
    await fullyMeshed([a, b]);
  });
});

describe('a peer of another version', () => {
  test('is refused by name at both ends', async () => {
    const a = await testNode({ network: 'elsewhere' });
    await a.node.handle('/starling/swarm/3/test', (stream) => stream.abort(new Error('3')));
    const [address] = a.swarm.addresses();
    const b = await testNode();
    await b.node.handle('/starling/swarm/9/elsewhere', (stream) => stream.abort(new Error('9')));
    await expect(b.swarm.dial(address!)).rejects.toMatchObject({
      code: 'version-mismatch',
      message: expect.stringContaining('speaks version 3 of the swarm'),
    });
    await until(() => a.node.getConnections().length === 0);
    await expect(a.swarm.dial(b.swarm.addresses()[0]!)).rejects.toMatchObject({
      code: 'version-mismatch',
    });
  });
});
