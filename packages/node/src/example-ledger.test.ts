import type { JobId } from '@starling/core';
import { utf8 } from '@starling/core';
import { epsilonOfExamples } from '@starling/privacy';
import { MemoryJournal } from '@starling/store';
import { describe, expect, test } from 'vitest';
import { type ExampleCharge, ExampleLedger } from './example-ledger.ts';

const [one, two] = ['1'.repeat(64) as JobId, '2'.repeat(64) as JobId];
const cost = { multiplier: 1.1, rate: 0.01, steps: 100 };
const charge = (changes: Partial<ExampleCharge> = {}): ExampleCharge => ({
  ...{ dataset: 'scans', job: one, cost, ...changes },
});
const budgetFor = (trainings: number) => ({
  epsilon: epsilonOfExamples([{ ...cost, steps: trainings * cost.steps }], 1e-5),
  delta: 1e-5,
});

describe('the ledger of examples', () => {
  test('adds up over jobs, and stops before the budget is exceeded', async () => {
    const ledger = new ExampleLedger(new MemoryJournal());
    const budget = budgetFor(3.5);
    expect(await ledger.spend(charge(), budget, 'a')).toBeUndefined();
    expect(await ledger.spend(charge({ job: two }), budget, 'b')).toBeUndefined();
    expect(await ledger.spend(charge(), budget, 'c')).toBeUndefined();
    expect(await ledger.spend(charge(), budget, 'd')).toContain('of examples of data set scans');
    // Another data set has its own account, and a cheaper training still fits.
    expect(ledger.refusal(charge({ dataset: 'notes' }), budget)).toBeUndefined();
    expect(ledger.refusal(charge({ cost: { ...cost, steps: 10 } }), budget)).toBeUndefined();
    expect(ledger.refusal(charge(), undefined)).toBeUndefined();
    expect(ledger.spent()).toEqual([{ dataset: 'scans', costs: [cost, cost, cost] }]);
  });

  test('trainings that come at once cannot have the same rest', async () => {
    const ledger = new ExampleLedger(new MemoryJournal());
    const names = Array.from({ length: 8 }, (_, i) => String(i));
    const verdicts = await Promise.all(
      names.map((name) => ledger.spend(charge(), budgetFor(3.5), name)),
    );
    expect(verdicts.filter((verdict) => verdict === undefined)).toHaveLength(3);
  });

  test('is what the journal has', async () => {
    const journal = new MemoryJournal();
    const before = new ExampleLedger(journal);
    await before.spend(charge({ dataset: 'a/b c' }), undefined, 'u1');
    const other = { multiplier: 1 / 3, rate: 256 / 60_000, steps: 7 };
    await before.spend(charge({ dataset: 'a/b c', cost: other }), undefined, 'u2');
    const after = new ExampleLedger(journal);
    await after.load();
    expect(after.spent()).toEqual([{ dataset: 'a/b c', costs: [cost, other] }]);
  });

  test('an entry that cannot be read is no entry to forget', async () => {
    for (const [key, value] of [
      [`example-privacy/a/${one}/u`, 'much'],
      [`example-privacy/a/${one}/u`, '1 0.1'],
      [`example-privacy/a/${one}/u`, '1 2 10'],
      [`example-privacy/a/${one}/u`, '0 0.1 10'],
      [`example-privacy/a/${one}/u`, '1 0.1 10 4'],
      ['example-privacy/a', '1 0.1 10'],
    ] as const) {
      const journal = new MemoryJournal();
      await journal.put(key, utf8(value));
      await expect(new ExampleLedger(journal).load()).rejects.toThrow('cannot be read');
    }
  });
});
