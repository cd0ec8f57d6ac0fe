import { afterAll, describe, expect, test } from 'vitest';
import { temporaryDirectory } from '../helpers/temporary.ts';
import { until } from '../helpers/until.ts';
import { Daemons, launchAt, rounded } from './daemons.ts';
import { type Host, missingNamespaces, TestNetwork } from './namespaces.ts';
import { NetworkPeer } from './peers.ts';

const isFull = process.env['STARLING_TEST_SIZE'] === 'full';
const missing = isFull ? missingNamespaces() : 'network namespaces are tested at full size only';
if (missing !== undefined) console.log(`skipped: ${missing}`);

const LISTEN = ['/ip4/0.0.0.0/tcp/4001'];
const OFFER = { maxConnections: 16 };
const MB = 1_000_000;
const peers: NetworkPeer[] = [];
const networks: TestNetwork[] = [];

afterAll(async () => {
  for (const peer of peers) await peer.kill();
  for (const network of networks) network.close();
});

function newNetwork(): TestNetwork {
  const network = new TestNetwork();
  networks.push(network);
  return network;
}

function start(fill: number, host: Host, options: object): NetworkPeer {
  const peer = new NetworkPeer(fill, { listen: LISTEN, ...options }, host.namespace);
  peers.push(peer);
  return peer;
}

const startRelay = (host: Host): NetworkPeer =>
  start(100, host, { announce: [`/ip4/${host.address}/tcp/4001`], relay: { offer: OFFER } });

/** Waits until each of them sees `count` peers, and how those are connected. */
const meshed = (all: readonly NetworkPeer[], count: number) =>
  until(
    async () => {
      const states = await Promise.all(all.map((peer) => peer.status()));
      const seen = (state: (typeof states)[number]) =>
        new Set(state.connections.map(({ peer }) => peer)).size;
      return states.every((state) => seen(state) === count) ? states : undefined;
    },
    90_000,
    `${count} peers for each`,
  );

describe.skipIf(missing !== undefined)('behind NATs', () => {
  test('two peers meet through a relay that dies, comes back, and is cut off', async () => {
    const network = newNetwork();
    const [relayHost, one, two] = [network.host(), network.home(), network.home()];
    let relay = startRelay(relayHost);
    const bootstrap = [`/ip4/${relayHost.address}/tcp/4001`];
    const a = start(1, one, { bootstrap });
    const b = start(2, two, { bootstrap });
    const [state] = await meshed([a, b, relay], 2);
    const ids = await Promise.all([a, b, relay].map(async (peer) => (await peer.status()).self));
    const path = state!.connections.find(({ peer }) => peer === ids[1]);
    expect(path?.relayed).toBe(true);
    expect(path?.address).toContain('/p2p-circuit');

    // Once before measuring: windows grow while bytes flow.
    await a.speed(ids[2]!, 20 * MB);
    await a.speed(ids[1]!, 20 * MB);
    const direct = await a.speed(ids[2]!, 60 * MB);
    const relayed = await a.speed(ids[1]!, 60 * MB);
    const part = ((100 * relayed) / direct).toFixed();
    console.log(
      `one request of 60 MB: direct ${direct.toFixed()} MB/s, ` +
        `relayed ${relayed.toFixed()} MB/s (${part} %)`,
    );

    await relay.kill();
    let since = performance.now();
    await meshed([a, b], 0);
    console.log(`relay killed: seen after ${((performance.now() - since) / 1000).toFixed(1)} s`);
    relay = startRelay(relayHost);
    since = performance.now();
    await meshed([a, b, relay], 2);
    console.log(
      `relay back: relayed again after ${((performance.now() - since) / 1000).toFixed(1)} s`,
    );

    network.setLink(one.router, false);
    since = performance.now();
    await meshed([a], 0);
    await meshed([b, relay], 1);
    console.log(`home 1 cut off: seen after ${((performance.now() - since) / 1000).toFixed(1)} s`);
    network.setLink(one.router, true);
    since = performance.now();
    await meshed([a, b, relay], 2);
    console.log(`home 1 back: healed after ${((performance.now() - since) / 1000).toFixed(1)} s`);
  });

  test('a forwarded port is dialled directly from behind another NAT', async () => {
    const network = newNetwork();
    const [relayHost, one, two] = [network.host(), network.home(), network.home()];
    network.forward(one, 4001);
    const relay = startRelay(relayHost);
    const bootstrap = [`/ip4/${relayHost.address}/tcp/4001`];
    const a = start(1, one, { bootstrap, announce: ['/ip4/5.5.5.1/tcp/4001'] });
    const b = start(2, two, { bootstrap });
    await meshed([a, b, relay], 2);
    const { self } = await a.status();
    await until(async () => {
      const { connections } = await b.status();
      return connections.some(({ peer, relayed }) => peer === self && !relayed);
    });
  });

  test('they train together, also when the relay dies and a home is cut off', async () => {
    const network = newNetwork();
    const daemons = new Daemons(await temporaryDirectory());
    try {
      const [relayHost, one, two] = [network.host(), network.home(), network.home()];
      const config = { network: 'nat', listen: LISTEN, log: 'info' as const };
      const relayConfig = {
        ...config,
        announce: [`/ip4/${relayHost.address}/tcp/4001`],
        relay: { offer: true },
      };
      const bootstrap = [`/ip4/${relayHost.address}/tcp/4001`];
      let relay = await daemons.start('relay', relayConfig, relayHost.namespace);
      const a = await daemons.start('a', { ...config, bootstrap }, one.namespace);
      const b = await daemons.start('b', { ...config, bootstrap }, two.namespace);
      for (const [i, daemon] of [a, b, relay].entries()) await daemons.addData(daemon, i);
      await until(async () => {
        const all = await Promise.all([a, b, relay].map(({ client }) => client.status()));
        return all.every((each) => each.peers.length === 2);
      });
      const since = performance.now();
      const seconds = () => ((performance.now() - since) / 1000).toFixed(1);
      const job = await launchAt([a, b, relay], 6);
      await rounded([a, b, relay], job, 2);
      console.log(`2 rounds of 3 peers, 2 of them behind NATs: ${seconds()} s`);

      await relay.kill('SIGKILL');
      relay = await daemons.start('relay', relayConfig, relayHost.namespace);
      await rounded([a, b, relay], job, 4);
      console.log(`4 rounds, the relay killed and restarted: ${seconds()} s`);

      network.setLink(one.router, false);
      await until(async () => (await a.client.status()).peers.length === 0, 90_000);
      network.setLink(one.router, true);
      const views = await rounded([a, b, relay], job, 6);
      console.log(`6 rounds, home 1 cut off and back: ${seconds()} s`);
      expect(new Set(views.map(({ rounds }) => rounds[5]!.stateHash)).size).toBe(1);
      expect(views[0]!.rounds.map(({ survivors }) => survivors)).toEqual([3, 3, 3, 3, 3, 3]);
    } finally {
      await daemons.stop();
    }
  });
});
