import { expect, test } from 'vitest';
import { EventQueue } from './queue.ts';

const droppable = { droppable: true };
const needed = { droppable: false };

test('a full queue drops what may be dropped and nothing else', async () => {
  const queue = new EventQueue<number>(2);
  expect([1, 2, 3].map((event) => queue.push(event, droppable))).toEqual([true, true, false]);
  expect(queue.push(4, needed)).toBe(true);
  expect(queue.push(5, droppable)).toBe(false);
  expect([queue.length, queue.dropped]).toEqual([3, 2]);
  expect([await queue.next(), await queue.next(), await queue.next()]).toEqual([1, 2, 4]);
  expect(queue.push(6, droppable)).toBe(true);
});

test('whoever waits is woken by the next event, or by the end', async () => {
  const queue = new EventQueue<string>(2);
  const waiting = queue.next();
  queue.push('here', needed);
  expect(await waiting).toBe('here');
  const last = queue.next();
  queue.close();
  expect(await last).toBeUndefined();
  expect(queue.push('too late', needed)).toBe(false);
});

test('a closed queue gives nothing more, whatever is left in it', async () => {
  const queue = new EventQueue<string>(2);
  queue.push('left', needed);
  queue.close();
  expect(await queue.next()).toBeUndefined();
});
