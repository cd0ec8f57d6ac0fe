import { connect } from 'node:net';
import { ConfigError, millis, type PeerId, utf8 } from '@starling/core';
import { encodeRevocation, signRevocation, TOLERANCE_SECONDS } from '@starling/protocol-membership';
import { describe, expect, test } from 'vitest';
import { realClock } from '../../../test/helpers/parts.ts';
import { type PrivateNode, privateNode } from '../../../test/helpers/private-swarms.ts';
import { testNode } from '../../../test/helpers/swarms.ts';
import { temporaryDirectory } from '../../../test/helpers/temporary.ts';
import { until } from '../../../test/helpers/until.ts';
import { DAY, NOW, testSwarm } from '../../membership/src/testing/swarm-of.ts';
import { createNode } from './libp2p-node.ts';
import { checkOptions, type SwarmParts } from './options.ts';
import { protocolIds } from './protocol-ids.ts';

const bootstrapOf = (node: PrivateNode) => ({ bootstrap: node.swarm.addresses() });
const knows = (node: PrivateNode, peer: PeerId): boolean => node.swarm.peers().includes(peer);

/** An admin and members that are connected to it. */
async function swarmOf(count: number, adminParts: Partial<SwarmParts> = {}) {
  const swarm = testSwarm(count + 2);
  const admin = await privateNode(swarm, 0, { parts: adminParts });
  const others = await Promise.all(
    Array.from({ length: count - 1 }, (_, i) =>
      privateNode(swarm, i + 1, { options: bootstrapOf(admin) }),
    ),
  );
  const nodes = [admin, ...others];
  await until(() => nodes.every(({ swarm: node }) => node.peers().length === count - 1));
  return { swarm, admin, others, nodes };
}

test('members find each other, gossip, and answer requests', async () => {
  const { admin, others } = await swarmOf(3);
  const [b, c] = others as [PrivateNode, PrivateNode];
  b.swarm.handle('/test/1', async ({ body }) => ({ header: new Uint8Array(0), body }));
  const parcel = { header: new Uint8Array(0), body: utf8('echo') };
  const answer = await c.swarm.request(b.peer, '/test/1', parcel, { timeoutMs: 5_000 });
  expect(answer.body).toEqual(utf8('echo'));
  const heard: PeerId[] = [];
  b.swarm.subscribe('news', (_message, from) => heard.push(from));
  await until(async () => {
    await c.swarm.publish('news', utf8(`at ${performance.now()}`));
    await admin.swarm.publish('news', utf8(`at ${performance.now()}`));
    return heard.includes(c.peer) && heard.includes(admin.peer);
  });
  // Everybody ends with everybody's credential, also of those that were not there together.
  await until(() => [admin, b, c].every(({ members }) => members.books.credentials().length === 2));
  await until(() => c.swarm.status().routingTableSize === 2);
});

describe('without the key [M-22]', () => {
  test('no connection, whatever the identity', async () => {
    const swarm = testSwarm(4);
    const admin = await privateNode(swarm, 0);
    // A member's identity, and the swarm's name, but no key.
    const seed = new Uint8Array(32).fill(swarm.seeds[1]!);
    const keyless = await testNode({ seed, network: admin.members.network });
    // Each waits for what the other never says; the deadline only ends the test sooner.
    const signal = AbortSignal.timeout(1_000);
    const dials = [
      keyless.node.dial(admin.node.getMultiaddrs(), { signal }),
      admin.node.dial(keyless.node.getMultiaddrs(), { signal }),
    ];
    const outcomes = await Promise.allSettled(dials);
    expect(outcomes.map(({ status }) => status)).toEqual(['rejected', 'rejected']);
    expect(keyless.node.getConnections()).toEqual([]);
    expect(admin.node.getConnections()).toEqual([]);
  });

  test('nothing but noise comes out of the socket', async () => {
    const admin = await privateNode(testSwarm(2), 0);
    const port = Number(/tcp\/(\d+)/.exec(admin.swarm.addresses()[0]!)![1]);
    const socket = connect(port, '127.0.0.1');
    const got: Buffer[] = [];
    socket.on('data', (data) => got.push(data));
    // However it ends.
    socket.on('error', () => {});
    socket.write(new Uint8Array(24));
    socket.write(utf8('\u0013/multistream/1.0.0\n'));
    await new Promise((resolve) => socket.once('close', resolve));
    expect(Buffer.concat(got).includes('multistream')).toBe(false);
  });
});

