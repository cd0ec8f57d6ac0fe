import { decodeCanonical, encodeCanonical, type PeerId } from '@starling/core';
import { REACH_LIMITS, REACH_PROTOCOL, reachAnswer, reachRequest } from '@starling/protocol-reach';
import { expect, test } from 'vitest';
import { freePort } from '../../../test/helpers/free-port.ts';
import { fullyMeshed, type TestNode, testNode, testNodes } from '../../../test/helpers/swarms.ts';
import { until } from '../../../test/helpers/until.ts';

async function ask(from: TestNode, to: PeerId, addresses: readonly string[]) {
  const parcel = {
    header: new Uint8Array(0),
    body: encodeCanonical(reachRequest, { addresses: [...addresses] }),
  };
  const { body } = await from.swarm.request(to, REACH_PROTOCOL, parcel, { timeoutMs: 20_000 });
  return decodeCanonical(reachAnswer, body, REACH_LIMITS.messageBytesMax);
}

test('a peer learns from others that it can be dialled, and how it is seen', async () => {
  const nodes = await testNodes(3);
  await fullyMeshed(nodes);
  const report = await until(async () => {
    const found = await nodes[1]!.swarm.diagnose();
    return found.reachability === 'local' ? found : undefined;
  });
  expect(report.seenBy.map(({ observed }) => observed?.split('/')[2])).toContain('127.0.0.1');
  expect(report.silent).toEqual([]);
  for (const { skewMs } of report.seenBy) expect(Math.abs(skewMs)).toBeLessThan(60_000);
});

test('nobody is dialled but who asks, and not without end [N-2] [N-3]', async () => {
  const there = await testNode();
  const other = await testNode({ network: 'elsewhere' });
  const node = await testNode({ listen: [], bootstrap: there.swarm.addresses() });
  await fullyMeshed([there, node]);
  const port = await freePort();
  const closed = `/ip4/127.0.0.1/tcp/${port}`;
  const others = other.swarm.addresses()[0]!.replace(/\/p2p.*/, '');
  const { dialled, observed } = await until(async () => {
    const answer = await ask(node, there.swarm.self, ['/ip4/127.0.0.2/tcp/1', closed, others]);
    return answer.dialled[1]?.fault?.startsWith('not dialled: asked') ? undefined : answer;
  });
  expect(observed).toMatch(/^\/ip4\/127\.0\.0\.1\/tcp\/\d+$/);
  expect(dialled.map(({ fault }) => fault)).toEqual([
    'not dialled: not the host that you come from',
    'nobody listens there (ECONNREFUSED)',
    // It is somebody, and not the one that asked.
    'another peer is there',
  ]);
  const again = await ask(node, there.swarm.self, [closed]);
  expect(again.dialled[0]?.fault).toBe('not dialled: asked too often');
});
