import type { Journal, Log } from '@starling/core';
import type { Notice } from '@starling/rounds';
import { MemoryJournal } from '@starling/store';
import { describe, expect, test } from 'vitest';
import { silentLog } from '../../../test/helpers/parts.ts';
import { until } from '../../../test/helpers/until.ts';
import { seededRandom } from '../../sim/src/prng.ts';
import { EventBridge } from './bridge.ts';
import { eventSchema } from './event-schema.ts';
import type { SeenJob } from './from-job.ts';
import { Outbox } from './outbox.ts';
import { BusyError, GoneError, RefusedError } from './sink.ts';
import { JOB, seenJob, seenRound } from './testing/jobs.ts';
import { dyingJournal, ManualClock, ScriptedSink } from './testing/sinks.ts';

const NAMED = { job: JOB, name: 'digits' };
const SLOT = { attempt: 0, restarts: 0 };
const EVERYTHING = { types: [], jobs: [] };

interface Setting {
  readonly journal?: Journal;
  readonly log?: Log;
  readonly sink?: ScriptedSink;
  readonly types?: readonly string[];
  readonly limits?: { readonly eventsMax: number; readonly bytesMax: number };
}

async function started({ journal = new MemoryJournal(), log = silentLog, ...more }: Setting = {}) {
  const sink = more.sink ?? new ScriptedSink();
  const clock = new ManualClock();
  const jobs: { now: readonly SeenJob[] } = { now: [] };
  const outbox = await Outbox.open(journal, more.limits);
  const bridge = new EventBridge({
    ...{ self: 'peer-a', outbox, clock, random: seededRandom(1, 0, 0), log },
    sinks: [
      {
        ...{ name: 'a', kind: 'webhook', target: 'x', sink },
        wanted: { ...EVERYTHING, types: more.types ?? [] },
      },
    ],
    now: () => 1_700_000_000_000,
    jobs: () => jobs.now,
  });
  await bridge.start();
  return { bridge, sink, clock, jobs, outbox };
}

const typesOf = ({ got }: ScriptedSink) => got.map(({ type }) => type);
const training = (round: number): Notice => ({ kind: 'training', round });
const sunk = (sink: ScriptedSink, count: number) => until(() => sink.got.length >= count);

