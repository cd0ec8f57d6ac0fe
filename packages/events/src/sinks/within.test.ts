import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { expect, test } from 'vitest';
import { deadlineOf, within } from './within.ts';

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;
const never = () => new Promise<void>(() => {});

test('the limit holds when memory is cleaned up meanwhile', async () => {
  const waiting = within(50, new AbortController().signal, never());
  collect();
  await expect(waiting).rejects.toThrow('no answer within 0.05 s');
});

test('so does the end that comes before it, or was there already', async () => {
  const ending = new AbortController();
  const waiting = within(60_000, ending.signal, never());
  collect();
  ending.abort();
  await expect(waiting).rejects.toThrow('aborted');
  await expect(within(60_000, ending.signal, never())).rejects.toThrow('aborted');
});

test('a deadline that is over leaves nothing at the other signal', async () => {
  const { signal } = new AbortController();
  const { signal: limit, end } = deadlineOf(1, signal);
  end();
  await new Promise((resolve) => setTimeout(resolve, 5));
  expect(limit.aborted).toBe(false);
});
