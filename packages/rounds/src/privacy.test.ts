import { epsilonOf, gaussianRho } from '@starling/privacy';
import { byzantineMax, survivorsMin } from '@starling/protocol-secagg';
import { describe, expect, test } from 'vitest';
import { manifestFault } from './admission.ts';
import { fewestInSum } from './cells.ts';
import { guaranteeOf, layoutFault, noiseForJob } from './privacy.ts';
import { type ManifestChanges, testManifest } from './testing/fixtures.ts';

const mechanism = 'distributed-gaussian';
const privacy = { mechanism, noiseMultiplier: 1, delta: 1e-5, updatesMax: 11 } as const;
const hidden = (changes: ManifestChanges = {}) =>
  testManifest({ ...changes, privacy: { ...privacy, ...changes.privacy } });

describe('who is counted on', () => {
  test('the fewest honest of the fewest survivors of any cell that may be', () => {
    const fewest = (admission: ManifestChanges['admission'], more: ManifestChanges = {}) =>
      fewestInSum(testManifest({ ...more, admission: { ...admission } }));
    expect(fewest({ minPeers: 3, maxPeers: 3 })).toEqual({ survivorsMin: 3, honestMin: 3 });
    // Of four one may lie and one may die.
    expect(fewest({ minPeers: 3, maxPeers: 64 })).toEqual({ survivorsMin: 3, honestMin: 2 });
    expect(fewest({ minPeers: 40, maxPeers: 64 })).toEqual({ survivorsMin: 27, honestMin: 14 });
    expect(fewest({ minPeers: 2, maxPeers: 1 })).toEqual({ survivorsMin: 3, honestMin: 3 });
  });

  test('no cut of a roster that lost a third makes a smaller cell', () => {
    const cellSize = 10;
    const manifest = testManifest({
      ...{ aggregation: { cellSize }, admission: { minPeers: 30, maxPeers: 120 } },
    });
    const { survivorsMin: least, honestMin } = fewestInSum(manifest);
    for (let roster = 21; roster <= 120; roster++) {
      const size = Math.floor(roster / Math.max(1, Math.round(roster / cellSize)));
      expect(least).toBeLessThanOrEqual(survivorsMin(size));
      expect(honestMin).toBeLessThanOrEqual(survivorsMin(size) - byzantineMax(size));
    }
  });

  test('a wide roster is one sum, and may lose a third first', () => {
    const manifest = testManifest({
      ...{ aggregation: { graph: 'wide', ringBits: 22 } },
      admission: { minPeers: 300, maxPeers: 400 },
    });
    expect(fewestInSum(manifest)).toEqual({ survivorsMin: 135, honestMin: 68 });
  });
});

describe('the guarantee', () => {
  test('is that of a Gaussian with a slightly larger norm', () => {
    const manifest = hidden();
    const { epsilon, rho, updatesMax } = guaranteeOf(manifest, 10_000)!;
    expect(updatesMax).toBe(11);
    expect(rho).toBeGreaterThan(gaussianRho(1));
    expect(rho / gaussianRho(1)).toBeLessThan(1.001);
    expect(epsilon).toBeGreaterThan(epsilonOf(11 / 2, 1e-5));
    expect(epsilon).toBeCloseTo(epsilonOf(11 / 2, 1e-5), 2);
    expect(guaranteeOf(testManifest(), 10_000)).toBeUndefined();
  });

  test('grows with the model, whose rounding grows with it', () => {
    const rhoOf = (parameters: number) => guaranteeOf(hidden(), parameters)!.rho;
    expect(rhoOf(25_000_000)).toBeGreaterThan(rhoOf(1_000_000));
    expect(rhoOf(25_000_000) / gaussianRho(1)).toBeLessThan(1.1);
  });

  test.each([0.5, 2, 8, 30])('noise for epsilon %d, and hardly more', (epsilon) => {
    const manifest = hidden({ aggregation: { ringBits: 26 } });
    const noiseMultiplier = noiseForJob(manifest, 200_000, epsilon);
    const with_ = { ...manifest, privacy: { ...manifest.privacy, noiseMultiplier } };
    const found = guaranteeOf(with_, 200_000)!.epsilon;
    expect(found).toBeLessThanOrEqual(epsilon);
    expect(found).toBeGreaterThan(epsilon * 0.999);
    expect(manifestFault(with_)).toBeUndefined();
  });

  test('more noise than the ring can bear is refused with the way out', () => {
    const manifest = hidden({ aggregation: { ringBits: 16 } });
    expect(() => noiseForJob(manifest, 200_000, 0.01)).toThrow('16 ring bits are too few');
    const tiny = hidden({ aggregation: { clippingNorm: Number.MIN_VALUE } });
    expect(() => noiseForJob(tiny, 200_000, 1)).toThrow('aggregation.clippingNorm');
    const loud = hidden({ aggregation: { ringBits: 16 }, privacy: { noiseMultiplier: 200 } });
    expect(manifestFault(loud)).toContain('raise aggregation.ringBits or admission.minPeers');
  });
});

