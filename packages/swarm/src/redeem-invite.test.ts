import { createServer, type Server } from 'node:net';
import { ProtocolError } from '@starling/core';
import type { Invite } from '@starling/protocol-membership';
import { expect, test } from 'vitest';
import { realClock, silentLog } from '../../../test/helpers/parts.ts';
import { privateNode } from '../../../test/helpers/private-swarms.ts';
import { testNode } from '../../../test/helpers/swarms.ts';
import { until } from '../../../test/helpers/until.ts';
import { DAY, NOW, type TestSwarm, testSwarm } from '../../membership/src/testing/swarm-of.ts';
import { redeemInvite } from './redeem-invite.ts';

const redeemAs = (swarm: TestSwarm, peer: number, invite: Invite, addresses: readonly string[]) =>
  redeemInvite(invite, addresses, {
    clock: realClock,
    log: silentLog,
    seed: new Uint8Array(32).fill(swarm.seeds[peer]!),
    key: swarm.keys[peer]!,
    dialMs: 1_000,
  });
const codeOf = async (work: Promise<unknown>): Promise<string> => {
  const error = await work.then(
    () => undefined,
    (failure: unknown) => failure,
  );
  return error instanceof ProtocolError ? `${error.code}: ${error.message}` : String(error);
};

test('an invite becomes a membership, at an admin or at any member', async () => {
  const swarm = testSwarm(5);
  const admin = await privateNode(swarm, 0);
  const invite = swarm.invite();
  const first = await redeemAs(swarm, 3, invite, admin.swarm.addresses());
  expect(first.via).toBe(admin.peer);
  // No member but the admin's neighbour is reached, and the admin is asked through it.
  const options = { bootstrap: admin.swarm.addresses() };
  const member = await privateNode(swarm, 1, { options });
  await until(() => member.swarm.peers().includes(admin.peer));
  const second = await redeemAs(swarm, 2, invite, member.swarm.addresses());
  expect(second.via).toBe(member.peer);
  await until(() => admin.members.standing(swarm.keys[2]!.peerId).ok);
  // With it, in.
  const newcomer = await privateNode(swarm, 2, { stranger: true, options });
  expect(newcomer.swarm.peers()).toEqual([]);
  await newcomer.members.take({ credentials: [second.credential] });
  await until(() => newcomer.swarm.peers().length === 2);
});

test('a single-use invite makes one member; the second is told that it was used', async () => {
  const swarm = testSwarm(4);
  const admin = await privateNode(swarm, 0);
  const invite = swarm.invite({ singleUse: true });
  const addresses = admin.swarm.addresses();
  await redeemAs(swarm, 2, invite, addresses);
  expect(await codeOf(redeemAs(swarm, 3, invite, addresses))).toMatch(/^invite-used: /);
  // Again for the first, whose answer may have been lost.
  await redeemAs(swarm, 2, invite, addresses);
});

test('two of three admins sign together', async () => {
  const swarm = testSwarm(5, 3, 2);
  const one = await privateNode(swarm, 0);
  const invite = swarm.invite();
  const addresses = one.swarm.addresses();
  expect(await codeOf(redeemAs(swarm, 4, invite, addresses))).toMatch(/^no-quorum: .*1 of 2/);
  await privateNode(swarm, 1, { options: { bootstrap: addresses } });
  await until(() => one.swarm.peers().length === 1);
  await redeemAs(swarm, 4, invite, addresses);
});

test('each refusal comes with its name', async () => {
  const swarm = testSwarm(4);
  const admin = await privateNode(swarm, 0);
  const addresses = admin.swarm.addresses();
  const past = swarm.invite({ issued: NOW - 2 * DAY, expires: NOW - DAY });
  expect(await codeOf(redeemAs(swarm, 2, past, addresses))).toMatch(/^invite-expired: /);
  await admin.members.revoke({ kind: 'peer', peer: swarm.keys[2]!.peerId }, 'left');
  expect(await codeOf(redeemAs(swarm, 2, swarm.invite(), addresses))).toMatch(/^revoked: .*left/);
});

test('each address that cannot be reached is told with its own reason', async () => {
  const swarm = testSwarm(4);
  const admin = await privateNode(swarm, 0);
  const closed = `/ip4/127.0.0.1/tcp/${await freePort()}`;
  const wrongPeer = admin.swarm.addresses()[0]!.replace(/p2p\/.*/, `p2p/${swarm.keys[3]!.peerId}`);
  const answer = await codeOf(redeemAs(swarm, 2, swarm.invite(), [closed, wrongPeer]));
  expect(answer).toMatch(/^unreachable: /);
  expect(answer).toContain(`${closed}: nobody listens there (ECONNREFUSED)`);
  expect(answer).toContain(`${wrongPeer}: another peer is there`);

  const foreign = await testNode();
  const [theirs] = foreign.swarm.addresses();
  const open = await codeOf(redeemAs(swarm, 2, swarm.invite(), [theirs!]));
  expect(open).toContain("another swarm's key");
  const wrongKey = swarm.invite({ key: new Uint8Array(32).fill(8) });
  const refused = await codeOf(redeemAs(swarm, 2, wrongKey, admin.swarm.addresses()));
  expect(refused).toContain("another swarm's key");
  expect(await codeOf(redeemAs(swarm, 2, swarm.invite(), []))).toContain('no address');
});

/** A port of loopback on which nobody listens. */
async function freePort(): Promise<number> {
  const server: Server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  await new Promise((resolve) => server.close(resolve));
  return port;
}
