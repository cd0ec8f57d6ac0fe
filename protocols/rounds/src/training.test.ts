import { decodeCanonical, encodeCanonical, LIMITS } from '@starling/core';
import { signingKeyFromSeed } from '@starling/crypto';
import { describe, expect, test } from 'vitest';
import {
  CLASS_WEIGHTS_MAX,
  DEFAULT_AGGREGATION,
  DEFAULT_TRAINING,
  FROZEN_PATTERN_MAX,
  FROZEN_PATTERNS_MAX,
  type Manifest,
  NO_PRIVACY,
  PERSONAL_PATTERNS_MAX,
  readJob,
  signManifest,
  type Training,
  trainingCodec,
} from './index.ts';

const again = (training: Training) =>
  decodeCanonical(trainingCodec, encodeCanonical(trainingCodec, training), LIMITS.controlBytesMax);

describe('training in a manifest', () => {
  test.each<Partial<Training>>([
    {},
    { optimizer: 'adagrad', nesterov: true, dropout: false, accumulation: 65_536 },
    { schedule: { ...DEFAULT_TRAINING.schedule, kind: 'polynomial', per: 'round', warmup: 9 } },
    { personal: ['head*', '!ß*'] },
    { frozen: ['*', '!ß*'], clipping: { norm: 1, value: 2.5 }, proximal: 0.1 },
    ...[-(2 ** 31), -100, -1, 0, 2 ** 31 - 1].map((ignoreIndex) => ({
      lossOptions: { ...DEFAULT_TRAINING.lossOptions, ignoreIndex },
    })),
  ])('is read as it was written: %j', (changes) => {
    const training = { ...DEFAULT_TRAINING, ...changes };
    expect(again(training)).toEqual(training);
  });

  test('fits into a manifest with every list full', () => {
    const manifest: Manifest = {
      name: 'ß'.repeat(128),
      model: '0'.repeat(64) as Manifest['model'],
      data: {
        ...{ task: 'ß'.repeat(64), inputType: 'int32', inputShape: new Array(8).fill(2 ** 32 - 1) },
        ...{ target: 'sequence', classes: 256 },
      },
      loss: 'softmax-cross-entropy',
      training: {
        ...DEFAULT_TRAINING,
        frozen: new Array(FROZEN_PATTERNS_MAX).fill('€'.repeat(FROZEN_PATTERN_MAX)),
        personal: new Array(PERSONAL_PATTERNS_MAX).fill('€'.repeat(FROZEN_PATTERN_MAX)),
        lossOptions: {
          ...DEFAULT_TRAINING.lossOptions,
          classWeights: new Array(CLASS_WEIGHTS_MAX).fill(1 / 3),
        },
      },
      aggregation: { ...DEFAULT_AGGREGATION, clippingNorm: 1 / 3, bufferRange: 1 / 3 },
      privacy: { ...NO_PRIVACY, mechanism: 'distributed-gaussian', noiseMultiplier: 1 / 3 },
      admission: { minPeers: 3, maxPeers: 64, joinWindowSeconds: 1 / 3, participation: 1 / 3 },
      stop: { rounds: 1_000_000, target: { metric: 'loss', value: 1 / 3 }, seconds: 0 },
      nonce: new Uint8Array(16),
    };
    const signed = signManifest(manifest, signingKeyFromSeed(new Uint8Array(32)));
    expect(readJob(signed)?.manifest).toEqual(manifest);
  });
});
