import type { JobId } from '@starling/core';
import { epsilonOf } from '@starling/privacy';
import type { Manifest } from '@starling/protocol-rounds';
import { guaranteeOf, type Policy, type Trainer } from '@starling/rounds';
import { expect, onTestFinished, test } from 'vitest';
import {
  TEST_MODEL,
  type VirtualPeer,
  VirtualSwarm,
  virtualManifest,
} from '../../../test/helpers/virtual-swarm.ts';
import { fakeTrainer } from '../../sim/src/fake-trainer.ts';
import { Prng } from '../../sim/src/prng.ts';

const PARAMETERS = 50;
const hidden = (rounds: number, updatesMax = rounds): Partial<Manifest> => ({
  privacy: { mechanism: 'distributed-gaussian', noiseMultiplier: 2, delta: 1e-5, updatesMax },
  stop: { rounds, target: null, seconds: 0 },
});
const { rho } = guaranteeOf(virtualManifest(hidden(1)), PARAMETERS)!;
const budgetFor = (updates: number): Policy => ({
  trust: { includes: () => true },
  minPeers: 3,
  privacyBudgets: new Map([['mine', { epsilon: epsilonOf(rho * updates, 1e-5), delta: 1e-5 }]]),
});

async function swarmOf(policies: readonly (Policy | undefined)[]): Promise<VirtualSwarm> {
  const swarm = new VirtualSwarm(11);
  for (const policy of policies) await swarm.add(policy === undefined ? {} : { policy });
  await swarm.pass(1_000);
  onTestFinished(async () => {
    await swarm.stop();
    expect(swarm.fatal).toEqual([]);
  });
  return swarm;
}

const launch = (swarm: VirtualSwarm, changes: Partial<Manifest>) =>
  swarm.run(swarm.peers[0]!.node.launch(virtualManifest(changes), TEST_MODEL));
const roundsOf = (peer: VirtualPeer, job: JobId) => peer.node.job(job)!.certificates.length;
const spentOf = (peer: VirtualPeer) => peer.node.privacySpent().updates;
const joinsOf = (peer: VirtualPeer) => peer.notices.filter(({ kind }) => kind === 'joining').length;

test('a peer gives what its budget covers, then watches; the others go on [R-55]', async () => {
  const swarm = await swarmOf([undefined, undefined, undefined, budgetFor(2.5)]);
  const { job, guarantee } = await launch(swarm, hidden(4, 5));
  expect(guarantee).toMatchObject({ updatesMax: 5, noiseMultiplier: 2, rho });
  await swarm.until(() => swarm.peers.every((peer) => roundsOf(peer, job) === 4));
  const modest = swarm.peers[3]!;
  expect(modest.node.job(job)!.standing).toMatchObject({ kind: 'budget-spent' });
  expect(modest.node.job(job)!.standing).toHaveProperty(
    'reason',
    expect.stringContaining('the privacy budget of data set mine is used up'),
  );
  expect(spentOf(modest)).toEqual([{ dataset: 'mine', job, updates: 2, rho: 2 * rho }]);
  expect(joinsOf(modest)).toBe(2);
  expect(modest.notices.filter(({ kind }) => kind === 'budget-spent')).toHaveLength(1);
  expect(spentOf(swarm.peers[0]!)[0]).toMatchObject({ updates: 4 });
  // Nothing but the model is in a certificate of a job with noise.
  const metrics = modest.node.job(job)!.certificates.map(({ statement }) => statement.metrics);
  expect(metrics.every(({ examples }) => examples === 0)).toBe(true);
});

test('charges outlive a restart, and a greater budget goes on from there', async () => {
  const swarm = await swarmOf([undefined, undefined, undefined, budgetFor(1.5)]);
  const { job } = await launch(swarm, hidden(6, 9));
  const modest = swarm.peers[3]!;
  await swarm.until(() => modest.node.job(job)?.standing.kind === 'budget-spent');
  await swarm.restart(modest);
  await swarm.until(() => modest.node.job(job)?.standing.kind === 'budget-spent');
  expect(spentOf(modest)).toEqual([{ dataset: 'mine', job, updates: 1, rho }]);
  modest.settings.policy = budgetFor(50);
  await swarm.run(modest.node.approve(job));
  expect(modest.node.job(job)!.standing.kind).toBe('participating');
  await swarm.until(() => roundsOf(modest, job) === 6);
  expect(spentOf(modest)[0]!.updates).toBeGreaterThan(1);
});

test('a job has no more updates of a peer than its guarantee covers [R-55]', async () => {
  const swarm = await swarmOf([undefined, undefined, undefined]);
  const { job } = await launch(swarm, hidden(3));
  await swarm.until(() => roundsOf(swarm.peers[0]!, job) === 3);
  for (const peer of swarm.peers) expect(spentOf(peer)[0]).toMatchObject({ updates: 3 });
});

test('charges are on disk before JOINs [R-54]; no plain job on a set with a budget', async () => {
  const swarm = await swarmOf([undefined, undefined, undefined]);
  const peer = swarm.peers[0]!;
  const order: string[] = [];
  const { journal } = peer;
  const put = journal.put.bind(journal);
  journal.put = async (key, value) => {
    await put(key, value);
    if (key.startsWith('privacy/')) order.push('charge');
    if (key.includes('/note/join/')) order.push('join');
  };
  const { job } = await launch(swarm, hidden(2));
  await swarm.until(() => roundsOf(peer, job) === 2);
  expect(order).toEqual(['charge', 'join', 'charge', 'join']);
  peer.settings.policy = budgetFor(50);
  const plain = await launch(swarm, { nonce: new Uint8Array(16).fill(1) });
  await swarm.pass(1_000);
  expect(peer.node.job(plain.job)!.standing).toMatchObject({
    ...{ kind: 'budget-spent', reason: expect.stringContaining('the job adds no noise') },
  });
});

test('a model with running statistics is refused at launch', async () => {
  const base = fakeTrainer(new Prng(1n));
  const trainer: Trainer = {
    ...base,
    describe: async (model, weights) => ({
      ...(await base.describe(model, weights)),
      layout: { parameters: PARAMETERS - 2, buffers: 2 },
    }),
  };
  const swarm = new VirtualSwarm(3);
  onTestFinished(() => swarm.stop());
  await swarm.add({ trainer });
  await expect(launch(swarm, hidden(2))).rejects.toThrow('job.privacy: no noise covers');
});