describe('with the key and no credential [M-14] [M-16]', () => {
  /** A bare libp2p node that has the key and speaks as it likes. */
  async function strangerNode(admin: PrivateNode, seed: number) {
    const { network, record } = admin.members;
    const options = checkOptions({ seed: new Uint8Array(32).fill(seed), network, listen: [] });
    const node = await createNode(options, protocolIds(network), undefined, {
      gater: {},
      key: record.key!,
    });
    await node.start();
    return node;
  }

  test('no service speaks to it, and the connection is ended', async () => {
    const admin = await privateNode(testSwarm(3), 0, { options: { graceMs: 500 } });
    const heard: string[] = [];
    admin.swarm.subscribe('news', () => heard.push('x'));
    admin.swarm.handle('/test/1', async (parcel) => parcel);
    const node = await strangerNode(admin, 99);
    try {
      const connection = await node.dial(admin.node.getMultiaddrs());
      const ids = protocolIds(admin.members.network);
      const refusing = [
        ...['/ipfs/id/1.0.0', '/ipfs/ping/1.0.0', '/meshsub/1.1.0', ids.dht],
        ids.direct('/test/1'),
      ];
      for (const protocol of refusing) {
        const outcome = connection
          .newStream(protocol, { signal: AbortSignal.timeout(5_000) })
          .then(async (stream) => {
            stream.send(utf8('anything'));
            await until(() => stream.status !== 'open', 5_000, `the end of ${protocol}`);
            return stream.status;
          });
        expect(await outcome.catch(() => 'reset'), protocol).not.toBe('open');
      }
      expect(admin.swarm.peers()).toEqual([]);
      expect(admin.swarm.status().routingTableSize).toBe(0);
      expect(admin.swarm.status().refused['not-a-member']).toBeGreaterThanOrEqual(4);
      await until(() => connection.status !== 'open', 30_000, 'the end of the connection');
      expect(heard).toEqual([]);
    } finally {
      await node.stop();
    }
  });

  test('hello is refused by name, and so is everything behind it', async () => {
    const swarm = testSwarm(4);
    const admin = await privateNode(swarm, 0);
    const stranger = await privateNode(swarm, 2, { stranger: true });
    const [address] = admin.swarm.addresses();
    await expect(stranger.swarm.dial(address!)).rejects.toMatchObject({ code: 'not-a-member' });
    await until(() => admin.node.getConnections().length === 0);
    // The other way round it is the dialler that does not like what it is shown.
    const theirs = stranger.swarm.addresses()[0]!;
    await expect(admin.swarm.dial(theirs)).rejects.toMatchObject({ code: 'not-a-member' });
    expect(admin.swarm.peers()).toEqual([]);
    expect(stranger.members.books.credentials()).toEqual([]);
    expect(stranger.swarm.status().refusedBy[0]?.reason).toMatch(/^not-a-member/);
  });

  test('an expired credential is no credential', async () => {
    const swarm = testSwarm(3);
    const admin = await privateNode(swarm, 0, { now: () => NOW + 31 * DAY });
    const late = await privateNode(swarm, 1);
    await expect(late.swarm.dial(admin.swarm.addresses()[0]!)).rejects.toMatchObject({
      code: 'expired',
    });
  });
});

