import { InvariantError } from '@starling/core';
import { MemoryJournal } from '@starling/store';
import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { type Entry, Ledger, moved } from './ledger.ts';

const accounts = fc.constantFrom('income', 'receivable:a', 'payable:b', 'settled:a');
const units = fc.constantFrom('cent', 'hour');
const moves = fc.array(
  fc.record({
    ...{ from: accounts, to: accounts, unit: units },
    ...{ id: fc.integer({ min: 0, max: 20 }), amount: fc.integer({ min: 1, max: 1_000 }) },
  }),
  { maxLength: 40 },
);

test('whatever is posted, all accounts add up to nothing, also after a restart', async () => {
  await fc.assert(
    fc.asyncProperty(moves, async (all) => {
      const journal = new MemoryJournal();
      const ledger = await Ledger.open(journal);
      const entries = all.map(
        ({ from, to, id, ...money }): Entry => ({
          ...{ id: `entry-${id}`, at: id, memo: '' },
          postings: moved(money, from, to),
        }),
      );
      for (const entry of entries) await ledger.post(entry);
      const again = await Ledger.open(journal);
      expect(again.entries()).toEqual(ledger.entries());
      expect(again.balances()).toEqual(ledger.balances());
      expect(again.entries().length).toBe(new Set(all.map(({ id }) => id)).size);
      for (const unit of ['cent', 'hour']) {
        const of = ledger.balances().filter((balance) => balance.unit === unit);
        expect(of.reduce((sum, { amount }) => sum + amount, 0)).toBe(0);
      }
    }),
  );
});

test('an entry that comes of nothing is a bug', async () => {
  const ledger = await Ledger.open(new MemoryJournal());
  const postings = [{ account: 'income', amount: -1, unit: 'cent' }];
  const post = ledger.post({ id: 'x', at: 0, memo: '', postings });
  await expect(post).rejects.toThrow(InvariantError);
  expect(ledger.has('x')).toBe(false);
});
