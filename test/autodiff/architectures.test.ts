import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { gradcheck } from '@starling/trainer';
import { expect, test } from 'vitest';

const FOLDER = join(import.meta.dirname, '../fixtures/architectures');

/** Far inside of what passes: the recorded numbers differ by rounding alone. */
const CLOSE = 1e-4;

test.each(readdirSync(FOLDER))('PyTorch trains %s to the same weights', async (name) => {
  const [result] = await gradcheck([join(FOLDER, name)]);
  expect(result).toMatchObject({ ok: true });
  const { losses, gradients, parameters } = result!.maxRelativeError!;
  expect(Math.max(losses, gradients, parameters)).toBeLessThan(CLOSE);
});
