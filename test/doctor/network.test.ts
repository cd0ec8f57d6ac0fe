import { createServer } from 'node:net';
import { type ConfigInput, configSchema } from '@starling/daemon';
import type { NetworkReport } from '@starling/swarm';
import { describe, expect, onTestFinished, test } from 'vitest';
import type { Check, Finding } from '../../apps/cli/src/doctor/check.ts';
import {
  accessCheck,
  bootstrapCheck,
  dhtCheck,
  gossipCheck,
  listenCheck,
  natCheck,
  peersCheck,
  relayCheck,
  skewCheck,
} from '../../apps/cli/src/doctor/network-checks.ts';
import { listenFault, type NetworkProbe } from '../../apps/cli/src/doctor/network-probe.ts';
import { accessWarnings } from '../../apps/daemon/src/access-warnings.ts';
import { networkView } from '../../apps/daemon/src/views.ts';
import { testSwarm } from '../../packages/membership/src/testing/swarm-of.ts';
import { assembleSwarm } from '../../packages/swarm/src/swarm.ts';
import { faultyProxy } from '../helpers/faulty-proxy.ts';
import { freePort } from '../helpers/free-port.ts';
import { realParts } from '../helpers/parts.ts';
import { privateNode } from '../helpers/private-swarms.ts';
import { testOptions } from '../helpers/swarm-options.ts';
import { fullyMeshed, type TestNode, testNode } from '../helpers/swarms.ts';
import { until } from '../helpers/until.ts';

const CONFIG = configSchema.parse({ mdns: false });
const configOf = (more: ConfigInput) => configSchema.parse({ mdns: false, ...more });

/** The doctor's view of a node, as of a daemon that runs. */
const probeOf = ({ swarm }: Pick<TestNode, 'swarm'>): NetworkProbe => ({
  report: async () => networkView(await swarm.diagnose()),
  warnings: async () => [],
  bootstrap: async () => [],
  listenFault,
});

const STOPPED: NetworkProbe = {
  report: async () => undefined,
  warnings: async () => [],
  bootstrap: async () => [],
  listenFault,
};

async function findings(check: Check): Promise<readonly Finding[]> {
  const found = await check.run();
  for (const { verdict, next } of found) {
    if (verdict === 'fail' || verdict === 'warn') expect(next).toMatch(/\w/);
  }
  return found;
}

const text = async (check: Check): Promise<string> =>
  (await findings(check))
    .map(({ verdict, evidence, next }) => {
      return `${verdict}: ${evidence}${next === undefined ? '' : ` → ${next}`}`;
    })
    .join('\n');

/** What the doctor says of the one bootstrap address of a node. */
async function wayIn(address: string, more: Parameters<typeof testNode>[0] = {}): Promise<string> {
  const node = await testNode({ ...more, bootstrap: [address] });
  return text(bootstrapCheck(probeOf(node), CONFIG));
}

