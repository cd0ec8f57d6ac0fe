import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { isFull } from '../fuzz/size.ts';
import { sweep } from './sweep.ts';
import { SWEEP_FILE } from './sweep-file.ts';
import { missingTestData } from './test-data.ts';

/** Models whose outputs cannot be those that are recorded. */
const OTHER_OUTPUTS = [
  // The running variance divides by count − 1, as PyTorch's does.
  'node/test_batchnorm_epsilon_training_mode',
  'node/test_batchnorm_example_training_mode',
  // What is dropped follows from somebody else's random numbers.
  'node/test_training_dropout',
  'node/test_training_dropout_default',
  'node/test_training_dropout_default_mask',
  'node/test_training_dropout_mask',
];

/** Least number of models whose gradients are compared; the data holds 1072. */
const COMPARED_MIN = 700;

describe.runIf(isFull)("ONNX's own test models", () => {
  test('every gradient agrees with differences, every refusal is one of ours', async (context) => {
    const missing = missingTestData();
    if (missing !== undefined) {
      console.log(`skipped: ${missing}`);
      context.skip(missing);
    }
    const { summary, faults, forwardDiffers, worst } = await sweep();
    console.log(JSON.stringify({ ...summary, operators: undefined, worst }, null, 2));
    expect(faults).toEqual([]);
    expect(forwardDiffers).toEqual(OTHER_OUTPUTS);
    expect(summary.outcomes['compared']).toBeGreaterThan(COMPARED_MIN);
    // `npm run docs:sweep` writes it anew.
    const recorded: unknown = JSON.parse(readFileSync(SWEEP_FILE, 'utf8'));
    expect(summary).toEqual(recorded);
  });
});
