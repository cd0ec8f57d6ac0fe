import { expect, test } from 'vitest';
import { silentLog } from '../../../test/helpers/parts.ts';
import { unwind } from './unwind.ts';

test('the last part ends first, and one that fails keeps no other from its end', async () => {
  const ended: string[] = [];
  const failures: unknown[] = [];
  const log = { ...silentLog, error: (_: string, fields?: object) => void failures.push(fields) };
  const end = (name: string) => async () => void ended.push(name);
  const fail = () => Promise.reject(new Error('the disk is full'));
  const steps = [end('lock'), end('journal'), fail, end('api')];
  await unwind(steps, log);
  expect(ended).toEqual(['api', 'journal', 'lock']);
  expect(failures).toEqual([{ error: 'the disk is full' }]);
  expect(steps).toEqual([]);
});
