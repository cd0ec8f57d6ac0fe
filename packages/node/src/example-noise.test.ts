import { epsilonOfExamples } from '@starling/privacy';
import type { Manifest } from '@starling/protocol-rounds';
import type { Policy, Trainer, TrainingContext } from '@starling/rounds';
import { expect, onTestFinished, test } from 'vitest';
import {
  TEST_MODEL,
  type VirtualPeer,
  VirtualSwarm,
  virtualManifest,
} from '../../../test/helpers/virtual-swarm.ts';
import { fakeTrainer } from '../../sim/src/fake-trainer.ts';
import { Prng } from '../../sim/src/prng.ts';

const NOISE = { clippingNorm: 1, noiseMultiplier: 1.2 };
/** As the fake trainer has it. */
const COST = { multiplier: 1.2, rate: 0.1, steps: 10 };
const hiding = (trainings: number): Policy => ({
  trust: { includes: () => true },
  minPeers: 3,
  worseMax: 1,
  exampleNoise: new Map([['mine', NOISE]]),
  privacyBudgets: new Map([
    [
      'mine',
      {
        epsilon: epsilonOfExamples([{ ...COST, steps: trainings * COST.steps }], 1e-5),
        delta: 1e-5,
      },
    ],
  ]),
});

/** Notes what a peer's trainer is asked. */
function watched(seed: bigint) {
  const base = fakeTrainer(new Prng(seed));
  const contexts: (TrainingContext | undefined)[] = [];
  const evaluations: number[] = [];
  const trainer: Trainer = {
    ...base,
    prepare: async (job) => {
      const prepared = await base.prepare(job);
      return {
        ...prepared,
        train: (vector, seed, context) => {
          contexts.push(context);
          return prepared.train(vector, seed, context);
        },
        evaluate: (...given) => {
          evaluations.push(given[1]);
          return prepared.evaluate(...given);
        },
      };
    },
  };
  return { trainer, contexts, evaluations };
}

async function swarmWith(policy: Policy) {
  const swarm = new VirtualSwarm(21);
  for (let i = 0; i < 3; i++) await swarm.add();
  const { trainer, ...seen } = watched(5n);
  const careful = await swarm.add({ policy, trainer });
  await swarm.pass(1_000);
  onTestFinished(async () => {
    await swarm.stop();
    expect(swarm.fatal).toEqual([]);
  });
  return { swarm, careful, ...seen };
}

const launch = (swarm: VirtualSwarm, changes: Partial<Manifest>) =>
  swarm.run(swarm.peers[0]!.node.launch(virtualManifest(changes), TEST_MODEL));
const joinsOf = (peer: VirtualPeer) => peer.notices.filter(({ kind }) => kind === 'joining').length;

test('an owner hides single examples in a job that knows nothing of it', async () => {
  const { swarm, careful, contexts, evaluations } = await swarmWith(hiding(100));
  const { job } = await launch(swarm, { stop: { rounds: 3, target: null, seconds: 0 } });
  const done = (peer: VirtualPeer) => peer.node.job(job)!.certificates.length === 3;
  await swarm.until(() => swarm.peers.every(done));
  expect(joinsOf(careful)).toBe(3);
  // Nothing of its validation examples goes into metrics or votes.
  expect(evaluations).toEqual([]);
  const examples = careful.node.job(job)!.certificates.map(({ statement }) => statement);
  for (const { metrics } of examples) expect(metrics.examples).toBe(150);
  // Each training has a key of its own.
  const keys = contexts.map((context) => Buffer.from(context!.noiseKey!).toString('hex'));
  expect(new Set(keys).size).toBe(contexts.length);
  for (const each of keys) expect(each).toHaveLength(64);
  const { updates, examples: spent } = careful.node.privacySpent();
  expect(updates).toEqual([]);
  expect(spent).toEqual([{ dataset: 'mine', costs: contexts.map(() => COST) }]);
  for (const other of swarm.peers.slice(0, 3)) {
    expect(other.node.privacySpent()).toEqual({ updates: [], examples: [] });
  }
});

test('it trains what the budget covers, each charge on disk before, then watches', async () => {
  const { swarm, careful, contexts } = await swarmWith(hiding(2.5));
  const order: number[] = [];
  const put = careful.journal.put.bind(careful.journal);
  careful.journal.put = async (key, value) => {
    await put(key, value);
    if (key.startsWith('example-privacy/')) order.push(contexts.length);
  };
  const { job } = await launch(swarm, { stop: { rounds: 4, target: null, seconds: 0 } });
  const done = (peer: VirtualPeer) => peer.node.job(job)!.certificates.length === 4;
  await swarm.until(() => swarm.peers.every(done));
  expect(order).toEqual([0, 1]);
  expect(contexts).toHaveLength(2);
  expect(careful.node.job(job)!.standing).toMatchObject({
    ...{ kind: 'budget-spent', reason: expect.stringContaining('of examples of data set mine') },
  });
  // A new process knows what was spent.
  await swarm.restart(careful);
  expect(careful.node.privacySpent().examples).toEqual([{ dataset: 'mine', costs: [COST, COST] }]);
});

test('in a job with noise both accounts are charged', async () => {
  const { swarm, careful } = await swarmWith(hiding(100));
  const privacy = { mechanism: 'distributed-gaussian', noiseMultiplier: 20 } as const;
  const { job } = await launch(swarm, {
    privacy: { ...privacy, delta: 1e-5, updatesMax: 4 },
    stop: { rounds: 2, target: null, seconds: 0 },
  });
  await swarm.until(() => careful.node.job(job)!.certificates.length === 2);
  const { updates, examples } = careful.node.privacySpent();
  expect(updates).toMatchObject([{ dataset: 'mine', updates: 2 }]);
  expect(examples[0]!.costs.length).toBeGreaterThanOrEqual(2);
});
