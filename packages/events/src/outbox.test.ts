import { MemoryJournal } from '@starling/store';
import { describe, expect, test } from 'vitest';
import type { CloudEvent } from './event-schema.ts';
import { Outbox } from './outbox.ts';
import { JOB } from './testing/jobs.ts';

const event = (round: number): Omit<CloudEvent, 'sequence'> => ({
  ...{ specversion: '1.0', id: `e${round}`, source: 'urn:starling:peer:a' },
  ...{ type: 'starling.round.training', time: '2026-01-01T00:00:00.000Z' },
  ...{ datacontenttype: 'application/json', data: { job: JOB, name: 'digits', round } },
});

const SMALL = { eventsMax: 600, bytesMax: 2 ** 30 };

async function filled(journal: MemoryJournal, count: number, limits = SMALL): Promise<Outbox> {
  const outbox = await Outbox.open(journal, limits);
  await outbox.follow(['a', 'ab']);
  for (let i = 1; i <= count; i++) await outbox.append(event(i));
  return outbox;
}

const sequences = async (outbox: Outbox, after: number, most = 1_000) =>
  (await outbox.after(after, most)).map(({ sequence }) => sequence);

describe('the outbox', () => {
  test('numbers events without a gap, over a restart too', async () => {
    const journal = new MemoryJournal();
    await filled(journal, 3);
    const again = await Outbox.open(journal, SMALL);
    await again.append(event(4));
    expect(await sequences(again, 0)).toEqual([1, 2, 3, 4]);
    expect((await again.after(3, 1))[0]?.event).toMatchObject({
      id: 'e4',
      sequence: '000000000004',
    });
  });

  test('never gives a number twice, even when all events are gone', async () => {
    const journal = new MemoryJournal();
    const outbox = await filled(journal, 512);
    for (const sink of ['a', 'ab']) await outbox.confirm(sink, 512);
    const again = await Outbox.open(journal, SMALL);
    expect((await again.append(event(1))).sequence).toBe(513);
  });

  test('gives what comes after a place, at most so many, across segments', async () => {
    const outbox = await filled(new MemoryJournal(), 520);
    expect(await sequences(outbox, 250, 10)).toEqual(Array.from({ length: 10 }, (_, i) => 251 + i));
    expect(await sequences(outbox, 519)).toEqual([520]);
    expect(await sequences(outbox, 520)).toEqual([]);
  });

  test('keeps events until the slowest sink has them', async () => {
    const outbox = await filled(new MemoryJournal(), 520);
    await outbox.confirm('a', 520);
    expect(await sequences(outbox, 0)).toHaveLength(520);
    await outbox.confirm('ab', 256);
    expect(outbox.first).toBe(256);
    expect(outbox.cursor('ab')).toBe(256);
  });

  test('drops the oldest when a sink is too far behind', async () => {
    const outbox = await filled(new MemoryJournal(), 1_000);
    expect(outbox.first).toBeGreaterThan(outbox.cursor('a') + 1);
    expect(1_000 - outbox.first).toBeLessThanOrEqual(SMALL.eventsMax);
    expect((await sequences(outbox, 0)).at(-1)).toBe(1_000);
  });

  test('counts bytes as well as events', async () => {
    const outbox = await filled(new MemoryJournal(), 1_000, { eventsMax: 10_000, bytesMax: 1 });
    expect(1_000 - outbox.first).toBeLessThan(256);
  });

  test('gives a new sink what comes after it, and forgets one that is gone', async () => {
    const journal = new MemoryJournal();
    const outbox = await filled(journal, 5);
    await outbox.follow(['ab', 'new']);
    expect(outbox.cursor('new')).toBe(5);
    await outbox.append(event(6));
    const again = await Outbox.open(journal, SMALL);
    expect([again.cursor('ab'), again.cursor('new')]).toEqual([0, 5]);
    // "a" begins anew, although "ab" begins with its name.
    await again.follow(['a', 'ab']);
    expect([again.cursor('a'), again.cursor('ab')]).toEqual([6, 0]);
  });

  test('keeps what was refused, the newest thousand', async () => {
    const outbox = await filled(new MemoryJournal(), 1);
    const [entry] = await outbox.after(0, 1);
    for (let i = 1; i <= 1_003; i++)
      await outbox.setAside('a', { ...entry!, sequence: i }, `r${i}`);
    const aside = await outbox.setAsideBy('a');
    expect([aside.length, aside[0]?.reason, aside.at(-1)?.reason]).toEqual([1_000, 'r4', 'r1003']);
  });
});
