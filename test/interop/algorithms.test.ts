import type { JobFileInput } from '@starling/control';
import { expect, test } from 'vitest';
import { verifyModel } from '../../packages/models/src/index.ts';
import { Cluster } from './cluster.ts';

type Settings = Pick<JobFileInput, 'aggregation' | 'training'>;

/** Jobs of one swarm, one after another; the quick suite runs the first five. */
const JOBS: readonly (readonly [string, Settings])[] = [
  ['fednova by examples', { aggregation: { algorithm: 'fednova', weighting: 'examples' } }],
  ['scaffold', { aggregation: { algorithm: 'scaffold' } }],
  ['fedadam', { aggregation: { algorithm: 'fedadam', learningRate: 0.01 } }],
  ['shared unmasking', { aggregation: { unmasking: 'shared' } }],
  [
    '12 bits, rotated, with error feedback',
    { aggregation: { ringBits: 12, rotation: 'hadamard', errorFeedback: true, clippingNorm: 4 } },
  ],
  [
    'a fifth of the weights',
    {
      aggregation: { sparsity: 0.2, rotation: 'hadamard', errorFeedback: true, ringBits: 16 },
    },
  ],
  ['fedprox', { aggregation: { algorithm: 'fedprox' }, training: { proximal: 0.01 } }],
  ['fedavgm', { aggregation: { algorithm: 'fedavgm', momentum: 0.5 } }],
  ['fedyogi', { aggregation: { algorithm: 'fedyogi', learningRate: 0.01 } }],
  ['fedadagrad', { aggregation: { algorithm: 'fedadagrad', learningRate: 0.01 } }],
  [
    'diloco',
    {
      aggregation: { algorithm: 'diloco' },
      training: { epochs: 3, optimizer: 'adamw', learningRate: 0.001 },
    },
  ],
];
const ROUNDS = 3;

test('algorithms on live daemons: the model gets better, and all hold the same', async () => {
  const isFull = process.env['STARLING_TEST_SIZE'] === 'full';
  const cluster = await Cluster.start(4);
  try {
    for (const [name, settings] of isFull ? JOBS : JOBS.slice(0, 5)) {
      const job = await cluster.launch(ROUNDS, { joinWindowSeconds: 1, maxPeers: 16 }, settings);
      const views = await cluster.finished(job, ROUNDS);
      expect(new Set(views.map(({ stateHash }) => stateHash)).size, name).toBe(1);
      const losses = views[0]!.rounds.map(({ loss }) => loss!);
      expect(losses.at(-1), name).toBeLessThan(losses[0]!);
      const { model, proof } = await cluster.swarm.client(cluster.swarm.peers[0]!).pull(job);
      const [file, evidence] = [model, proof].map((text) => Buffer.from(text, 'base64'));
      expect(verifyModel(file!, evidence!), name).toMatchObject({ ok: true });
    }
  } finally {
    await cluster.stop();
  }
});
