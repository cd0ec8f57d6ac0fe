import type { JobId, MemberRight, Membership, PeerId } from '@starling/core';
import { expect, onTestFinished, test } from 'vitest';
import {
  TEST_MODEL,
  type VirtualPeer,
  VirtualSwarm,
  virtualManifest,
} from '../../../test/helpers/virtual-swarm.ts';

/** Rights by peer; who is not named has none. */
function membersWith(rights: ReadonlyMap<PeerId, readonly MemberRight[]>): Membership {
  const may = (peer: PeerId, right: MemberRight) => rights.get(peer)?.includes(right) ?? false;
  return {
    refusal: (peer) => (rights.has(peer) ? undefined : `not-a-member: ${peer}`),
    may,
    mayHaveLaunched: (peer) => may(peer, 'launch'),
    mayHaveTrained: (peer) => may(peer, 'train-light'),
  };
}

const TRAIN: readonly MemberRight[] = ['train', 'train-light'];

/** Peers 0, 1, … with these rights; all know all. */
async function swarmWith(roles: readonly (readonly MemberRight[])[]): Promise<VirtualSwarm> {
  const swarm = new VirtualSwarm(3);
  const rights = new Map(roles.map((role, i) => [swarm.keyOf(i).peerId, role]));
  for (const _ of roles) await swarm.add({ members: membersWith(rights) });
  await swarm.pass(1_000);
  onTestFinished(async () => {
    await swarm.stop();
    expect(swarm.fatal).toEqual([]);
  });
  return swarm;
}

const launchBy = (swarm: VirtualSwarm, peer: VirtualPeer): Promise<{ readonly job: JobId }> =>
  swarm.run(
    peer.node.launch(
      virtualManifest({ stop: { rounds: 1, target: null, seconds: 0 } }),
      TEST_MODEL,
    ),
  );

test('who may not launch is told so; its manifest is refused by everybody [M-20]', async () => {
  const swarm = await swarmWith([TRAIN, [...TRAIN, 'launch'], TRAIN]);
  const [trainer, , other] = swarm.peers as [VirtualPeer, VirtualPeer, VirtualPeer];
  await expect(launchBy(swarm, trainer)).rejects.toThrow(/role does not let it launch.*--role/);
  expect(trainer.node.jobs()).toEqual([]);
  // One that does not ask itself whether it may.
  trainer.settings.members = undefined;
  await swarm.restart(trainer);
  const { job } = await launchBy(swarm, trainer);
  await swarm.pass(30_000);
  expect(trainer.node.job(job)).toBeDefined();
  expect(other.node.jobs()).toEqual([]);
});

test('only those who may train are in a round; a relay follows it [M-19]', async () => {
  const roles = [[...TRAIN, 'launch' as const], TRAIN, ['train-light' as const], [], TRAIN];
  const swarm = await swarmWith(roles);
  const [launcher, , , relay] = swarm.peers as VirtualPeer[];
  const { job } = await launchBy(swarm, launcher!);
  await swarm.until(() =>
    swarm.peers.every(({ node }) => node.job(job)?.certificates.length === 1),
  );
  const { roster } = relay!.node.job(job)!.certificates[0]!.statement;
  expect(roster).toHaveLength(4);
  expect(roster).not.toContain(relay!.key.peerId);
  expect(relay!.node.job(job)!.standing).toEqual({
    kind: 'refused',
    reason: 'your role in this swarm does not train',
  });
});
