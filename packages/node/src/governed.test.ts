import { expect, test } from 'vitest';
import { TEST_MODEL, VirtualSwarm, virtualManifest } from '../../../test/helpers/virtual-swarm.ts';

test('a paused peer finishes its round, stays out of the next, and comes back', async () => {
  const swarm = new VirtualSwarm(11);
  for (let i = 0; i < 4; i++) await swarm.add();
  const [first, , , last] = swarm.peers;
  const manifest = virtualManifest({ stop: { rounds: 6, target: null, seconds: 0 } });
  const { job } = await swarm.run(first!.node.launch(manifest, TEST_MODEL));
  const certificates = () => first!.node.job(job)!.certificates;
  /** How many were in a round's sum. */
  const survivors = (round: number) => {
    const bits = certificates()[round - 1]!.statement.survivors;
    return bits.reduce((sum, byte) => sum + byte.toString(2).replaceAll('0', '').length, 0);
  };

  await swarm.until(() => last!.node.job(job)?.phase === 'session');
  const round = certificates().length + 1;
  last!.node.pause(true);
  await swarm.until(() => certificates().length >= round + 2);
  expect(survivors(round)).toBe(4);
  expect(survivors(round + 2)).toBe(3);
  // It follows all the same.
  await swarm.until(() => last!.node.job(job)!.certificates.length >= round + 2);

  last!.node.pause(false);
  await swarm.until(() => first!.node.job(job)?.phase === 'finished');
  expect(survivors(6)).toBe(4);
  expect(swarm.fatal).toEqual([]);
});

test('what stays on the disk are the models and newest states of jobs of ours', async () => {
  const swarm = new VirtualSwarm(12);
  for (let i = 0; i < 3; i++) await swarm.add();
  const { node, blobs } = swarm.peers[1]!;
  const { job } = await swarm.run(swarm.peers[0]!.node.launch(virtualManifest(), TEST_MODEL));
  await swarm.until(() => node.job(job)?.phase === 'finished');
  const { certificates } = node.job(job)!;
  const newest = certificates.at(-1)!.statement.stateHash;
  expect([...node.pinned()]).toEqual([virtualManifest().model, newest]);
  for (const hash of node.pinned()) expect(await blobs.has(hash)).toBe(true);
});
