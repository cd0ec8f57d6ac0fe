import { LIMITS, utf8 } from '@starling/core';
import { expect, test } from 'vitest';
import { type TestNode, testNode, testNodes } from '../../../test/helpers/swarms.ts';
import { until } from '../../../test/helpers/until.ts';
import { GOSSIP_BUFFER_BYTES } from './libp2p-node.ts';

const text = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);

/** Waits until `node` exchanges whole messages with somebody on its only topic. */
const inMesh = ({ swarm }: TestNode): boolean => (swarm.status().topics[0]?.mesh ?? 0) > 0;

test('a message that is published again is delivered again', async () => {
  const [a, b] = (await testNodes(2)) as [TestNode, TestNode];
  const heard: string[] = [];
  b.swarm.subscribe('votes', (message) => heard.push(text(message)));
  a.swarm.subscribe('votes', () => {});
  await until(() => inMesh(a));
  await a.swarm.publish('votes', utf8('yes'));
  await a.swarm.publish('votes', utf8('yes'));
  await until(() => heard.length === 2);
});

test('what is too large is not taken from a peer that sends it all the same', async () => {
  const [a, b] = (await testNodes(2)) as [TestNode, TestNode];
  const sizes: number[] = [];
  b.swarm.subscribe('news', (message) => sizes.push(message.length));
  a.swarm.subscribe('news', () => {});
  await until(() => inMesh(a));
  const topic = '/starling/test/news';
  await a.node.services.pubsub.publish(topic, new Uint8Array(LIMITS.controlBytesMax + 1));
  await a.swarm.publish('news', utf8('small'));
  await until(() => sizes.length > 0);
  expect(sizes).toEqual([5]);
});

test('a subscriber that does not read takes bounded memory, and gossip comes back', async () => {
  const monitor = { intervalMs: 1_500, timeoutMs: 1_400 };
  const [a, b] = (await testNodes(2, { monitor })) as [TestNode, TestNode];
  const heard = new Set<string>();
  b.swarm.subscribe('news', (message) => heard.add(text(message.subarray(0, 20)).trim()));
  a.swarm.subscribe('news', () => {});
  await until(() => inMesh(a));
  for (const stream of gossipStreams(b, 'inbound')) stream.pause();

  let most = 0;
  const [out] = gossipStreams(a, 'outbound');
  for (let i = 0; i < 400 && out!.status === 'open'; i++) {
    await a.swarm.publish('news', new Uint8Array(LIMITS.controlBytesMax).fill(i));
    most = Math.max(most, out!.writeBufferLength);
  }
  expect(out!.status).toBe('aborted');
  expect(most).toBeGreaterThan(GOSSIP_BUFFER_BYTES / 2);
  expect(most).toBeLessThanOrEqual(GOSSIP_BUFFER_BYTES + 2 * LIMITS.controlBytesMax);

  let tries = 0;
  await until(async () => {
    await a.swarm.publish('news', utf8(`again ${++tries}`.padEnd(20)));
    return heard.has(`again ${tries - 1}`);
  }, 20_000);
}, 40_000);

test('a publisher without a single peer does not fail', async () => {
  const { swarm } = await testNode();
  await swarm.publish('news', utf8('nobody hears'));
});

function gossipStreams({ node }: TestNode, wanted: 'inbound' | 'outbound') {
  const protocols = node.services.pubsub.protocols;
  return node
    .getConnections()
    .flatMap(({ streams }) => streams)
    .filter(({ protocol, direction }) => protocols.includes(protocol) && direction === wanted);
}