test('a membership that ends while its peer is connected ends the connection', async () => {
  const swarm = testSwarm(3);
  let now = NOW;
  const admin = await privateNode(swarm, 0, { now: () => now });
  const member = await privateNode(swarm, 1, { options: bootstrapOf(admin) });
  await until(() => knows(admin, member.peer));
  now = NOW + 30 * DAY + TOLERANCE_SECONDS + 1;
  await until(() => !knows(admin, member.peer));
  expect(admin.swarm.status().refused['expired']).toBeGreaterThan(0);
});

describe('revocation [M-12] [M-17]', () => {
  test('cuts live connections everywhere, and holds after a restart', async () => {
    let ahead = 0;
    const clock = { ...realClock, now: () => millis(realClock.now() + ahead) };
    const { swarm, admin, others, nodes } = await swarmOf(4, { clock });
    const [a, b, gone] = others as [PrivateNode, PrivateNode, PrivateNode];
    const staying = [admin, a, b];
    await admin.members.revoke({ kind: 'peer', peer: gone.peer }, 'left the ward');
    await until(() => staying.every((node) => !knows(node, gone.peer)), 30_000, 'the cut');
    await until(() => gone.swarm.peers().length === 0);
    // It was told why before it was cut.
    await until(() => gone.members.refusal(gone.peer)?.startsWith('revoked'));
    expect(gone.members.refusal(gone.peer)).toContain('left the ward');
    expect(staying.every(({ swarm: node }) => node.peers().length === 2)).toBe(true);
    const toAdmin = gone.swarm.dial(admin.swarm.addresses()[0]!);
    await expect(toAdmin).rejects.toMatchObject({ code: 'revoked' });

    await gone.swarm.stop();
    await a.swarm.stop();
    // It may have dialled between the cut and the news: a peer is told once a minute.
    ahead = 60_000;
    const again = await privateNode(swarm, 1, { journal: a.journal });
    const back = await privateNode(swarm, 3);
    for (const node of [...nodes.slice(0, 1), again]) {
      await expect(back.swarm.dial(node.swarm.addresses()[0]!)).rejects.toMatchObject({
        code: 'revoked',
      });
      // Once told it does not even get a stream.
      await expect(back.swarm.dial(node.swarm.addresses()[0]!)).rejects.toThrow();
      expect(knows(node, gone.peer)).toBe(false);
    }
  });

  test('gossip of a revoked author is dropped, whoever passes it on', async () => {
    const { admin, others } = await swarmOf(3);
    const [a, b] = others as [PrivateNode, PrivateNode];
    const heard: PeerId[] = [];
    a.swarm.subscribe('news', (_message, from) => heard.push(from));
    b.swarm.subscribe('news', () => {});
    admin.swarm.subscribe('news', () => {});
    await until(async () => {
      await b.swarm.publish('news', utf8(`at ${performance.now()}`));
      return heard.length > 0;
    });
    // Only this one peer knows yet; the author is still connected to the third, who passes it on.
    a.members.books.takeRevocation(revocationOf(admin, b.peer));
    heard.length = 0;
    await until(async () => {
      await b.swarm.publish('news', utf8(`at ${performance.now()}`));
      return (a.swarm.status().refused['revoked'] ?? 0) > 0;
    });
    expect(heard).toEqual([]);
  });

  test('a request over a stream that was open before is refused', async () => {
    const { admin, others } = await swarmOf(2);
    const [a] = others as [PrivateNode];
    admin.swarm.handle('/test/1', async (parcel) => parcel);
    const parcel = { header: utf8('x'), body: new Uint8Array(0) };
    const ask = () => a.swarm.request(admin.peer, '/test/1', parcel, { timeoutMs: 5_000 });
    expect((await ask()).header).toEqual(utf8('x'));
    admin.members.books.takeRevocation(revocationOf(admin, a.peer));
    await expect(ask()).rejects.toMatchObject({ name: 'ProtocolError' });
  });
});

