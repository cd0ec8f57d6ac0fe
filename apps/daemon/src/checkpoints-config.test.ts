import { expect, test } from 'vitest';
import { parseConfig } from './config.ts';

const read = (text: string) =>
  parseConfig(`network: x\ncheckpoints: ${text}`, 'c.yaml').checkpoints;

test('nothing is written unless a place is named; every round then, and the newest ten', () => {
  expect(parseConfig('', 'c.yaml').checkpoints).toBeUndefined();
  expect(read('{to: /mnt/shared/}')).toEqual({ to: '/mnt/shared', every: 1, keep: 10 });
  expect(read('{to: "s3://lake/runs", every: 5, keep: 3}')).toEqual({
    ...{ to: 's3://lake/runs', every: 5, keep: 3 },
  });
});

test.each([
  ['{to: shared}', 'line 2, checkpoints.to: give the whole path of a folder, or s3://bucket'],
  ['{to: "s3://"}', 'line 2, checkpoints.to: give the whole path'],
  ['{to: /x, every: 0}', 'line 2, checkpoints.every: '],
  ['{to: /x, keep: 0}', 'line 2, checkpoints.keep: '],
  ['{to: /x, kept: 3}', 'line 2, checkpoints.kept: '],
  ['{keep: 3}', 'checkpoints.to: '],
])('%s is refused by its key', (text, message) => {
  expect(() => read(text)).toThrow(message);
});
