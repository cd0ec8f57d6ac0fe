import type { SigningKey } from '@starling/crypto';
import { describe, expect, test } from 'vitest';
import { consentTo, manifestFault, type Policy } from './admission.ts';
import { type ManifestChanges, testJob, testKeys, testManifest } from './testing/fixtures.ts';

const [launcher, volunteer] = testKeys(2) as [SigningKey, SigningKey];

describe('manifestFault', () => {
  const sound: readonly ManifestChanges[] = [
    {},
    { training: { momentum: 0.99 } },
    { aggregation: { ringBits: 16 }, admission: { maxPeers: 128 } },
    { aggregation: { ringBits: 30 }, admission: { maxPeers: 4 } },
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
    ['aggregation.ringBits', { aggregation: { ringBits: 15 } }],
    ['aggregation.ringBits', { aggregation: { ringBits: 31 } }],
    ['no room for the sum', { aggregation: { ringBits: 30 }, admission: { maxPeers: 5 } }],
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
  ];
  test.each(faulty)('names %s in %j', (key, changes) => {
    expect(manifestFault(testManifest(changes))).toContain(key);
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
