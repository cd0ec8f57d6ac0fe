import { once } from 'node:events';
import { connect } from 'node:net';
import { ConfigError, utf8 } from '@starling/core';
import { sha256 } from '@starling/crypto';
import { expect, onTestFinished, test } from 'vitest';
import { realParts } from '../../../test/helpers/parts.ts';
import { testOptions } from '../../../test/helpers/swarm-options.ts';
import { fullyMeshed, type TestNode, testNode, testNodes } from '../../../test/helpers/swarms.ts';
import { temporaryDirectory } from '../../../test/helpers/temporary.ts';
import { until } from '../../../test/helpers/until.ts';
import { createSwarm } from './index.ts';
import { assembleSwarm } from './swarm.ts';

test('Promise.withResolvers is there, which libp2p needs and Node 20 lacks', () => {
  const { promise, resolve } = Promise.withResolvers<number>();
  resolve(7);
  return expect(promise).resolves.toBe(7);
});

test('pings of the DHT and of the monitor at once do not end a healthy connection', async () => {
  const [a, b] = (await testNodes(2)) as [TestNode, TestNode];
  await fullyMeshed([a, b]);
  const gone: string[] = [];
  a.swarm.onPeerChange((peer, connected) => gone.push(`${peer} ${connected}`));
  const { ping } = a.node.services;
  // By default the second of these is refused; the monitor, when it is the second, aborts.
  await Promise.all(Array.from({ length: 8 }, () => ping.ping(b.node.peerId)));
  expect(gone).toEqual([]);
});

test('the same seed is the same peer', async () => {
  const seed = new Uint8Array(32).fill(5);
  const first = await createSwarm(testOptions({ seed }), realParts);
  await first.stop();
  const second = await testNode({ seed });
  expect(second.swarm.self).toBe(first.self);
  expect(second.swarm.self).toMatch(/^12D3KooW/);
});

test('three nodes on private addresses: routing tables fill, a provided key is found', async () => {
  const nodes = await testNodes(3);
  // Client mode or the default address mapper would leave these at 0 for ever, without an error.
  await until(() => nodes.every(({ swarm }) => swarm.status().routingTableSize === 2));
  const key = sha256(utf8('a key'));
  await nodes[1]!.swarm.provide(key);
  const found = await nodes[2]!.swarm.findProviders(key, { timeoutMs: 5_000 });
  expect(found).toEqual([nodes[1]!.swarm.self]);
});

test('a query of a node that is alone ends by its deadline', async () => {
  const { swarm } = await testNode();
  expect(await swarm.findProviders(sha256(utf8('x')), { timeoutMs: 300 })).toEqual([]);
});

test('connections that say nothing do not lock others out', async () => {
  const { swarm } = await testNode();
  const [address] = swarm.addresses();
  const port = Number(/tcp\/(\d+)/.exec(address!)![1]);
  // libp2p's defaults refuse the sixth connection a second from one address, and everybody while
  // ten handshakes are unfinished: peers behind one NAT.
  const silent = Array.from({ length: 40 }, () => connect(port, '127.0.0.1'));
  onTestFinished(() => {
    for (const socket of silent) socket.destroy();
  });
  await Promise.all(silent.map((socket) => once(socket, 'connect')));
  const late = await testNode();
  expect(await late.swarm.dial(address!)).toBe(swarm.self);
});

test('a bootstrap peer that is down at start is found when it comes up', async () => {
  const seed = new Uint8Array(32).fill(6);
  const down = await createSwarm(testOptions({ seed }), realParts);
  const [address] = down.addresses();
  await down.stop();

  const { swarm } = await testNode({ bootstrap: [address!] });
  await until(() => (swarm.status().bootstrap[0]?.attempts ?? 0) >= 2);
  expect(swarm.status().bootstrap[0]).toMatchObject({ address, connected: false });
  expect(swarm.status().bootstrap[0]?.lastError).toContain('ECONNREFUSED');

  const listen = [address!.replace(/\/p2p\/.*/, '')];
  const up = await testNode({ seed, listen });
  await until(() => swarm.peers().includes(up.swarm.self));
  await until(() => swarm.status().bootstrap[0]?.connected);
  expect(swarm.status().bootstrap[0]).not.toHaveProperty('lastError');
});

