import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  composed,
  deltaOf,
  deltaOfRdp,
  distributedGaussianRdp,
  distributedGaussianRho,
  epsilonOf,
  epsilonOfRdp,
  gaussianDelta,
  gaussianRdp,
  gaussianRho,
  noiseFor,
  type RdpCurve,
  rhoOf,
  roundedNorm,
  sampledGaussianRdp,
  sumDistance,
} from './index.ts';

const close = (value: number, wanted: number, relative: number) =>
  expect(Math.abs(value - wanted) / Math.abs(wanted)).toBeLessThan(relative);
const range = (from: number, to: number) =>
  Array.from({ length: to - from + 1 }, (_, i) => from + i);

describe('Rényi accounting against dp_accounting and Opacus', () => {
  test('the Gaussian at one order', () => {
    // biome-ignore lint/suspicious/noApproximativeNumericConstant: dp_accounting's numbers
    close(gaussianRdp(2.71828)(3.14159), 0.212584272, 1e-8);
  });

  test('a Poisson sample at whole, broken and infinite orders', () => {
    const curve = composed(sampledGaussianRdp(2.5, 0.01), 50);
    const wanted: readonly [number, number][] = [
      [1.5, 6.70579741e-4],
      [2.5, 1.0854871e-3],
      [5, 2.18075656e-3],
      [50, 2.38460375e-2],
      [100, 1.67416308e2],
    ];
    for (const [order, value] of wanted) close(curve(order), value, 1e-4);
    expect(curve(Number.POSITIVE_INFINITY)).toBe(Number.POSITIVE_INFINITY);
  });

  test('a sample of all is no sample', () => {
    for (const order of [1.5, 2, 17]) {
      expect(sampledGaussianRdp(2, 1)(order)).toBe(gaussianRdp(2)(order));
    }
  });

  test('a constant curve', () => {
    close(
      epsilonOfRdp(() => 1.1, 1e-5, range(2, 32)),
      1.32783806176,
      1e-10,
    );
    close(
      epsilonOfRdp(() => 1.1, 1e-5, [32]),
      1.32783806176,
      1e-10,
    );
  });

  test('one Gaussian that gives epsilon 1', () => {
    const dense = Array.from({ length: 20_000 }, (_, i) => 1.01 + i / 100);
    close(epsilonOfRdp(gaussianRdp(4.530877117), 1e-6, dense), 1, 1e-6);
    close(deltaOfRdp(gaussianRdp(4.530877117), 1, dense), 1e-6, 1e-4);
  });

  test('a long training on samples', () => {
    const epsilonAt = (steps: number) => (multiplier: number) =>
      epsilonOfRdp(composed(sampledGaussianRdp(multiplier, 0.04), steps), 1e-5);
    const epsilon = epsilonAt(2250)(1.5);
    // Opacus 7.32911117143, dp_accounting 7.329334702.
    close(epsilon, 7.329334702, 1e-8);
    close(epsilon, 7.32911117143, 1e-4);
    // Tighter accountants: PRV 6.7774, and GDP, which is an approximation, 6.59 to 6.60.
    expect(epsilon).toBeGreaterThan(6.777395712150674);
    // Opacus stops its search at an epsilon of 7.99.
    close(noiseFor(8, epsilonAt(2250)), 1.416, 2e-3);
    close(noiseFor(8, epsilonAt(2000)), 1.3562, 2e-3);
    // PRV 1.34765625 and 1.2915, GDP 1.3232421875: less noise than Rényi orders can prove.
    expect(noiseFor(8, epsilonAt(2250))).toBeGreaterThan(1.34765625);
    expect(noiseFor(8, epsilonAt(2000))).toBeGreaterThan(1.2915);
  });

  test('never below the true delta of a sampled mechanism', () => {
    // By privacy loss distributions, q = 0.2, z = 0.5, three times, epsilon 1.
    expect(deltaOfRdp(composed(sampledGaussianRdp(0.5, 0.2), 3), 1)).toBeGreaterThan(0.15594);
  });

  test('default orders: no more than a thousandth above the optimum of all orders', () => {
    const wanted: readonly [number, number, number, number][] = [
      [1, 1, 1e-5, 4.728507067],
      [2, 100, 1e-5, 35.081754019],
      [4, 100, 1e-5, 14.132226163],
      [5, 200, 1e-6, 17.861440104],
      [8, 1000, 1e-6, 27.38482163],
    ];
    for (const [multiplier, rounds, delta, value] of wanted) {
      const epsilon = epsilonOfRdp(composed(gaussianRdp(multiplier), rounds), delta);
      close(epsilon, value, 1e-8);
      const optimum = epsilonOf(rounds * gaussianRho(multiplier), delta);
      expect(epsilon).toBeGreaterThanOrEqual(optimum);
      expect(epsilon / optimum).toBeLessThan(1.001);
    }
    const whole = range(2, 63).concat(128, 256, 512, 1024);
    close(epsilonOfRdp(composed(gaussianRdp(8), 1000), 1e-6, whole), 28.054, 1e-4);
  });
});

