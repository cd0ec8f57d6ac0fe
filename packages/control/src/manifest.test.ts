import { expect, test } from 'vitest';
import { manifestOf } from './manifest.ts';
import { jobFileSchema } from './schemas.ts';

const stopOf = (stop: object) => {
  const data = { task: 't', input: { shape: [4] }, classes: 2 };
  const file = jobFileSchema.parse({ name: 'j', model: 'm.onnx', data, stop });
  return manifestOf(file, new Uint8Array(1)).stop;
};

test('the time after which a job ends is in minutes, and whole seconds in its manifest', () => {
  expect(stopOf({ rounds: 5 })).toEqual({ rounds: 5, target: null, seconds: 0 });
  expect(stopOf({ rounds: 5, minutes: 1.5 }).seconds).toBe(90);
  // However short, it is a time: 0 seconds would be none.
  expect(stopOf({ rounds: 5, minutes: 0.001 }).seconds).toBe(1);
});
