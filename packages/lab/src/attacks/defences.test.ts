import { zooModel } from '@starling/autodiff';
import { decodeState } from '@starling/federation';
import { writeModel } from '@starling/onnx';
import { expect, test } from 'vitest';
import { loadData } from '../data/load.ts';
import { openRun } from '../lab-run.ts';
import { plainRound } from '../plain-engine.ts';
import { settingsSchema } from '../schema.ts';

const ROUNDS = 12;

/** Accuracy on the MNIST test set after some rounds with a fifth of sign-flipping peers. */
async function accuracyWith(aggregation: object): Promise<number> {
  const settings = settingsSchema.parse({
    ...{ name: 'defence', data: { set: 'mnist', examples: 6000 }, model: 'zoo:mlp' },
    ...{ clients: 40, cells: 8, aggregation, stop: { rounds: ROUNDS } },
    training: { batchSize: 10, learningRate: 0.1 },
    attack: { kind: 'sign-flip', fraction: 0.2, scale: 5 },
  });
  const data = await loadData(settings.data, '.');
  const model = writeModel(zooModel('mlp', 1));
  const run = await openRun({ settings, seed: 1, data, model, threads: 1 });
  let state = run.initial;
  for (let round = 1; round <= ROUNDS; round++) state = (await plainRound(run, state, round)).state;
  const { correct, examples } = await run.test.score(decodeState(state).model);
  await run.close();
  return correct / examples;
}

test('a fifth of sign-flipping peers spoil the plain mean, and not a robust one', async () => {
  expect(await accuracyWith({ combination: 'mean', clippingNorm: 1 })).toBeLessThan(0.3);
  const robust = { combination: 'multi-krum', corruptCells: 0.45, clippingNorm: 1 };
  expect(await accuracyWith(robust)).toBeGreaterThan(0.8);
});
