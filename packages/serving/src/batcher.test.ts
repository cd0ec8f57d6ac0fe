import { millis } from '@starling/core';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Batcher } from './batcher.ts';

/** A clock that goes when it is told. */
class VirtualClock {
  at = 0;
  #timers: { readonly due: number; readonly fire: () => void; isOver: boolean }[] = [];

  now() {
    return millis(this.at);
  }

  setTimer(after: number, fire: () => void) {
    const timer = { due: this.at + after, fire, isOver: false };
    this.#timers.push(timer);
    return () => {
      timer.isOver = true;
    };
  }

  /** Goes on to a time, and fires on the way what is due. */
  goTo(time: number) {
    for (;;) {
      const due = this.#timers
        .filter((timer) => !timer.isOver && timer.due <= time)
        .toSorted((a, b) => a.due - b.due)[0];
      if (due === undefined) break;
      this.at = Math.max(this.at, due.due);
      due.isOver = true;
      due.fire();
    }
    this.at = time;
  }
}

interface Item {
  readonly id: number;
  readonly rows: number;
  readonly key: string;
}

interface Options {
  readonly rowsMax: number;
  readonly delayMs: number;
  readonly queueMax: number;
}

function scene({ rowsMax, delayMs, queueMax }: Options) {
  const clock = new VirtualClock();
  const started: { readonly at: number; readonly batch: readonly Item[]; readonly busy: number }[] =
    [];
  let busy = 0;
  const batcher = new Batcher<Item>({
    ...{ rowsMax, delayMs, queueMax, clock },
    start: (batch) => {
      started.push({ at: clock.at, batch, busy });
      busy += 1;
    },
  });
  const end = () => {
    busy -= 1;
    batcher.ended();
  };
  return { clock, started, batcher, end, busy: () => busy };
}

const rowsIn = (batch: readonly Item[]) => batch.reduce((sum, { rows }) => sum + rows, 0);

const STEP = fc.oneof(
  fc.record({
    kind: fc.constant('add' as const),
    rows: fc.integer({ min: 1, max: 4 }),
    key: fc.constantFrom('a', 'b'),
  }),
  fc.record({ kind: fc.constant('wait' as const), ms: fc.integer({ min: 0, max: 5 }) }),
  fc.record({ kind: fc.constant('end' as const) }),
);

describe('whatever comes when', () => {
  test('every item is in one batch, in its order; none is too large, none lost', () => {
    fc.assert(
      fc.property(
        fc.array(STEP, { maxLength: 80 }),
        fc.record({
          rowsMax: fc.integer({ min: 4, max: 8 }),
          delayMs: fc.integer({ min: 0, max: 4 }),
          queueMax: fc.integer({ min: 1, max: 6 }),
        }),
        (steps, options) => {
          const { clock, started, batcher, end, busy } = scene(options);
          const taken: Item[] = [];
          let id = 0;
          for (const step of steps) {
            if (step.kind === 'wait') clock.goTo(clock.at + step.ms);
            else if (step.kind === 'end' && busy() > 0) end();
            else if (step.kind === 'add') {
              const item = { id: id++, rows: step.rows, key: step.key };
              const waited = batcher.length;
              if (batcher.add(item)) taken.push(item);
              else expect(waited).toBe(options.queueMax);
            }
            expect(batcher.length).toBeLessThanOrEqual(options.queueMax);
          }
          for (let i = 0; i < 500 && (busy() > 0 || batcher.length > 0); i++) {
            if (busy() > 0) end();
            clock.goTo(clock.at + 10);
          }
          const batches = started.map(({ batch }) => batch);
          const ids = (items: readonly Item[]) => items.map((item) => item.id);
          expect(ids(batches.flat()).toSorted((a, b) => a - b)).toEqual(ids(taken));
          for (const batch of batches) {
            expect(rowsIn(batch)).toBeLessThanOrEqual(options.rowsMax);
            expect(new Set(batch.map(({ key }) => key)).size).toBe(1);
          }
          for (const key of ['a', 'b']) {
            const order = ids(batches.flat().filter((item) => item.key === key));
            expect(order).toEqual(order.toSorted((a, b) => a - b));
          }
        },
      ),
      { numRuns: 300 },
    );
  });

  test('while nothing runs, nobody waits longer than the delay', () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 0, max: 6 }), { minLength: 1, maxLength: 30 }),
        fc.integer({ min: 0, max: 5 }),
        (gaps, delayMs) => {
          const { clock, started, batcher, end } = scene({ rowsMax: 4, delayMs, queueMax: 99 });
          const cameAt: number[] = [];
          for (const [id, gap] of gaps.entries()) {
            clock.goTo(clock.at + gap);
            cameAt.push(clock.at);
            batcher.add({ id, rows: 1, key: 'a' });
            // A run that takes no time.
            while (started.some(({ batch }) => batch.length > 0 && !ended.has(batch))) {
              for (const { batch } of started.filter((each) => !ended.has(each.batch))) {
                ended.add(batch);
                end();
              }
            }
          }
          clock.goTo(clock.at + delayMs);
          for (const { at, batch } of started) {
            for (const { id } of batch) expect(at - cameAt[id]!).toBeLessThanOrEqual(delayMs);
          }
          expect(started.flatMap(({ batch }) => batch)).toHaveLength(gaps.length);
        },
      ),
      { numRuns: 200 },
    );
  });
});

const ended = new WeakSet<readonly Item[]>();

describe('how batches grow', () => {
  const one = (id: number) => ({ id, rows: 1, key: 'a' });

  test('a lone one starts at once; what comes during its run goes together into the next', () => {
    const { started, batcher, end } = scene({ rowsMax: 8, delayMs: 0, queueMax: 9 });
    for (const id of [0, 1, 2, 3]) batcher.add(one(id));
    expect(started.map(({ batch }) => batch.length)).toEqual([1]);
    end();
    expect(started.map(({ batch }) => batch.length)).toEqual([1, 3]);
  });

  test('a full one is handed over while another runs, a third is not', () => {
    const { started, batcher } = scene({ rowsMax: 2, delayMs: 0, queueMax: 9 });
    for (const id of [0, 1, 2, 3, 4]) batcher.add(one(id));
    expect(started.map(({ batch }) => batch.map(({ id }) => id))).toEqual([[0], [1, 2]]);
    expect(batcher.length).toBe(2);
  });
});
