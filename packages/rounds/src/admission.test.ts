import type { SigningKey } from '@starling/crypto';
import { DEFAULT_TRAINING } from '@starling/protocol-rounds';
import { describe, expect, test } from 'vitest';
import { consentTo, manifestFault, type Policy } from './admission.ts';
import { type ManifestChanges, testJob, testKeys, testManifest } from './testing/fixtures.ts';

const [launcher, volunteer] = testKeys(2) as [SigningKey, SigningKey];
const { schedule, lossOptions } = DEFAULT_TRAINING;

describe('manifestFault', () => {
  const sound: readonly ManifestChanges[] = [
    {},
    { training: { momentum: 0.99 } },
    { aggregation: { ringBits: 16 }, admission: { maxPeers: 128 } },
    { aggregation: { ringBits: 30 }, admission: { maxPeers: 4 } },
    { aggregation: { ringBits: 8, rotation: 'hadamard' }, admission: { maxPeers: 16 } },
    { aggregation: { ringBits: 12, rotation: 'hadamard', cellSize: 8 } },
    { aggregation: { weighting: 'examples', weightCap: 262_143, ringBits: 20 } },
    { aggregation: { phaseSeconds: 0.1 }, admission: { joinWindowSeconds: 86_400 } },
    { admission: { minPeers: 5, maxPeers: 5 }, rounds: 1 },
  ];
  test.each(sound)('none in %j', (changes) => {
    expect(manifestFault(testManifest(changes))).toBeUndefined();
  });

  const faulty: readonly [key: string, changes: ManifestChanges][] = [
    ['training.epochs', { training: { epochs: 0 } }],
    ['batchSize', { training: { batchSize: 0 } }],
    ['training.learningRate', { training: { learningRate: 0 } }],
    ['training.learningRate', { training: { learningRate: Number.NaN } }],
    ['training.learningRate', { training: { learningRate: Number.POSITIVE_INFINITY } }],
    ['training.momentum', { training: { momentum: 1 } }],
    ['training.momentum', { training: { momentum: -0.1 } }],
    ['training.momentum', { training: { momentum: Number.NaN } }],
    ['training.nesterov', { training: { nesterov: true } }],
    ['accumulation', { training: { accumulation: 0 } }],
    ['beta1 and beta2', { training: { beta2: 1 } }],
    ['training.alpha', { training: { alpha: -0.1 } }],
    ['training.epsilon', { training: { epsilon: 0 } }],
    ['training.weightDecay', { training: { weightDecay: -1 } }],
    ['training.clipping', { training: { clipping: { norm: -1, value: 0 } } }],
    ['training.clipping', { training: { clipping: { norm: 0, value: Number.NaN } } }],
    ['training.proximal', { training: { proximal: Number.NaN } }],
    ['training.frozen', { training: { frozen: [''] } }],
    ['training.personal', { training: { personal: [''] } }],
    ['training.schedule.every', { training: { schedule: { ...schedule, every: 0 } } }],
    ['training.schedule.factor', { training: { schedule: { ...schedule, factor: 0 } } }],
    ['training.schedule.power', { training: { schedule: { ...schedule, power: 0 } } }],
    ['training.schedule.floor', { training: { schedule: { ...schedule, floor: 1.5 } } }],
    ['labelSmoothing', { training: { lossOptions: { ...lossOptions, labelSmoothing: 1 } } }],
    ['classWeights', { training: { lossOptions: { ...lossOptions, classWeights: [1, -1] } } }],
    ['classWeights', { training: { lossOptions: { ...lossOptions, classWeights: [0, 0] } } }],
    ['delta', { training: { lossOptions: { ...lossOptions, delta: 0 } } }],
    ['aggregation.ringBits', { aggregation: { ringBits: 31 } }],
    ['no room for the sum', { aggregation: { ringBits: 30 }, admission: { maxPeers: 5 } }],
    ['aggregation.sparsity', { aggregation: { sparsity: 0 } }],
    ['aggregation.sparsity', { aggregation: { sparsity: 1.1 } }],
    ['aggregation.sparsity', { aggregation: { sparsity: Number.NaN } }],
    ['aggregation.clippingNorm', { aggregation: { clippingNorm: -1 } }],
    ['aggregation.clippingNorm', { aggregation: { clippingNorm: Number.NaN } }],
    ['aggregation.phaseSeconds', { aggregation: { phaseSeconds: 0.09 } }],
    ['aggregation.phaseSeconds', { aggregation: { phaseSeconds: 3_601 } }],
    ['aggregation.phaseSeconds', { aggregation: { phaseSeconds: Number.NaN } }],
    ['admission.minPeers', { admission: { minPeers: 2 } }],
    ['admission.maxPeers', { admission: { minPeers: 5, maxPeers: 4 } }],
    ['admission.joinWindowSeconds', { admission: { joinWindowSeconds: 0 } }],
    ['admission.joinWindowSeconds', { admission: { joinWindowSeconds: 86_401 } }],
    ['admission.joinWindowSeconds', { admission: { joinWindowSeconds: Number.NaN } }],
    ['stop.rounds', { rounds: 0 }],
    ['stop.target.value', { target: { metric: 'loss', value: -1 } }],
    ['admission.participation', { admission: { participation: 0 } }],
    ['admission.participation', { admission: { participation: 1.5 } }],
    ['aggregation.learningRate', { aggregation: { learningRate: 0 } }],
    ['aggregation.momentum', { aggregation: { momentum: 1 } }],
    ['aggregation.beta1', { aggregation: { beta1: -0.1 } }],
    ['aggregation.beta2', { aggregation: { beta2: 1 } }],
    ['aggregation.tau', { aggregation: { tau: 0 } }],
    ['aggregation.weightCap', { aggregation: { weighting: 'examples', weightCap: 0 } }],
    ['aggregation.referenceSteps', { aggregation: { algorithm: 'fednova', referenceSteps: 0 } }],
  ];
  test.each(faulty)('names %s in %j', (key, changes) => {
    expect(manifestFault(testManifest(changes))).toContain(key);
  });
});