describe('an address that does not lead in', () => {
  test('refused: nobody listens there', async () => {
    const address = `/ip4/127.0.0.1/tcp/${await freePort()}`;
    expect(await wayIn(address)).toBe(
      `fail: ${address}: refused: nobody listens there (ECONNREFUSED) → ` +
        'Check that a daemon runs there, and that it listens on this port',
    );
  });

  test('timed out: a peer that takes the connection and hangs', async () => {
    const there = await testNode();
    const port = Number(/tcp\/(\d+)/.exec(there.swarm.addresses()[0]!)![1]);
    const proxy = await faultyProxy({ target: { port }, faults: { stalled: true } });
    const address = `/ip4/127.0.0.1/tcp/${proxy.port}`;
    expect(await wayIn(address)).toMatch(
      /^fail: .*: timed-out: it takes the connection and says nothing.* → Check the address, and/,
    );
  });

  test('a name that DNS does not know', async () => {
    expect(await wayIn('/dns4/no-such-host.invalid/tcp/4001')).toMatch(
      /^fail: .*: dns: the name is not known \((ENOTFOUND|EAI_AGAIN)\) → Check how the name/,
    );
  });

  test('wrong peer id', async () => {
    const [there, other] = [await testNode(), await testNode()];
    const address = there.swarm.addresses()[0]!.replace(/p2p\/.*/, `p2p/${other.swarm.self}`);
    expect(await wayIn(address)).toBe(
      `fail: ${address}: wrong-peer: another peer is there → ` +
        'Ask for its present address: who is there now has another identity',
    );
  });

  test('wrong swarm key, and none at all', async () => {
    const admin = await privateNode(testSwarm(2), 0);
    const [address] = admin.swarm.addresses();
    const none = await wayIn(address!, { network: admin.members.network });
    expect(none).toMatch(/^fail: .*: (wrong-key|timed-out): .*has a key that this peer has not/);
    expect(none).toMatch(/→ (Join the swarm by an invite|Check the address, and)/);

    const foreign = await testNode();
    const member = await privateNode(testSwarm(3), 1, {
      options: { bootstrap: foreign.swarm.addresses() },
    });
    expect(await text(bootstrapCheck(probeOf(member), CONFIG))).toMatch(
      /^fail: .*: wrong-key: no handshake: it has another swarm's key, or is no Starling peer/,
    );
  });

  test('not a member', async () => {
    const swarm = testSwarm(3);
    const admin = await privateNode(swarm, 0);
    const stranger = await privateNode(swarm, 1, {
      stranger: true,
      options: { bootstrap: admin.swarm.addresses() },
    });
    await until(() => stranger.swarm.status().refusedBy.length > 0);
    expect(await text(bootstrapCheck(probeOf(stranger), CONFIG))).toMatch(
      /^fail: .*: not-a-member: .* → Ask an admin for a new invite, and use it with/,
    );
    expect(await text(peersCheck(probeOf(stranger)))).toMatch(
      /fail: 0 peers connected.*\nfail: 12D3\w+ does not let this peer in: not-a-member/,
    );
  });

  test('another swarm', async () => {
    const there = await testNode({ network: 'elsewhere' });
    const [address] = there.swarm.addresses();
    expect(await wayIn(address!)).toBe(
      `fail: ${address}: other-network: ${there.swarm.self} is of another swarm than test → ` +
        'Check `network` in the configuration, or join by an invite',
    );
  });

  test('a peer of the swarm that speaks an older version of one protocol', async () => {
    const answer = async () => ({ header: new Uint8Array(0), body: new Uint8Array(0) });
    const here = await testNode();
    here.swarm.handle('/starling/rounds/3/sync', answer);
    const older = await testNode({ bootstrap: here.swarm.addresses() });
    older.swarm.handle('/starling/rounds/2/sync', answer);
    await until(() => here.swarm.status().outdated.length > 0);
    expect(await text(peersCheck(probeOf(here)))).toContain(
      `warn: ${older.swarm.self}: it speaks rounds 2, this peer 3: it must be updated → ` +
        'Update the older of the two: both then speak the same version',
    );
  });

  test('a version that this one does not speak', async () => {
    const there = await testNode({ network: 'elsewhere' });
    await there.node.handle('/starling/swarm/3/test', (stream) => stream.abort(new Error('3')));
    const [address] = there.swarm.addresses();
    expect(await wayIn(address!)).toBe(
      `fail: ${address}: version-mismatch: ${there.swarm.self} speaks version 3 of the swarm's ` +
        'protocol and this peer 2: this peer must be updated → ' +
        'Update the older of the two: both then speak the same version',
    );
  });

  test('one that does is enough: the others are warnings', async () => {
    const there = await testNode();
    const [good] = there.swarm.addresses();
    const node = await testNode({ bootstrap: [good!, `/ip4/127.0.0.1/tcp/${await freePort()}`] });
    await fullyMeshed([there, node]);
    const found = await findings(bootstrapCheck(probeOf(node), CONFIG));
    expect(found.map(({ verdict }) => verdict)).toEqual(['ok', 'warn']);
  });
});

describe('a port to listen on', () => {
  test('that another program has', async () => {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    onTestFinished(() => void server.close());
    const { port } = server.address() as { port: number };
    const address = `/ip4/127.0.0.1/tcp/${port}`;
    expect(await text(listenCheck(STOPPED, configOf({ listen: [address] })))).toBe(
      `fail: ${address}: another program has this port (EADDRINUSE) → ` +
        'End that program, or choose another port in `listen`',
    );
  });

  test('at an address of another machine', async () => {
    const address = '/ip4/192.0.2.1/tcp/4001';
    expect(await text(listenCheck(STOPPED, configOf({ listen: [address] })))).toMatch(
      /^fail: .*: this machine has no such address \(EADDRNOTAVAIL\) → Choose one that/,
    );
  });
});

