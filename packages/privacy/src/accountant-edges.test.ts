/** What mutation testing found unheld: refusals; bounds of which one had always been the least. */
import { describe, expect, test } from 'vitest';
import {
  deltaOfRdp,
  distributedGaussianRdp,
  distributedGaussianRho,
  epsilonOfRdp,
  gaussianDelta,
  gaussianRdp,
  noiseFor,
  sampledGaussianRdp,
  sumDistance,
} from './rdp.ts';
import { deltaOf, epsilonOf, rhoOf } from './zcdp.ts';

const { NaN: nothing, POSITIVE_INFINITY: endless } = Number;

describe('what is no rate, no δ and no ε is refused', () => {
  test.each([0, -0.1, 1.1, nothing])('a sampling rate of %s', (rate) => {
    expect(() => sampledGaussianRdp(1, rate)(2)).toThrow('sampling rate');
  });

  test.each([0, -1e-5, 1, 1.5, nothing])('a δ of %s for Rényi accounting', (delta) => {
    expect(() => epsilonOfRdp(gaussianRdp(1), delta)).toThrow('delta');
  });

  test.each([0, -1e-5, 1.5, nothing])('a δ of %s for zCDP', (delta) => {
    expect(() => epsilonOf(0.1, delta)).toThrow('delta');
    expect(() => rhoOf(1, delta)).toThrow('delta');
  });

  test.each([-0.1, nothing])('a ρ or ε of %s', (value) => {
    expect(() => deltaOf(value, 1)).toThrow('rho');
    expect(() => deltaOf(1, value)).toThrow('epsilon');
    expect(() => epsilonOf(value, 1e-5)).toThrow('rho');
    expect(() => rhoOf(value, 1e-5)).toThrow('epsilon');
  });

  test.each([0, -1, nothing])('noise for an ε of %s', (epsilon) => {
    expect(() => noiseFor(epsilon, (multiplier) => 1 / multiplier)).toThrow('epsilon');
  });
});

describe('the ends of what is taken', () => {
  test('a δ of 1 costs nothing, an ε of 0 has a ρ', () => {
    expect(epsilonOf(0.1, 1)).toBeCloseTo(0, 12);
    expect(rhoOf(0, 1e-5)).toBeGreaterThan(0);
    expect(rhoOf(0, 1e-5)).toBeLessThan(1e-4);
    expect(deltaOf(0.5, 0)).toBeGreaterThan(0.1);
  });

  test('noise that no ε is small enough for ends at the greatest that is tried', () => {
    const asked: number[] = [];
    noiseFor(1, (multiplier) => {
      asked.push(multiplier);
      return endless;
    });
    expect(asked.length).toBeLessThan(200);
    expect(noiseFor(0.25, (multiplier) => 1 / multiplier)).toBeCloseTo(4, 5);
  });
});

test('the exact δ of a Gaussian, by a table of the normal distribution', () => {
  // Φ(−0.75) − √e·Φ(−1.25): half a standard deviation of two, ε = 1/2.
  expect(gaussianDelta(2, 0.5)).toBeCloseTo(0.2266273524 - 1.6487212707 * 0.1056497737, 8);
  // Φ(1) − e^1·Φ(−2): noise of half the sensitivity, and ε − 1/2·ε of 0.
  expect(gaussianDelta(0.5, 0)).toBeCloseTo(2 * 0.8413447461 - 1, 8);
});

describe('each bound of the distributed discrete Gaussian is the least somewhere', () => {
  // Two peers of σ = 1: τ = 10·e^(−π²).
  const tau = 10 * Math.exp(-Math.PI * Math.PI);
  const deviation = Math.SQRT2;
  const curve = (l2: number, l1: number, dimension: number) =>
    distributedGaussianRdp({
      ...{ l2: l2 * deviation, l1: l1 * deviation },
      ...{ sigma: 1, peers: 2, dimension },
    });

  test('τ itself', () => expect(sumDistance(1, 2)).toBeCloseTo(tau, 15));

  test('the first, at high orders', () => {
    expect(curve(3, 5, 4)(8)).toBeCloseTo(4 * 9 + tau * 4, 12);
  });

  test('the second, where few coordinates differ', () => {
    const wanted = 1 * (9 + 2 * 0.5 * tau + tau * tau * 100);
    expect(curve(3, 0.5, 100)(2)).toBeCloseTo(wanted, 12);
  });

  test('the third, where many do', () => {
    expect(curve(3, 90, 100)(2)).toBeCloseTo((3 + 10 * tau) ** 2, 12);
  });

  test('and the third as one number', () => {
    const given = { l2: 3 * deviation, l1: 90, sigma: 1, peers: 2, dimension: 100 };
    expect(distributedGaussianRho(given)).toBeCloseTo((3 + 10 * tau) ** 2 / 2, 12);
  });
});

test('of many orders the best is taken, and no δ is above 1', () => {
  expect(deltaOfRdp(gaussianRdp(0.01), 0.1)).toBe(1);
  expect(deltaOfRdp(gaussianRdp(1), 8, [2, 8])).toBe(
    Math.min(deltaOfRdp(gaussianRdp(1), 8, [2]), deltaOfRdp(gaussianRdp(1), 8, [8])),
  );
});
