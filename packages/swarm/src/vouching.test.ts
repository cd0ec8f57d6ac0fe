import { ConfigError, type PeerId } from '@starling/core';
import { OwnerList } from '@starling/membership';
import { encodeVouch, TOLERANCE_SECONDS, WITHDRAWN } from '@starling/protocol-membership';
import { expect, test } from 'vitest';
import { silentLog } from '../../../test/helpers/parts.ts';
import { type PrivateNode, privateNode } from '../../../test/helpers/private-swarms.ts';
import { testNode } from '../../../test/helpers/swarms.ts';
import { until } from '../../../test/helpers/until.ts';
import { DAY, NOW, testSwarm } from '../../membership/src/testing/swarm-of.ts';
import { Admission } from './admission.ts';
import { checkOptions } from './options.ts';
import { VouchExchange } from './vouch-exchange.ts';

const knows = (node: PrivateNode, peer: PeerId): boolean => node.swarm.peers().includes(peer);
const addressOf = (node: PrivateNode): string => node.swarm.addresses()[0]!;

/** Two voters, an owner that lets in for whom both vouch, and a newcomer that nobody knows. */
async function scene(now: () => number = () => NOW) {
  const swarm = testSwarm(6, 1, 1, 'open');
  const [one, two] = [await privateNode(swarm, 1), await privateNode(swarm, 2)];
  const voters = new Set([one.peer, two.peer]);
  const bootstrap = [addressOf(one), addressOf(two)];
  const owner = await privateNode(swarm, 3, {
    now,
    options: { vouching: { voters, least: 2 }, bootstrap },
  });
  const newcomer = await privateNode(swarm, 4);
  await until(() => [one, two].every((node) => knows(node, owner.peer)));
  return { swarm, one, two, owner, newcomer };
}

test('a peer gets in once enough of the owner’s voters vouch, and no sooner [M-26]', async () => {
  const { one, two, owner, newcomer } = await scene();
  // The voters let in everybody; the owner does not.
  await newcomer.swarm.dial(addressOf(one));
  await expect(newcomer.swarm.dial(addressOf(owner))).rejects.toMatchObject({ code: 'not-listed' });
  await one.members.vouch(newcomer.peer, NOW + DAY);
  await until(() => owner.members.vouchersOf(newcomer.peer).length === 1);
  expect(owner.swarm.peers()).not.toContain(newcomer.peer);
  await two.members.vouch(newcomer.peer, NOW + DAY);
  await until(() => owner.members.vouchersOf(newcomer.peer).length === 2);
  await newcomer.swarm.dial(addressOf(owner));
  await until(() => knows(owner, newcomer.peer));
});

test('a vouch taken back ends the connection, one that ends does too [M-27]', async () => {
  let now = NOW;
  const { one, two, owner, newcomer } = await scene(() => now);
  const both = async () => {
    await one.members.vouch(newcomer.peer, NOW + DAY);
    await two.members.vouch(newcomer.peer, NOW + DAY);
    await until(() => owner.members.vouchersOf(newcomer.peer).length === 2);
    await owner.swarm.dial(addressOf(newcomer));
    await until(() => knows(owner, newcomer.peer));
  };
  await both();
  await two.members.vouch(newcomer.peer, WITHDRAWN);
  await until(() => !knows(owner, newcomer.peer) && !knows(newcomer, owner.peer));
  await expect(newcomer.swarm.dial(addressOf(owner))).rejects.toThrow();
  await both();
  now = NOW + DAY + TOLERANCE_SECONDS + 1;
  await until(() => !knows(owner, newcomer.peer));
  expect(owner.swarm.status().refused['not-listed']).toBeGreaterThan(0);
});

test('who is vouched for shows it itself, to an owner whom no voter can reach', async () => {
  const { swarm, one, two, newcomer } = await scene();
  await one.members.vouch(newcomer.peer, NOW + DAY);
  await two.members.vouch(newcomer.peer, NOW + DAY);
  await newcomer.swarm.dial(addressOf(one));
  await newcomer.swarm.dial(addressOf(two));
  await until(() => newcomer.members.vouches.aboutSelf().length === 2);
  const voters = new Set([one.peer, two.peer]);
  const lonely = await privateNode(swarm, 5, { options: { vouching: { voters, least: 2 } } });
  await newcomer.swarm.dial(addressOf(lonely));
  await until(() => knows(lonely, newcomer.peer));
});

test('a peer that is not let in is heard about itself alone [M-28]', async () => {
  const { swarm, one, two, owner, newcomer } = await scene();
  const other = swarm.keys[5]!.peerId;
  const about = async (peer: PeerId) => [
    encodeVouch(await one.members.vouch(peer, NOW + DAY)),
    encodeVouch(await two.members.vouch(peer, NOW + DAY)),
  ];
  await Promise.all([one, two].map(({ swarm: node }) => node.stop()));
  const foreign = await about(other);
  const exchange = new VouchExchange({
    members: owner.members,
    admission: new Admission({
      members: owner.members,
      list: new OwnerList({ members: owner.members, vouching: vouchingOf(one, two) }),
      log: silentLog,
    }),
    ask: async () => ({ kind: 'taken' }),
  });
  const from = newcomer.peer;
  const asked = await exchange.answer({ kind: 'vouches', known: new Uint8Array(32) }, from);
  expect(asked).toMatchObject({ kind: 'refused', reason: 'not-a-member' });
  const told = await exchange.answer({ kind: 'vouch', vouches: foreign }, from);
  expect(told).toMatchObject({ kind: 'refused' });
  expect(owner.members.vouches.all()).toEqual([]);
  const own = await about(from);
  expect(await exchange.answer({ kind: 'vouch', vouches: own }, from)).toEqual({ kind: 'taken' });
  expect(owner.members.vouchersOf(from)).toHaveLength(2);
});

test('without members the voters alone are let in', async () => {
  const voter = await testNode();
  const stranger = await testNode();
  const vouching = { voters: new Set([voter.swarm.self]), least: 1 };
  const owner = await testNode({ vouching });
  await voter.swarm.dial(owner.swarm.addresses()[0]!);
  await expect(stranger.swarm.dial(owner.swarm.addresses()[0]!)).rejects.toThrow();
  expect(owner.swarm.peers()).toEqual([voter.swarm.self]);
});

test('more voters needed than named is a fault of the options', () => {
  const options = { seed: new Uint8Array(32), network: 'test', listen: [] };
  const wrong = { ...options, vouching: { voters: new Set<PeerId>(), least: 1 } };
  expect(() => checkOptions(wrong)).toThrow(ConfigError);
});

const vouchingOf = (...nodes: readonly PrivateNode[]) => ({
  voters: new Set(nodes.map(({ peer }) => peer)),
  least: nodes.length,
});