describe('narrow rings [R-71]', () => {
  const few = { maxPeers: 16 };
  const turned = { rotation: 'hadamard' } as const;
  const faulty: readonly [says: string, changes: ManifestChanges][] = [
    ['must be 8 to 30', { aggregation: { ...turned, ringBits: 7 }, admission: few }],
    ['needs aggregation.rotation', { aggregation: { ringBits: 15 }, admission: few }],
    [
      'at most 16 peers, not 17',
      { aggregation: { ...turned, ringBits: 12 }, admission: { maxPeers: 17 } },
    ],
    ['cellSize to 8', { aggregation: { ...turned, ringBits: 15 }, admission: { maxPeers: 1_000 } }],
  ];
  test.each(faulty)('%s: %j', (says, changes) => {
    expect(manifestFault(testManifest(changes))).toContain(says);
  });
});

describe('consentTo', () => {
  const job = testJob(launcher);
  const nobody: Policy = { trust: { includes: () => false }, minPeers: 3 };

  test('own jobs and those of the trusted start', () => {
    expect(consentTo(job, nobody, launcher.peerId)).toEqual({ verdict: 'start' });
    const trusting = { trust: [launcher.peerId], minPeers: 3 };
    expect(consentTo(job, trusting, volunteer.peerId)).toEqual({ verdict: 'start' });
  });

  test('others are asked about, by the launcher’s name', () => {
    const consent = consentTo(job, nobody, volunteer.peerId);
    expect(consent).toMatchObject({ verdict: 'ask' });
    expect('reason' in consent && consent.reason).toContain(launcher.peerId);
  });

  test('sums of too few are refused, even one’s own and the trusted’s', () => {
    const strict = { trust: [launcher.peerId], minPeers: 4 };
    for (const self of [launcher, volunteer]) {
      const consent = consentTo(job, strict, self.peerId);
      expect(consent).toMatchObject({ verdict: 'refuse' });
      expect('reason' in consent && consent.reason).toMatch(/as few as 3 .* wants 4/);
    }
  });
});