describe('what a manifest with noise must not have [R-50] [R-51]', () => {
  test('a sound one has no fault', () => {
    expect(manifestFault(hidden())).toBeUndefined();
    expect(manifestFault(testManifest())).toBeUndefined();
  });

  const faulty: readonly [fault: string, changes: ManifestChanges][] = [
    ['privacy.noiseMultiplier', { privacy: { noiseMultiplier: 0 } }],
    ['privacy.noiseMultiplier', { privacy: { noiseMultiplier: Number.NaN } }],
    ['privacy.noiseMultiplier', { privacy: { noiseMultiplier: Number.POSITIVE_INFINITY } }],
    ['privacy.delta', { privacy: { delta: 0 } }],
    ['privacy.delta', { privacy: { delta: Number.MIN_VALUE } }],
    ['aggregation.clippingNorm', { aggregation: { clippingNorm: Number.MIN_VALUE } }],
    ['aggregation.clippingNorm', { aggregation: { clippingNorm: Number.MAX_VALUE } }],
    ['privacy.delta', { privacy: { delta: 0.5 } }],
    ['privacy.delta', { privacy: { delta: Number.NaN } }],
    ['privacy.updatesMax', { privacy: { updatesMax: 9 } }],
    ['weighting uniform', { aggregation: { weighting: 'examples' } }],
    ['fednova', { aggregation: { algorithm: 'fednova' } }],
    ['stop.target', { target: { metric: 'loss', value: 1 } }],
    ['aggregation.sparsity', { aggregation: { sparsity: 0.5 } }],
    ['aggregation.errorFeedback', { aggregation: { errorFeedback: true } }],
    ['aggregation.rotation', { aggregation: { rotation: 'hadamard' } }],
    ['3 steps of the grid', { aggregation: { ringBits: 16 }, privacy: { noiseMultiplier: 0.01 } }],
    ['its numbers must be 0', { privacy: { mechanism: 'none' } }],
  ];
  test('extremes that are allowed have a guarantee', () => {
    for (const clippingNorm of [1e-9, 1e9]) {
      for (const [noiseMultiplier, updatesMax] of [
        [0.01, 2_000_000],
        [20, 10],
      ] as const) {
        const numbers = { noiseMultiplier, updatesMax, delta: 1e-30 };
        const manifest = hidden({ aggregation: { clippingNorm }, privacy: numbers });
        expect(manifestFault(manifest)).toBeUndefined();
        for (const parameters of [1, 64 * 2 ** 20]) {
          const { epsilon } = guaranteeOf(manifest, parameters)!;
          expect(Number.isFinite(epsilon) && epsilon > 0).toBe(true);
        }
      }
    }
  });

  test.each(faulty)('%s', (fault, changes) => {
    expect(manifestFault(hidden(changes))).toContain(fault);
  });

  test('running statistics in its model', () => {
    const layout = { parameters: 10, buffers: 4 };
    expect(layoutFault(hidden(), layout)).toContain('4 running statistics');
    expect(layoutFault(hidden(), { ...layout, buffers: 0 })).toBeUndefined();
    expect(layoutFault(testManifest(), layout)).toBeUndefined();
    expect(layoutFault(hidden(), { parameters: 0, buffers: 0 })).toContain('nothing to hide');
  });
});
