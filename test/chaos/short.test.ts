import { expect, test } from 'vitest';
import { isFull } from '../fuzz/size.ts';
import { missingForChaos } from './machine.ts';
import { runChaos } from './run.ts';

const missing = isFull ? missingForChaos() : 'chaos is for the full size';
if (isFull && missing !== undefined) console.log(`skipped: ${missing}`);

test.skipIf(missing !== undefined)('a minute of kills and torn journals: one chain', async () => {
  const faults = ['kill', 'torn-journal'] as const;
  const report = await runChaos({ daemons: 3, seconds: 60, seed: 5, faults });
  expect(report.violations).toEqual([]);
  expect(report.verified).toBe(3);
  expect(Object.values(report.faults).reduce((sum, each) => sum + each, 0)).toBeGreaterThan(2);
  expect(report.roundsAfterwards).toBeGreaterThan(0);
});
