import type { JobReport } from '@starling/node';
import { expect, test } from 'vitest';
import { seenJobs } from './event-bridge.ts';

const reportOf = (id: string, isRecovered: boolean) =>
  ({
    ...{ job: { id, launcher: 'me', manifest: { name: id } }, certificates: [], isRecovered },
    ...{ standing: { kind: 'participating', dataset: 'a' }, phase: 'preparing' },
  }) as unknown as JobReport;

test('a job whose chain is not read yet is not compared with what was told of it', () => {
  const seen = seenJobs([reportOf('a', false), reportOf('b', true)]);
  expect(seen).toMatchObject([{ job: 'b', standing: 'participating', length: 0 }]);
});