describe('a node that runs', () => {
  test('all is well', async () => {
    const there = await testNode();
    const node = await testNode({ bootstrap: there.swarm.addresses() });
    await fullyMeshed([there, node]);
    for (const each of [there, node]) each.swarm.subscribe('news', () => {});
    await until(() => node.swarm.status().topics[0]?.mesh === 1);
    await until(() => node.swarm.status().routingTableSize === 1);
    const report: NetworkReport = await node.swarm.diagnose();
    const probe: NetworkProbe = { ...probeOf(node), report: async () => networkView(report) };
    const lines = [];
    for (const check of [
      ...[listenCheck(probe, CONFIG), bootstrapCheck(probe, CONFIG), peersCheck(probe)],
      ...[skewCheck(probe), natCheck(probe), relayCheck(probe), dhtCheck(probe)],
      gossipCheck(probe),
    ]) {
      lines.push(await text(check));
    }
    expect(lines.join('\n')).not.toMatch(/fail|warn/);
    expect(lines.join('\n')).toContain('others see this peer at 127.0.0.1: there is no NAT');
  });

  test('alone', async () => {
    const node = await testNode();
    expect(await text(peersCheck(probeOf(node)))).toMatch(
      /^warn: 0 peers connected; 0 known → Name/,
    );
    expect(await text(dhtCheck(probeOf(node)))).toBe('skipped: no peer is connected');
  });

  test('with a clock that is ten minutes late', async () => {
    const there = await testNode();
    const late = await assembleSwarm(testOptions({ bootstrap: there.swarm.addresses() }), {
      ...realParts,
      wallMs: () => Date.now() - 600_000,
    });
    onTestFinished(() => late.swarm.stop());
    await fullyMeshed([there, late]);
    expect(await text(skewCheck(probeOf(late)))).toMatch(
      /^fail: (599|600)\.\d s behind 1 peer asked → Set the clock, for instance by an NTP service/,
    );
  });

  test('that others cannot dial, with no relay about, and with one that is full', async () => {
    const there = await testNode();
    const closed = `/ip4/127.0.0.1/tcp/${await freePort()}`;
    const options = { listen: [], announce: [closed] };
    const node = await testNode({ ...options, bootstrap: there.swarm.addresses() });
    await fullyMeshed([there, node]);
    await until(async () => (await node.swarm.diagnose()).reachability === 'unreachable');
    const nat = await text(natCheck(probeOf(node)));
    expect(nat).toMatch(/warn: others could not dial it/);
    expect(nat).toContain('→ Forward its port on the router and open the firewall');
    expect(await text(relayCheck(probeOf(node)))).toBe(
      'fail: others cannot dial it, and no peer here relays → ' +
        'Set `relay.offer: true` on a member that all can reach',
    );

    const relay = await testNode({ relay: { offer: { maxConnections: 1 } } });
    const bootstrap = relay.swarm.addresses();
    const first = await testNode({ listen: [], bootstrap });
    await until(() => first.swarm.status().relay.reservations.length === 1);
    const second = await testNode({ listen: [], bootstrap });
    await until(() => second.swarm.status().relay.lastError);
    expect(await text(relayCheck(probeOf(second)))).toMatch(
      /^fail: no relay has a place for it: .*: it has no place left → Ask its owner for more/,
    );
  });

  test('that nobody asks in the DHT, and whose gossip is silent', async () => {
    const there = await testNode();
    const node = await testNode({ bootstrap: there.swarm.addresses() });
    await fullyMeshed([there, node]);
    const report = networkView(await node.swarm.diagnose());
    const broken: NetworkProbe = {
      ...STOPPED,
      report: async () => ({
        ...report,
        dht: { routingTable: 3, answered: 0 },
        topics: [{ topic: 'rounds', subscribers: 4, mesh: 0 }],
      }),
    };
    expect(await text(dhtCheck(broken))).toMatch(
      /^fail: 3 peers in the table, 0 of them answered: /,
    );
    expect(await text(gossipCheck(broken))).toMatch(
      /^fail: rounds: 4 subscribers, 0 in the mesh: nothing is heard → Wait some seconds/,
    );
  });
});

test('without a daemon what it would tell is skipped, and the addresses are dialled', async () => {
  expect(await text(natCheck(STOPPED))).toMatch(/^skipped: no daemon runs on this state directory/);
});

test('that anyone may enter is a warning with what to do about it', async () => {
  const open: NetworkProbe = {
    ...STOPPED,
    warnings: async () => accessWarnings('open', CONFIG.policy),
  };
  expect(await text(accessCheck(open))).toMatch(
    /^warn: anyone may enter this swarm: .*Sybil.* → Use a private swarm, policy\.members or/,
  );
  expect(accessWarnings('members', CONFIG.policy)).toEqual([]);
  expect(await text(accessCheck(STOPPED))).toMatch(/^ok: /);
});