describe('zCDP against the discrete-gaussian repository of IBM', () => {
  test('one of the three from the other two', () => {
    close(deltaOf(0.025, 1), 1.3361319064032213e-6, 1e-9);
    close(epsilonOf(0.025, 1e-6), 1.014074254726128, 1e-9);
    close(rhoOf(1, 1e-6), 0.024355970359538372, 1e-9);
  });

  test('epsilon of many a rho', () => {
    const wanted: readonly [number, number, number][] = [
      [0.5, 4.728387, 5.221534],
      [5, 19.04726, 20.551949],
      [12.5, 35.067341, 37.4218],
      [3.125, 14.130547, 15.32753],
      [4, 16.511405, 17.861121],
      [7.8125, 25.513312, 27.384122],
    ];
    for (const [rho, five, six] of wanted) {
      close(epsilonOf(rho, 1e-5), five, 1e-7);
      close(epsilonOf(rho, 1e-6), six, 1e-7);
    }
  });

  test('nothing spent is nothing known', () => {
    expect(epsilonOf(0, 1e-6)).toBe(0);
    expect(deltaOf(0, 0)).toBe(0);
  });

  test('rho and epsilon are each other’s inverse', () => {
    const rhos = fc.double({ min: 1e-4, max: 50, noNaN: true });
    const deltas = fc.constantFrom(1e-3, 1e-5, 1e-9);
    fc.assert(
      fc.property(rhos, deltas, (rho, delta) => {
        close(rhoOf(epsilonOf(rho, delta), delta), rho, 1e-6);
      }),
    );
  });

  test('never below the exact delta of the Gaussian', () => {
    // Three of z = √3 are one of z = 1.
    close(gaussianDelta(1, 1), 0.1269367375, 1e-8);
    const multipliers = fc.double({ min: 0.3, max: 30, noNaN: true });
    const epsilons = fc.double({ min: 0.01, max: 8, noNaN: true });
    fc.assert(
      fc.property(multipliers, epsilons, (multiplier, epsilon) => {
        const exact = gaussianDelta(multiplier, epsilon);
        expect(deltaOf(gaussianRho(multiplier), epsilon)).toBeGreaterThan(exact - 1e-12);
      }),
    );
  });
});

describe('the distributed discrete Gaussian against google-research/federated', () => {
  const orders = range(2, 128).concat(256);
  const cases = [
    {
      ...{ dimension: 2 ** 20, scale: 1e4, peers: 32, deviation: 0.5, rounds: 100, delta: 1e-5 },
      ...{ norm: 1.001362352, l1: 1025.395048, distributed: 22.660713104, skellam: 22.660713118 },
    },
    {
      ...{ dimension: 2 ** 20, scale: 1e3, peers: 32, deviation: 0.5, rounds: 100, delta: 1e-5 },
      ...{ norm: 1.124124548, l1: undefined, distributed: 25.922331104, skellam: 25.922335283 },
    },
    {
      ...{ dimension: 2 ** 17, scale: 2 ** 14, peers: 100, deviation: 0.25, rounds: 200 },
      ...{
        delta: 1e-6,
        norm: 1.000091886,
        l1: undefined,
        distributed: 44.435097151,
        skellam: 44.435097166,
      },
    },
  ];

  for (const { dimension, scale, peers, deviation, rounds, delta, ...wanted } of cases) {
    test(`${dimension} coordinates on a grid of 1/${scale}`, () => {
      const norm = roundedNorm({ norm: 1, step: 1 / scale, dimension });
      close(norm, wanted.norm, 1e-8);
      const l2 = norm * scale;
      const l1 = Math.min(l2 * Math.sqrt(dimension), l2 * l2);
      if (wanted.l1 !== undefined) close(l1 / scale, wanted.l1, 1e-8);
      const mechanism = { l2, l1, sigma: deviation * scale, peers, dimension };
      const curve = composed(distributedGaussianRdp(mechanism), rounds);
      close(epsilonOfRdp(curve, delta, orders), wanted.distributed, 1e-9);
      const skellam = composed(
        skellamRdp({ norm, l1: l1 / scale, scale, peers, deviation }),
        rounds,
      );
      close(epsilonOfRdp(skellam, delta, orders), wanted.skellam, 1e-9);
      // One number for all orders, and no dearer.
      const rho = rounds * distributedGaussianRho(mechanism);
      expect(epsilonOf(rho, delta)).toBeLessThanOrEqual(epsilonOfRdp(curve, delta) * (1 + 1e-9));
    });
  }

  test('the plain Gaussian of the first case', () => {
    const curve = composed(gaussianRdp(Math.sqrt(32) * 0.5), 100);
    close(epsilonOfRdp(curve, 1e-5, orders), 22.626631104, 1e-9);
  });

  test('how far a sum of 32 is from a discrete Gaussian', () => {
    const wanted: readonly [number, number][] = [
      [1, 5.5e-4],
      [1.5, 2.3e-9],
      [2, 7e-17],
      [3, 2.7e-38],
      [4, 2.6e-68],
    ];
    for (const [sigma, tau] of wanted) close(sumDistance(sigma, 32), tau, 0.05);
    expect(sumDistance(1, 1)).toBe(0);
  });
});

/**
 * Agarwal, Kairouz & Liu 2021, corollary 3.1: the mechanism that was not chosen, as a second
 * opinion.
 */
const skellamRdp =
  (given: {
    norm: number;
    l1: number;
    scale: number;
    peers: number;
    deviation: number;
  }): RdpCurve =>
  (order) => {
    const { norm, l1, scale, peers, deviation } = given;
    const variance = peers * deviation * deviation;
    const square = norm * norm;
    const extra = Math.min(
      ((2 * order - 1) * scale * square + 6 * l1) / (4 * scale ** 3 * variance ** 2),
      (3 * l1) / (2 * scale * variance),
    );
    return (order * square) / (2 * variance) + extra;
  };
