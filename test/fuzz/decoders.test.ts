import { afterAll, expect, test } from 'vitest';
import { corpusOf, corpusTargets } from './corpus.ts';
import { emptyTally, execute, fuzz } from './runner.ts';
import { isFull } from './size.ts';
import { allTargets, line } from './targets.ts';

/** Of each target; some 12 seconds and four minutes of all together. */
const EXECUTIONS = isFull ? 20_000 : 600;
const targets = await allTargets();
const reasons = (crashers: readonly { readonly reason: string }[]) =>
  crashers.map(({ reason }) => reason);

afterAll(() => Promise.all(targets.map((target) => target.close?.())));

test('every target has good inputs to start from, and every kept input a target', () => {
  for (const { name, seeds } of targets) expect([name, seeds.length]).not.toEqual([name, 0]);
  const names = targets.map(({ name }) => name);
  expect(new Set(names).size).toBe(names.length);
  for (const name of corpusTargets()) expect(names).toContain(name);
});

test.each(targets)('$name accepts its seeds and bears what once broke it', async (target) => {
  for (const seed of target.seeds) {
    const tally = emptyTally(target.name);
    await execute(target, seed, tally);
    expect(tally).toMatchObject({ accepted: 1, crashers: [] });
  }
  const tally = emptyTally(target.name);
  for (const input of corpusOf(target.name)) await execute(target, input, tally);
  expect(reasons(tally.crashers)).toEqual([]);
});

test.each(targets)(
  '$name: a typed error or the same bytes again, in bounded memory',
  async (target) => {
    const executions = target.isSlow ? EXECUTIONS / 10 : EXECUTIONS;
    const tally = await fuzz(target, 1, { executions }, corpusOf(target.name));
    process.stdout.write(`${line(tally)}\n`);
    expect(reasons(tally.crashers)).toEqual([]);
    // Fewer would mean that nothing but noise was tried.
    expect(tally.rare.size).toBeGreaterThan(1);
  },
);
