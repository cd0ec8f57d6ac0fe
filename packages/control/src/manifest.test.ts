import { expect, test } from 'vitest';
import { jobFileOf, leanJobFile, manifestOf } from './manifest.ts';
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

/** Far from every default that its choices allow. */
const far = jobFileSchema.parse({
  ...{ name: 'far', model: 'm.onnx', loss: 'huber' },
  data: { task: 't', input: { dtype: 'int32', shape: [4, 2] }, target: 'numbers' },
  training: {
    ...{ epochs: 2, steps: 7, batchSize: 9, optimizer: 'adamw', beta1: 0.8, proximal: 0.5 },
    ...{ learningRate: 0.01, frozen: ['a*'], personal: ['b'], dropout: false },
    schedule: { kind: 'cosine', per: 'round', length: 9, floor: 0.1 },
    ...{ clipping: { norm: 1 }, lossOptions: { delta: 2 } },
  },
  aggregation: { algorithm: 'fedadam', tau: 0.1, weighting: 'examples', weightCap: 9 },
  privacy: { mechanism: 'distributed-gaussian', noiseMultiplier: 1.5, updatesMax: 7 },
  admission: { minPeers: 4, participation: 0.5 },
  stop: { rounds: 5, minutes: 1.5, target: { metric: 'loss', value: 0.25 } },
});
const near = jobFileSchema.parse({
  ...{ name: 'near', model: 'zoo:mlp', stop: { rounds: 5 } },
  data: { task: 't', input: { shape: [4] }, classes: 2 },
});

test.each([far, near])('a manifest of $name turns into its job file again', (file) => {
  const model = new Uint8Array(1);
  const manifest = manifestOf(file, model);
  const again = jobFileOf(manifest, file.model);
  expect({ ...manifestOf(again, model), nonce: manifest.nonce }).toEqual(manifest);
  const lean = jobFileSchema.parse(leanJobFile(again));
  expect({ ...manifestOf(lean, model), nonce: manifest.nonce }).toEqual(manifest);
});

test('what a job file need not say is left away', () => {
  const lean = leanJobFile(jobFileOf(manifestOf(near, new Uint8Array(1)), 'zoo:mlp'));
  expect(lean).toEqual({
    ...{ name: 'near', model: 'zoo:mlp', stop: { rounds: 5 } },
    data: { task: 't', input: { shape: [4] }, classes: 2 },
  });
});
