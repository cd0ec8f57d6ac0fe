import { zooModel } from '@starling/autodiff';
import { expect, test } from 'vitest';
import { openThroughput } from './throughput.ts';

test.each(['loop', 'step'] as const)('what bench training measures runs: %s', async (mode) => {
  const model = zooModel('logistic', 1);
  const measured = await openThroughput({ model, batchSize: 64, threads: 1, mode });
  const first = await measured.run();
  expect(first).toBe(mode === 'loop' ? 5952 : 64);
  expect(await measured.run()).toBe(first);
  await measured.close();
});
