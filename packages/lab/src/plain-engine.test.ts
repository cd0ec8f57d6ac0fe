import { decodeState } from '@starling/federation';
import { expect, test } from 'vitest';
import { openRun } from './lab-run.ts';
import { plainRound } from './plain-engine.ts';
import { clouds, tinyModel, tinySettings } from './testing/tiny.ts';

const RATE = 0.5;

/** One step of gradient descent on the mean cross entropy of these examples, in float64. */
function steppedByHand(model: Float32Array, indices: Int32Array, data: ReturnType<typeof clouds>) {
  const { inputs, targets } = data.train.examples;
  const gradient = new Float64Array(6);
  for (const index of indices) {
    const x = [inputs[2 * index]!, inputs[2 * index + 1]!];
    const scores = [0, 1].map((k) => x[0]! * model[k]! + x[1]! * model[2 + k]! + model[4 + k]!);
    const total = scores.reduce((sum, score) => sum + Math.exp(score), 0);
    for (const k of [0, 1]) {
      const error = Math.exp(scores[k]!) / total - (targets![index] === k ? 1 : 0);
      gradient[k]! += (x[0]! * error) / indices.length;
      gradient[2 + k]! += (x[1]! * error) / indices.length;
      gradient[4 + k]! += error / indices.length;
    }
  }
  return gradient.map((each) => -RATE * each);
}

const training = { batchSize: 1000, learningRate: RATE };

test('a round is FedAvg by hand, to the fineness of the grid', async () => {
  const data = clouds(90);
  const partition = { kind: 'quantity', alpha: 1, minimum: 5 };
  const aggregation = { weighting: 'examples', weightCap: 1000, clippingNorm: 4 };
  const settings = tinySettings({ training, partition, aggregation });
  const run = await openRun({ settings, seed: 3, data, model: tinyModel(), threads: 1 });
  const before = decodeState(run.initial).model;
  const { state, survivors } = await plainRound(run, run.initial, 1);
  await run.close();
  expect(survivors).toBe(6);
  const expected = Float64Array.from(before);
  for (const share of run.shares) {
    const step = steppedByHand(before, share, data);
    for (let i = 0; i < 6; i++) expected[i]! += (step[i]! * share.length) / 90;
  }
  const after = decodeState(state).model;
  // Weights of examples over the cap are small: the grid is 1000/90 times coarser than it looks.
  for (let i = 0; i < 6; i++) expect(after[i]).toBeCloseTo(expected[i]!, 3);
});

test('a round takes C of the clients, and cells change only how they combine', async () => {
  const data = clouds(300);
  const round = async (cells: number) => {
    const aggregation = { combination: 'mean', clippingNorm: 4 };
    const given = { training, aggregation, clients: 30, participation: 0.5, cells };
    const input = { settings: tinySettings(given), seed: 9, data, model: tinyModel(), threads: 1 };
    const run = await openRun(input);
    const result = await plainRound(run, run.initial, 1);
    await run.close();
    return result;
  };
  const [one, three] = [await round(1), await round(3)];
  expect([one.survivors, three.survivors]).toEqual([15, 15]);
  const [a, b] = [decodeState(one.state).model, decodeState(three.state).model];
  for (const [i, value] of a.entries()) expect(b[i]).toBeCloseTo(value, 3);
});

test('stragglers who are dropped are in no sum; those who are kept are', async () => {
  const data = clouds(300);
  const survivors = async (partial: string) => {
    const stragglers = { fraction: 0.5, partial };
    const given = { training: { ...training, epochs: 4 }, stragglers, clients: 10 };
    const input = { settings: tinySettings(given), seed: 2, data, model: tinyModel(), threads: 1 };
    const run = await openRun(input);
    const result = await plainRound(run, run.initial, 1);
    await run.close();
    return result.survivors;
  };
  expect(await survivors('drop')).toBe(5);
  expect(await survivors('keep')).toBe(10);
});

test('sign-flipping attackers turn a round around where honest ones do not', async () => {
  const data = clouds(300);
  const gain = async (attack: object | undefined) => {
    const given = { training, clients: 10, aggregation: { combination: 'mean' }, attack };
    const input = { settings: tinySettings(given), seed: 4, data, model: tinyModel(), threads: 1 };
    const run = await openRun(input);
    const before = await run.test.score(decodeState(run.initial).model);
    const { state } = await plainRound(run, run.initial, 1);
    const after = await run.test.score(decodeState(state).model);
    await run.close();
    return before.lossSum - after.lossSum;
  };
  expect(await gain(undefined)).toBeGreaterThan(0);
  expect(await gain({ kind: 'sign-flip', fraction: 0.3, scale: 5 })).toBeLessThan(0);
});

test('noise of the job is in every round, an attacker adds none, and the sum opens', async () => {
  const data = clouds(600);
  const noises = async (attack: object | undefined) => {
    const privacy = { mechanism: 'distributed-gaussian', noiseMultiplier: 1 };
    const aggregation = { clippingNorm: 0.1 };
    const given = { training, clients: 30, privacy, aggregation, attack };
    const input = { settings: tinySettings(given), seed: 5, data, model: tinyModel(), threads: 1 };
    const run = await openRun(input);
    const before = decodeState(run.initial).model;
    const { state, survivors } = await plainRound(run, run.initial, 1);
    await run.close();
    expect(survivors).toBe(30);
    return decodeState(state).model.map((value, i) => value - before[i]!);
  };
  const [noisy, attacked] = [
    await noises(undefined),
    await noises({ kind: 'free-rider', fraction: 0.2 }),
  ];
  expect(attacked).not.toEqual(noisy);
  for (const value of [...noisy, ...attacked]) expect(Math.abs(value)).toBeLessThan(0.2);
});