test('a swarm that fell in two heals when one link appears, books included', async () => {
  const swarm = testSwarm(6);
  const admin = await privateNode(swarm, 0);
  const a = await privateNode(swarm, 1, { options: bootstrapOf(admin) });
  const b = await privateNode(swarm, 2);
  const c = await privateNode(swarm, 3, { options: bootstrapOf(b) });
  const one = [admin, a];
  const two = [b, c];
  await until(() => [...one, ...two].every(({ swarm: node }) => node.peers().length === 1));
  await admin.members.revoke({ kind: 'peer', peer: swarm.keys[4]!.peerId }, '');
  expect(b.members.books.version).toBe(0);
  // One of one half learns the address of one of the other.
  await a.swarm.dial(c.swarm.addresses()[0]!);
  await until(() => [...one, ...two].every(({ swarm: node }) => node.peers().length === 3));
  await until(() => two.every(({ members }) => members.books.version === 1));
  await until(() => one.every(({ members }) => members.books.credentials().length === 3));
});

test('a node comes back after all bootstrap nodes are gone, by the peers it knew', async () => {
  const swarm = testSwarm(5);
  const bootstrap = await privateNode(swarm, 0);
  const options = bootstrapOf(bootstrap);
  const a = await privateNode(swarm, 1, { options });
  const b = await privateNode(swarm, 2, { options });
  const datastore = await temporaryDirectory();
  const c = await privateNode(swarm, 3, { options: { ...options, datastore } });
  await until(() => [a, b, c].every(({ swarm: node }) => node.peers().length === 3));
  await until(async () => {
    const stored = await c.node.peerStore.all();
    return [a, b].every(({ peer }) =>
      stored.some(({ id, addresses }) => id.toString() === peer && addresses.length > 0),
    );
  });
  await c.swarm.stop();
  await bootstrap.swarm.stop();
  const again = await privateNode(swarm, 3, {
    journal: c.journal,
    options: { ...options, datastore },
  });
  await until(() => again.swarm.peers().length === 2);
  expect(again.swarm.status().bootstrap[0]).toMatchObject({ connected: false });
  // Without the authority it still knows who is a member.
  expect(again.members.standing(a.peer).ok && again.members.standing(b.peer).ok).toBe(true);
});

test('an open swarm has no key and no credentials, and its authority still revokes', async () => {
  const swarm = testSwarm(4, 1, 1, 'open');
  const admin = await privateNode(swarm, 0);
  expect(admin.members.record.key).toBeNull();
  const guest = await privateNode(swarm, 1, { stranger: true, options: bootstrapOf(admin) });
  await until(() => guest.swarm.peers().length === 1 && admin.swarm.peers().length === 1);
  await admin.members.revoke({ kind: 'peer', peer: guest.peer }, 'floods');
  await until(() => guest.swarm.peers().length === 0 && admin.swarm.peers().length === 0);
});

test('an owner’s own list keeps out whoever is not on it, without members too', async () => {
  const first = await testNode();
  const friend = await testNode();
  const listed = await testNode({ allow: [friend.swarm.self] });
  await expect(first.swarm.dial(listed.swarm.addresses()[0]!)).rejects.toThrow();
  expect(await friend.swarm.dial(listed.swarm.addresses()[0]!)).toBe(listed.swarm.self);
  await until(() => listed.swarm.peers().includes(friend.swarm.self));
  expect(listed.swarm.peers()).toEqual([friend.swarm.self]);
  expect(listed.swarm.status().refused['not-listed']).toBeGreaterThan(0);
});

test('the members of one swarm are no good for another name', async () => {
  const admin = await privateNode(testSwarm(2), 0);
  const options = { seed: new Uint8Array(32), listen: [], members: admin.members };
  expect(() => checkOptions({ ...options, network: 'other' })).toThrow(ConfigError);
});

const revocationOf = (admin: PrivateNode, peer: PeerId): Uint8Array =>
  encodeRevocation(
    signRevocation(
      { swarm: admin.members.swarm, target: { kind: 'peer', peer }, at: NOW, reason: '' },
      admin.members.key,
    ),
  );