test('a lost peer is found again after its restart, and listeners are told', async () => {
  const first = await testNode();
  const changes: string[] = [];
  first.swarm.onPeerChange((_peer, connected) => changes.push(connected ? 'came' : 'went'));
  const seed = new Uint8Array(32).fill(7);
  const bootstrap = first.swarm.addresses();
  const second = await createSwarm(testOptions({ seed, bootstrap }), realParts);
  await until(() => first.swarm.peers().length === 1);
  const listen = [second.addresses()[0]!.replace(/\/p2p\/.*/, '')];
  await second.stop();
  await until(() => first.swarm.peers().length === 0);
  const down = await until(() => first.swarm.status().unreachable[0]);
  expect(down).toMatchObject({ peer: second.self });
  expect(down.lastError).toContain('ECONNREFUSED');
  // Without a bootstrap address of its own: the first node must dial.
  await testNode({ seed, listen });
  await until(() => first.swarm.peers().length === 1);
  expect(changes).toEqual(['came', 'went', 'came']);
});

test('what was learnt about peers survives a restart with a datastore', async () => {
  const [first, third] = [await testNode(), await testNode()];
  const seed = new Uint8Array(32).fill(8);
  const datastore = await temporaryDirectory();
  const bootstrap = [...first.swarm.addresses(), ...third.swarm.addresses()];
  const before = await assembleSwarm(testOptions({ seed, datastore, bootstrap }), realParts);
  await until(() => before.swarm.peers().length === 2);
  // A peer that has just started may first send a record without addresses, and the full one next.
  await until(async () =>
    (await before.node.peerStore.all()).every(({ addresses }) => addresses.length > 0),
  );
  await before.swarm.stop();
  const after = await testNode({ seed, datastore, listen: [] });
  await until(() => after.swarm.peers().length === 2);
});

test('two swarms with different names do not mix', async () => {
  const ours = await testNodes(2, { network: 'ours' });
  const theirs = await testNode({ network: 'theirs', bootstrap: ours[0]!.swarm.addresses() });
  await until(() => (theirs.swarm.status().bootstrap[0]?.attempts ?? 0) >= 2);
  expect(theirs.swarm.status().bootstrap[0]?.lastError).toMatch(/another swarm|hung up/);
  await expect(ours[1]!.swarm.dial(theirs.swarm.addresses()[0]!)).rejects.toMatchObject({
    name: 'ProtocolError',
  });

  await until(() => ours.every(({ swarm }) => swarm.status().routingTableSize === 1));
  expect(theirs.swarm.peers()).toEqual([]);
  expect(theirs.swarm.status().routingTableSize).toBe(0);
  const key = sha256(utf8('secret of ours'));
  await ours[0]!.swarm.provide(key);
  expect(await theirs.swarm.findProviders(key, { timeoutMs: 1_000 })).toEqual([]);
  theirs.swarm.subscribe('news', () => {
    throw new Error('their gossip must not come');
  });
  const heard: string[] = [];
  ours[1]!.swarm.subscribe('news', (message) => heard.push(new TextDecoder().decode(message)));
  await until(async () => {
    await ours[0]!.swarm.publish('news', utf8(`at ${performance.now()}`));
    return heard.length > 0;
  });
  expect(theirs.swarm.status().topics).toEqual([
    { topic: '/starling/theirs/news', subscribers: 0, mesh: 0 },
  ]);
});

test('wrong options are named', async () => {
  const reject = async (more: object, text: string): Promise<void> => {
    const attempt = createSwarm(testOptions(more), realParts);
    await expect(attempt).rejects.toThrow(ConfigError);
    await expect(attempt).rejects.toThrow(text);
  };
  await reject({ network: 'No Good' }, 'network:');
  await reject({ bootstrap: ['nonsense'] }, 'bootstrap: "nonsense"');
  await reject({ seed: new Uint8Array(3) }, 'seed: 3 bytes');
  await reject({ monitor: { intervalMs: 1_000, timeoutMs: 1_000 } }, 'monitor:');
  const { swarm } = await testNode();
  const taken = swarm.addresses()[0]!.replace(/\/p2p\/.*/, '');
  await reject({ listen: [taken] }, 'listen:');
});
