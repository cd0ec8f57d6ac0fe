import { DEFAULT_TRAINING, type Privacy } from '@starling/protocol-rounds';
import { describe, expect, test } from 'vitest';
import { manifestFault } from './admission.ts';
import { type ManifestChanges, testManifest } from './testing/fixtures.ts';

const { schedule } = DEFAULT_TRAINING;
const noise: Partial<Privacy> = {
  mechanism: 'distributed-gaussian',
  noiseMultiplier: 1,
  delta: 1e-5,
  updatesMax: 10,
};

const faultOf = ({ aggregation, ...changes }: ManifestChanges) =>
  manifestFault(
    testManifest({ aggregation: { algorithm: 'scaffold', ...aggregation }, ...changes }),
  );

describe('what a manifest with scaffold must not have [R-57]', () => {
  const sound: readonly ManifestChanges[] = [
    {},
    { training: { clipping: { norm: 1, value: 0 }, weightDecay: 0.1, accumulation: 2 } },
    { training: { patience: 2, steps: 100 }, aggregation: { learningRate: 0.5 } },
    { admission: { participation: 0.5 } },
  ];
  test.each(sound)('nothing of %j', (changes) => {
    expect(faultOf(changes)).toBeUndefined();
  });

  const faulty: readonly [fault: string, changes: ManifestChanges][] = [
    ['aggregation.referenceSteps', { aggregation: { referenceSteps: 0 } }],
    ['scaffold needs training.optimizer sgd', { training: { optimizer: 'adam' } }],
    ['scaffold needs training.optimizer sgd', { training: { momentum: 0.9 } }],
    ['training.schedule constant', { training: { schedule: { ...schedule, kind: 'step' } } }],
    [
      'training.schedule constant',
      { training: { schedule: { ...schedule, kind: 'cosine', per: 'round' } } },
    ],
    ['without warm-up', { training: { schedule: { ...schedule, warmup: 1 } } }],
    ['training.proximal 0', { training: { proximal: 0.1 } }],
    ['aggregation.weighting uniform', { aggregation: { weighting: 'examples' } }],
    ['no rotation', { aggregation: { rotation: 'hadamard' } }],
    ['no errorFeedback', { aggregation: { errorFeedback: true } }],
    ['sparsity 1', { aggregation: { sparsity: 0.5 } }],
    ['privacy.mechanism none', { privacy: noise }],
  ];
  test.each(faulty)('%s', (fault, changes) => {
    expect(faultOf(changes)).toContain(fault);
  });
});
