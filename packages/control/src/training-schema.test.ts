import { DEFAULT_TRAINING } from '@starling/protocol-rounds';
import { describe, expect, test } from 'vitest';
import { trainingSchema } from './training-schema.ts';

const problems = (value: unknown): readonly string[] => {
  const parsed = trainingSchema.safeParse(value);
  if (parsed.success) return [];
  return parsed.error.issues.map(({ path, message }) => `${path.join('.')}: ${message}`);
};

describe('training in a job file', () => {
  test('may be left out', () => {
    expect(trainingSchema.parse({})).toEqual(DEFAULT_TRAINING);
  });

  test('of the first release reads as it did', () => {
    const old = { epochs: 2, batchSize: 8, optimizer: 'sgd', learningRate: 0.5, momentum: 0.9 };
    expect(trainingSchema.parse(old)).toEqual({ ...DEFAULT_TRAINING, ...old });
    expect(problems({ optimizer: 'sgd', momentum: 0 })).toEqual([]);
  });

  test('has the defaults of each optimiser', () => {
    expect(trainingSchema.parse({ optimizer: 'adamw' })).toMatchObject({ weightDecay: 0.01 });
    expect(trainingSchema.parse({ optimizer: 'adam' })).toMatchObject({ weightDecay: 0 });
    expect(trainingSchema.parse({ optimizer: 'adagrad' })).toMatchObject({ epsilon: 1e-10 });
    const zero = { optimizer: 'adamw', weightDecay: 0 };
    expect(trainingSchema.parse(zero)).toMatchObject({ weightDecay: 0 });
  });

  const full = {
    ...{ epochs: 2, batchSize: 8, accumulation: 4, optimizer: 'rmsprop', learningRate: 0.5 },
    ...{ momentum: 0.9, alpha: 0.9, epsilon: 1e-3, weightDecay: 0.1, proximal: 0.5 },
    schedule: { kind: 'polynomial', per: 'round', warmup: 3, length: 50, power: 2, floor: 0.1 },
    clipping: { norm: 1, value: 0.5 },
    frozen: ['*', '!head.*'],
    dropout: false,
    lossOptions: { labelSmoothing: 0.1, ignoreIndex: -100, classWeights: [1, 2], delta: 2 },
  };

  test('takes every key, and reads its own output again', () => {
    const parsed = trainingSchema.parse(full);
    expect(parsed).toMatchObject(full);
    expect(trainingSchema.parse(parsed)).toEqual(parsed);
    for (const optimizer of ['sgd', 'adam', 'adamw', 'adagrad']) {
      const filled = trainingSchema.parse({ optimizer });
      expect(trainingSchema.parse(filled)).toEqual(filled);
    }
  });

  test.each<[unknown, string]>([
    [{ optimizer: 'momentum' }, 'optimizer: expected one of sgd, adam, adamw, rmsprop, adagrad'],
    [{ optimizer: 'adam', momentum: 0.9 }, 'momentum: adam has no momentum; it belongs to sgd'],
    [{ beta2: 0.99 }, 'beta2: sgd has no beta2; it belongs to adam, adamw'],
    [{ optimizer: 'adam', alpha: 0.9 }, 'alpha: adam has no alpha; it belongs to rmsprop'],
    [{ nesterov: true }, 'nesterov: needs momentum above 0'],
    [{ momentum: 1 }, 'momentum: '],
    [{ learningRate: 0 }, 'learningRate: '],
    [{ accumulation: 0 }, 'accumulation: '],
    [{ schedule: { kind: 'linear' } }, 'schedule.kind: '],
    [{ schedule: { floor: 0.5 } }, 'schedule.floor: constant has no floor; it belongs to cosine'],
    [{ schedule: { kind: 'cosine', every: 3 } }, 'schedule.every: cosine has no every'],
    [{ clipping: { norm: -1 } }, 'clipping.norm: '],
    [{ clipping: 1 }, 'clipping: '],
    [{ frozen: 'a' }, 'frozen: '],
    [{ frozen: [''] }, 'frozen.0: '],
    [{ lossOptions: { labelSmoothing: 1 } }, 'lossOptions.labelSmoothing: '],
    [{ lossOptions: { classWeights: [0, 0] } }, 'lossOptions.classWeights: some class must count'],
    [{ lossOptions: { ignoreIndex: 0.5 } }, 'lossOptions.ignoreIndex: '],
    [{ lossOptions: { delta: 0 } }, 'lossOptions.delta: '],
    [{ dropout: 'yes' }, 'dropout: '],
    [{ epoch: 1 }, ': '],
  ])('%j is refused by its key', (value, message) => {
    expect(problems(value).some((problem) => problem.startsWith(message))).toBe(true);
  });
});
