import { expect, test } from 'vitest';
import { TEST_MODEL, VirtualSwarm, virtualManifest } from '../../../test/helpers/virtual-swarm.ts';

test('a job ends after its time, for all alike, however many rounds it might have', async () => {
  const swarm = new VirtualSwarm(21);
  for (let i = 0; i < 4; i++) await swarm.add();
  const [first] = swarm.peers;
  const manifest = virtualManifest({ stop: { rounds: 1_000, target: null, seconds: 30 } });
  const { job } = await swarm.run(first!.node.launch(manifest, TEST_MODEL));
  const began = swarm.time.now;
  await swarm.until(() => swarm.peers.every(({ node }) => node.job(job)?.phase === 'finished'));
  const seconds = (swarm.time.now - began) / 1000;
  const chains = swarm.peers.map(({ node }) => node.job(job)!.certificates);
  const rounds = chains[0]!.length;
  expect(rounds).toBeGreaterThan(1);
  expect(new Set(chains.map((chain) => chain.at(-1)!.statement.stateHash)).size).toBe(1);
  // The last round may go over the end, and whole seconds are rounded in each.
  expect(seconds).toBeGreaterThan(30 - rounds);
  expect(seconds).toBeLessThan(30 * (1 + 2 / rounds) + 10);
  expect(swarm.fatal).toEqual([]);
});

test('an untimed job counts no seconds', async () => {
  const swarm = new VirtualSwarm(22);
  for (let i = 0; i < 3; i++) await swarm.add();
  const { node } = swarm.peers[0]!;
  const { job } = await swarm.run(node.launch(virtualManifest(), TEST_MODEL));
  await swarm.until(() => node.job(job)?.phase === 'finished');
  const counted = node.job(job)!.certificates.map(({ statement }) => statement.metrics.seconds);
  expect(counted).toEqual([0, 0]);
});
