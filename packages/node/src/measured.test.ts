import { namedMean } from '@starling/federation';
import { DEFAULT_TRAINING } from '@starling/protocol-rounds';
import { expect, test } from 'vitest';
import { TEST_MODEL, VirtualSwarm, virtualManifest } from '../../../test/helpers/virtual-swarm.ts';
import { fakeTrainer } from '../../sim/src/fake-trainer.ts';
import { Prng } from '../../sim/src/prng.ts';

const METRICS = [
  { name: 'recall', output: 'recall', low: 0, high: 1 },
  { name: 'error', output: 'error', low: -5, high: 5 },
];

test('certificates hold the sums of a job’s own metrics, and of no peer alone', async () => {
  const swarm = new VirtualSwarm(23);
  const sums: number[][] = [];
  for (let i = 0; i < 4; i++) {
    const trainer = fakeTrainer(new Prng(BigInt(i)));
    const named = [10 + i, 25 - 2 * i];
    sums.push(named);
    await swarm.add({
      trainer: {
        ...trainer,
        prepare: async (job) => {
          const prepared = await trainer.prepare(job);
          return {
            ...prepared,
            evaluate: async (...of) => ({ ...(await prepared.evaluate(...of)), named }),
          };
        },
      },
    });
  }
  const { node } = swarm.peers[0]!;
  const training = { ...DEFAULT_TRAINING, batchSize: 1, metrics: METRICS };
  const { job } = await swarm.run(node.launch(virtualManifest({ training }), TEST_MODEL));
  await swarm.until(() => swarm.peers.every((each) => each.node.job(job)?.phase === 'finished'));
  for (const { statement } of node.job(job)!.certificates) {
    const { named, examples } = statement.metrics;
    expect(examples).toBe(200);
    const means = METRICS.map((metric, i) => namedMean(named![i]!, examples, metric)!);
    const parts = METRICS.map((_, i) => sums.reduce((sum, each) => sum + each[i]!, 0) / 200);
    expect(means[0]).toBeCloseTo(parts[0]!, 6);
    expect(means[1]).toBeCloseTo(-5 + 10 * parts[1]!, 6);
  }
  await swarm.stop();
  expect(swarm.fatal).toEqual([]);
});

test('a job with noise measures nothing, and one cannot ask for both', async () => {
  const swarm = new VirtualSwarm(24);
  await swarm.add();
  const { node } = swarm.peers[0]!;
  const noise = { noiseMultiplier: 1, delta: 1e-5, updatesMax: 5 };
  const noisy = { mechanism: 'distributed-gaussian', ...noise } as const;
  const training = { ...DEFAULT_TRAINING, metrics: METRICS };
  const asked = swarm.run(node.launch(virtualManifest({ training, privacy: noisy }), TEST_MODEL));
  await expect(asked).rejects.toThrow('training.metrics would need noise of their own');
  const twice = { ...training, metrics: [METRICS[0]!, METRICS[0]!] };
  const again = swarm.run(node.launch(virtualManifest({ training: twice }), TEST_MODEL));
  await expect(again).rejects.toThrow('metrics has a name twice');
  await swarm.stop();
});
