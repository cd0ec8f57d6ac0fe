import { ConfigError } from '@starling/core';
import { expect, test } from 'vitest';
import { type PlanQuestion, planPrivacy } from './privacy-plan.ts';

const question: PlanQuestion = {
  ...{ epsilon: 8, delta: 1e-5, rounds: 100, peers: 50, minPeers: 50 },
  ...{ parameters: 200_000, ringBits: 26, clippingNorm: 10 },
};

test('a plan keeps its promise, and says what it costs', () => {
  const plan = planPrivacy(question);
  expect(plan.epsilon).toBeLessThanOrEqual(8);
  expect(plan.epsilon).toBeGreaterThan(7.99);
  expect(plan).toMatchObject({ updatesMax: 110, survivorsMin: 34, honestMin: 18 });
  // σ² of a peer times the honest is (z · c)².
  const counted = plan.noisePerPeer * Math.sqrt(18);
  expect(counted / (plan.noiseMultiplier * 10)).toBeCloseTo(1, 9);
  expect(plan.noiseOfMean).toBeCloseTo(plan.noisePerPeer / Math.sqrt(50), 12);
  expect(plan.relativeError).toBeCloseTo((plan.noiseOfMean * Math.sqrt(200_000)) / 10, 9);
  expect(plan.ringBitsNeeded).toBeLessThanOrEqual(26);
  const narrow = planPrivacy({ ...question, ringBits: plan.ringBitsNeeded });
  expect(narrow.ringBitsNeeded).toBe(plan.ringBitsNeeded);
  expect(narrow.noiseMultiplier / plan.noiseMultiplier).toBeLessThan(1.01);
  const coarse = planPrivacy({ ...question, ringBits: plan.ringBitsNeeded - 1 });
  expect(coarse.noiseMultiplier / plan.noiseMultiplier).toBeGreaterThan(1.005);
});

test('more peers, fewer rounds and less privacy need less noise', () => {
  const { noiseMultiplier, relativeError } = planPrivacy(question);
  expect(planPrivacy({ ...question, rounds: 10 }).noiseMultiplier).toBeLessThan(noiseMultiplier);
  expect(planPrivacy({ ...question, epsilon: 20 }).noiseMultiplier).toBeLessThan(noiseMultiplier);
  const many = planPrivacy({ ...question, peers: 100, minPeers: 100, ringBits: 25 });
  expect(many.relativeError).toBeLessThan(relativeError);
});

test('what does not fit says what would', () => {
  const tight = { ...question, ringBits: 16 };
  expect(() => planPrivacy(tight)).toThrow(ConfigError);
  expect(() => planPrivacy(tight)).toThrow(/ring bits are too few.*Take --ring-bits \d\d/s);
  expect(() => planPrivacy({ ...question, minPeers: 60 })).toThrow('admission.maxPeers');
});