describe('the bridge', () => {
  test('delivers what is told and what the chain shows, in order and by the schema', async () => {
    const { bridge, sink, jobs } = await started();
    jobs.now = [seenJob([])];
    bridge.take(NAMED, training(1));
    bridge.take(NAMED, { kind: 'phase', round: 1, slot: SLOT, phase: 'shares' });
    await sunk(sink, 3);
    jobs.now = [seenJob([seenRound(1)])];
    bridge.take(NAMED, training(2));
    await sunk(sink, 5);
    expect(typesOf(sink)).toEqual([
      'starling.job.standing',
      'starling.round.training',
      'starling.round.phase',
      'starling.round.certified',
      'starling.round.training',
    ]);
    for (const event of sink.got) expect(eventSchema.parse(event)).toEqual(event);
    expect(sink.got.at(-2)).toMatchObject({
      ...{ source: 'urn:starling:peer:peer-a', subject: `jobs/${JOB}/rounds/1` },
      ...{ partitionkey: JOB, time: '2023-11-14T22:13:20.000Z' },
    });
    await bridge.stop();
  });

  test('tries again with growing pauses, and goes on where it was', async () => {
    const sink = new ScriptedSink();
    for (let i = 0; i < 6; i++) sink.answers.push(new Error('down'));
    const { bridge, clock } = await started({ sink });
    bridge.take(NAMED, training(1));
    const waits: number[] = [];
    for (let i = 1; i <= 6; i++) {
      await until(() => sink.deliveries === i && bridge.status()[0]?.state === 'retrying');
      // The bridge's own timer is short; only the pump's pause counts.
      while (sink.deliveries === i) {
        waits.push(clock.next());
        await new Promise((resolve) => setImmediate(resolve));
      }
    }
    await sunk(sink, 1);
    expect(bridge.status()[0]).toMatchObject({ behind: 0, delivered: 1, lastError: null });
    expect(waits.reduce((sum, each) => sum + each, 0)).toBeGreaterThan(31_000 / 2);
    await bridge.stop();
  });

  test('sets aside what is refused five times, and goes on with the next', async () => {
    const sink = new ScriptedSink(1);
    for (let i = 0; i < 5; i++) sink.answers.push(new RefusedError('422'));
    const { bridge, clock, outbox } = await started({ sink });
    bridge.take(NAMED, training(1));
    bridge.take(NAMED, training(2));
    await until(async () => {
      if (clock.waiting > 0 && bridge.status()[0]?.state === 'retrying') clock.next();
      return sink.got.length === 1;
    });
    expect(sink.got[0]?.data).toMatchObject({ round: 2 });
    expect(await outbox.setAsideBy('a')).toMatchObject([{ event: { data: { round: 1 } } }]);
    await bridge.stop();
  });

  test('waits as long as it is asked to', async () => {
    const sink = new ScriptedSink();
    sink.answers.push(new BusyError('429', 90_000));
    const { bridge, clock } = await started({ sink });
    bridge.take(NAMED, training(1));
    await until(() => bridge.status()[0]?.state === 'retrying');
    let waited = 0;
    while (sink.got.length === 0) {
      waited += clock.next();
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect(waited).toBeGreaterThanOrEqual(90_000);
    await bridge.stop();
  });

  test('is switched off by a receiver that wants no more', async () => {
    const sink = new ScriptedSink();
    sink.answers.push(new GoneError('410'));
    const { bridge } = await started({ sink });
    bridge.take(NAMED, training(1));
    await until(() => bridge.status()[0]?.state === 'off');
    bridge.take(NAMED, training(2));
    await bridge.stop();
    expect(sink.deliveries).toBe(1);
  });

  test('passes over what the sink does not want', async () => {
    const sink = new ScriptedSink(1);
    const { bridge } = await started({ sink, types: ['starling.round.cert*'] });
    for (let round = 1; round <= 20; round++) bridge.take(NAMED, training(round));
    await until(() => bridge.status()[0]?.behind === 0);
    expect(sink.deliveries).toBe(0);
    await bridge.stop();
  });

  test('says how many events a sink lost that was too far behind', async () => {
    const sink = new ScriptedSink();
    sink.answers.push(new Error('down'));
    const { bridge, clock, outbox } = await started({
      ...{ sink, limits: { eventsMax: 300, bytesMax: 2 ** 30 } },
    });
    for (let round = 1; round <= 700; round++) bridge.take(NAMED, training(round));
    await until(() => outbox.last === 700 && bridge.status()[0]?.state === 'retrying');
    await until(() => {
      if (sink.got.length === 0 && clock.waiting > 0) clock.next();
      return bridge.status()[0]?.behind === 0;
    });
    const [first, second] = sink.got;
    expect(first).toMatchObject({ type: 'starling.events.missed', data: { missed: 511 } });
    expect(second?.data).toMatchObject({ round: 512 });
    expect(bridge.status()[0]).toMatchObject({ missed: 511, delivered: 189 });
    await bridge.stop();
  });
});

test('a full disk is told of once, and so is its end', async () => {
  const memory = new MemoryJournal();
  let isFull = false;
  const put: Journal['put'] = async (key, value) => {
    if (isFull) throw new Error('ENOSPC');
    await memory.put(key, value);
  };
  const lines: string[] = [];
  const note = (line: string) => void lines.push(line);
  const journal: Journal = {
    ...{ get: (key) => memory.get(key), entries: (prefix) => memory.entries(prefix) },
    ...{ put, deletePrefix: (prefix) => memory.deletePrefix(prefix) },
  };
  const { bridge, sink } = await started({
    ...{ journal, log: { ...silentLog, warn: note, info: note } },
  });
  isFull = true;
  for (let round = 1; round <= 10; round++) bridge.take(NAMED, training(round));
  await until(() => lines.length > 0);
  await new Promise((resolve) => setImmediate(resolve));
  isFull = false;
  bridge.take(NAMED, training(11));
  await sunk(sink, 1);
  await bridge.stop();
  expect(lines).toEqual(['events cannot be kept', 'events are kept again']);
});

describe('a process that dies at a write', () => {
  const CHAIN = [1, 2, 3].map((round) => seenRound(round));
  const LAST = seenJob(CHAIN, { phase: 'finished' });

  /** One life: two rounds as they come, then the rest; whatever dies, dies in silence. */
  async function live(journal: Journal, sink: ScriptedSink): Promise<void> {
    try {
      const { bridge, jobs } = await started({ journal, sink });
      jobs.now = [seenJob(CHAIN.slice(0, 2))];
      bridge.take(NAMED, training(3));
      await bridge.stop();
    } catch {
      // The journal of a dead process may fail the start itself.
    }
  }

  test.each([true, false])('loses no certified round (after the write: %s)', async (isAfter) => {
    for (let at = 1; at <= 20; at++) {
      const journal = new MemoryJournal();
      // The sink is known before: events count from there.
      await (await Outbox.open(journal)).follow(['a']);
      const sink = new ScriptedSink();
      await live(dyingJournal(journal, at, isAfter), sink);
      const { bridge, jobs } = await started({ journal, sink });
      jobs.now = [LAST];
      await bridge.stop();
      const again = await started({ journal, sink });
      await until(() => again.bridge.status()[0]?.behind === 0);
      await again.bridge.stop();
      const once = [...new Map(sink.got.map((event) => [event.id, event])).values()];
      const rounds = once.filter(({ type }) => type === 'starling.round.certified');
      expect(rounds.map(({ data }) => data)).toMatchObject(CHAIN);
      expect(once.filter(({ type }) => type === 'starling.job.finished')).toHaveLength(1);
      expect(once.filter(({ type }) => type === 'starling.job.standing')).toHaveLength(1);
    }
  });
});
