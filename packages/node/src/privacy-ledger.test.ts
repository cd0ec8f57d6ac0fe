import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { JobId } from '@starling/core';
import { utf8 } from '@starling/core';
import { epsilonOf, rhoOf } from '@starling/privacy';
import { LevelJournal, MemoryJournal } from '@starling/store';
import { describe, expect, test } from 'vitest';
import { temporaryDirectory } from '../../../test/helpers/temporary.ts';
import { type Charge, PrivacyLedger } from './privacy-ledger.ts';

const SPENDER = fileURLToPath(
  new URL('../../../test/helpers/children/privacy-spender.ts', import.meta.url),
);
const [one, two] = ['1'.repeat(64) as JobId, '2'.repeat(64) as JobId];
const charge = (changes: Partial<Charge> = {}): Charge => ({
  ...{ dataset: 'scans', job: one, rho: 0.1, updatesMax: 100, ...changes },
});
const budget = { epsilon: epsilonOf(0.35, 1e-5), delta: 1e-5 };

describe('the ledger', () => {
  test('adds up, and stops before the budget of the data set is exceeded', async () => {
    const ledger = new PrivacyLedger(new MemoryJournal());
    expect(await ledger.spend(charge(), budget, 'a')).toBeUndefined();
    expect(await ledger.spend(charge({ job: two }), budget, 'b')).toBeUndefined();
    expect(await ledger.spend(charge(), budget, 'c')).toBeUndefined();
    expect(await ledger.spend(charge({ job: two }), budget, 'd')).toContain('used up');
    // Another data set has its own, and a smaller update still fits.
    expect(ledger.refusal(charge({ dataset: 'notes' }), budget)).toBeUndefined();
    expect(ledger.refusal(charge({ rho: 0.04 }), budget)).toBeUndefined();
    expect(ledger.refusal(charge(), undefined)).toBeUndefined();
    expect(ledger.spent().map(({ dataset, job, updates }) => [dataset, job, updates])).toEqual([
      ['scans', one, 2],
      ['scans', two, 1],
    ]);
    expect(ledger.spent()[0]!.rho).toBeCloseTo(0.2, 12);
  });

  test('two jobs that come at once cannot have the same rest', async () => {
    const ledger = new PrivacyLedger(new MemoryJournal());
    const jobs = Array.from({ length: 8 }, (_, i) => String(i).repeat(64) as JobId);
    const verdicts = await Promise.all(
      jobs.map((job) => ledger.spend(charge({ job }), budget, 'u')),
    );
    expect(verdicts.filter((verdict) => verdict === undefined)).toHaveLength(3);
  });

  test('holds a job to the updates that its guarantee covers, over all data sets', async () => {
    const ledger = new PrivacyLedger(new MemoryJournal());
    const own = (dataset: string) => charge({ dataset, updatesMax: 2 });
    await ledger.spend(own('a'), undefined, 'u1');
    await ledger.spend(own('b'), undefined, 'u2');
    expect(ledger.refusal(own('c'), undefined)).toBe(
      "gave the 2 updates that the job's guarantee covers",
    );
    expect(ledger.refusal({ ...own('c'), job: two }, undefined)).toBeUndefined();
  });

  test('a job without noise gets nothing of a set with a budget, and is not counted', async () => {
    const ledger = new PrivacyLedger(new MemoryJournal());
    const plain = charge({ rho: undefined, updatesMax: 0 });
    expect(ledger.refusal(plain, budget)).toContain('adds no noise');
    expect(await ledger.spend(plain, undefined, 'u')).toBeUndefined();
    expect(ledger.spent()).toEqual([]);
  });

  test('is what the journal has, and a note written twice is one update', async () => {
    const journal = new MemoryJournal();
    const before = new PrivacyLedger(journal);
    await before.spend(charge({ dataset: 'a/b c' }), undefined, 'u1');
    await before.spend(charge({ dataset: 'a/b c' }), undefined, 'u2');
    await before.spend(charge({ dataset: 'a/b c' }), undefined, 'u2');
    for await (const [key, value] of journal.entries('privacy/')) await journal.put(key, value);
    const after = new PrivacyLedger(journal);
    await after.load();
    await after.load();
    expect(after.spent()).toEqual(before.spent());
    expect(after.spent()).toEqual([{ dataset: 'a/b c', job: one, updates: 2, rho: 0.2 }]);
  });

  test('an entry that cannot be read is no entry to forget', async () => {
    for (const [key, value] of [
      [`privacy/a/${one}/u`, 'much'],
      [`privacy/a/${one}/u`, '-1'],
      ['privacy/a', '1'],
    ] as const) {
      const journal = new MemoryJournal();
      await journal.put(key, utf8(value));
      await expect(new PrivacyLedger(journal).load()).rejects.toThrow('cannot be read');
    }
  });

  test('nothing that was promised is forgotten by SIGKILL', async () => {
    const directory = await temporaryDirectory();
    const child = spawn(process.execPath, ['--import', 'tsx', SPENDER, directory], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const exit = once(child, 'exit');
    let promised = 0;
    for await (const line of createInterface({ input: child.stdout })) {
      promised = Number(line);
      if (promised === 20) child.kill('SIGKILL');
    }
    await exit;
    expect(promised).toBeGreaterThanOrEqual(20);
    const journal = await LevelJournal.open(directory);
    const ledger = new PrivacyLedger(journal);
    await ledger.load();
    await journal.close();
    const { updates, rho } = ledger.spent()[0]!;
    expect(updates).toBeGreaterThanOrEqual(promised);
    expect(rho).toBeCloseTo(updates * 0.25, 9);
    expect(rhoOf(epsilonOf(rho, 1e-5), 1e-5)).toBeCloseTo(rho, 6);
  });
});
