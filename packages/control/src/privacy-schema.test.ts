import { expect, test } from 'vitest';
import { privacySchema } from './privacy-schema.ts';

test('nothing said is no noise', () => {
  expect(privacySchema.parse({})).toEqual({ mechanism: 'none' });
});

test.each([
  [{ mechanism: 'distributed-gaussian', epsilon: 8 }],
  [{ mechanism: 'distributed-gaussian', noiseMultiplier: 1, delta: 1e-6, updatesMax: 12 }],
])('%j says enough', (given) => {
  expect(privacySchema.parse(given)).toEqual(given);
});

test.each([
  ['epsilon', 'has no effect with mechanism none', { epsilon: 8 }],
  ['delta', 'has no effect with mechanism none', { delta: 1e-5 }],
  ['epsilon', 'give epsilon', { mechanism: 'distributed-gaussian' }],
  ['epsilon', 'not both', { mechanism: 'distributed-gaussian', epsilon: 1, noiseMultiplier: 1 }],
  ['delta', '', { mechanism: 'distributed-gaussian', epsilon: 1, delta: 0.5 }],
  ['noiseMultiplier', '', { mechanism: 'distributed-gaussian', noiseMultiplier: 0 }],
  ['mechanism', '', { mechanism: 'gaussian' }],
])('%s: %s', (key, message, given) => {
  const { error } = privacySchema.safeParse(given);
  expect(error?.issues[0]?.path).toEqual([key]);
  expect(error?.issues[0]?.message).toContain(message);
});
