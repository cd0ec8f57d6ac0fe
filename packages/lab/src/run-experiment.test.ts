import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { ResultLine } from './results.ts';
import { runExperiment, runName } from './run-experiment.ts';
import { experimentSchema } from './schema.ts';
import { summaryOf } from './summary.ts';
import { clouds, tinyModel, tinySettings } from './testing/tiny.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'starling-lab-'));
  const { inputs, targets } = clouds(200).train.examples;
  const rows = Array.from(targets!, (label, i) => `${inputs[2 * i]},${inputs[2 * i + 1]},${label}`);
  await writeFile(join(folder, 'clouds.csv'), `x,y,label\n${rows.join('\n')}\n`);
});
afterEach(() => rm(folder, { recursive: true }));

const fileOf = (given: object = {}) =>
  experimentSchema.parse({
    ...{ name: 'tiny', data: { set: 'clouds.csv', label: 'label' }, model: 'tiny', clients: 5 },
    ...{ training: { batchSize: 8 }, stop: { rounds: 4 }, seeds: [1, 2] },
    ...given,
  });

const run = (experiment: ReturnType<typeof fileOf>, out: string, seconds?: number) =>
  runExperiment({
    ...{ experiment, folder, out: join(folder, out), seconds },
    readModel: async () => tinyModel(),
  });

/** Without what depends on the machine. */
const timeless = (lines: readonly ResultLine[]) => lines.map((line) => ({ ...line, seconds: 0 }));

test('the same file gives the same numbers, another seed others', async () => {
  const first = timeless((await run(fileOf(), 'a')).lines);
  const second = timeless((await run(fileOf(), 'b')).lines);
  expect(second).toEqual(first);
  const lossesOf = (seed: number) =>
    first.flatMap((line) => (line.kind === 'round' && line.seed === seed ? [line.loss] : []));
  expect(lossesOf(1).length).toBe(4);
  expect(lossesOf(1)).not.toEqual(lossesOf(2));
  expect(first.filter(({ kind }) => kind === 'end').map((line) => line.seed)).toEqual([1, 2]);
});

test('a run that was cut goes on as if it had not been; a complete one is left alone', async () => {
  const whole = timeless((await run(fileOf(), 'whole')).lines);
  const experiment = fileOf();
  const out = join(folder, 'cut');
  // Cut after two rounds, as by a power failure: a line is written, its state is not.
  const stop = new Error('cut');
  let rounds = 0;
  const cut = runExperiment({
    ...{ experiment, folder, out, readModel: async () => tinyModel() },
    onLine: () => {
      rounds += 1;
      if (rounds === 2) throw stop;
    },
  });
  await expect(cut).rejects.toBe(stop);
  const path = join(out, 'tiny.jsonl');
  const text = await readFile(path, 'utf8');
  const [, second] = text.trimEnd().split('\n');
  const third = { ...JSON.parse(second!), round: 3, accuracy: 0.123 };
  await writeFile(path, `${text}${JSON.stringify(third)}\n{"kind":"ro`);
  const resumed = await run(experiment, 'cut');
  expect(timeless(resumed.lines)).toEqual(whole);
  expect((await readdir(out)).filter((name) => name.endsWith('.state'))).toEqual([]);
  const before = await readFile(path, 'utf8');
  expect(timeless((await run(experiment, 'cut')).lines)).toEqual(whole);
  expect(await readFile(path, 'utf8')).toBe(before);
});

test('when the seconds are over no round begins, and it says so', async () => {
  const { lines, isCut } = await run(fileOf(), 'capped', 0);
  expect(isCut).toBe(true);
  expect(lines).toEqual([]);
});

test('a target ends a run, and a cap names where it stood', async () => {
  const ends = async (stop: object, learningRate: number) => {
    const file = fileOf({ stop, seeds: [1], training: { learningRate } });
    const { lines } = await run(file, `rate-${learningRate}`);
    return lines.filter((line) => line.kind === 'end').at(-1);
  };
  const reached = await ends({ rounds: 50, target: { accuracy: 0.9 } }, 0.1);
  expect(reached?.end).toBe('reached');
  expect(reached?.text).toMatch(/^reached: \d+$/);
  const capped = await ends({ rounds: 2, target: { accuracy: 1 } }, 1e-9);
  expect(capped?.end).toBe('capped');
  expect(capped?.text).toMatch(/^capped: [\d.]+ % at round 2$/);
});

test('divergence ends one run and not the experiment', async () => {
  const grid = { 'training.learningRate': [1e30, 0.1] };
  const { lines } = await run(fileOf({ seeds: [1], grid }), 'diverged');
  const ends = lines.flatMap((line) => (line.kind === 'end' ? [line.end] : []));
  expect(ends).toEqual(['failed', 'rounds']);
});

test('the summary has a row and a curve for each group', async () => {
  const experiment = fileOf({ seeds: [1], grid: { 'training.epochs': [1, 2] } });
  const { lines } = await run(experiment, 'summary');
  const { markdown, plot } = summaryOf(experiment, lines);
  expect(markdown.split('\n').filter((line) => /^\| [12] \|/.test(line)).length).toBe(2);
  expect(plot.match(/<polyline/g)?.length).toBe(2);
});

test('a name follows from what is set, not from the order in which it is', () => {
  const [a, b] = [tinySettings({ cells: 2 }), tinySettings({ cells: 1 })];
  expect(runName(a, 1)).not.toBe(runName(b, 1));
  expect(runName(a, 1)).not.toBe(runName(a, 2));
  const turned = Object.fromEntries(Object.entries(a).reverse()) as typeof a;
  expect(runName(turned, 1)).toBe(runName(a, 1));
});

test('results that cannot be read are an error, not a reason to begin anew', async () => {
  await mkdir(join(folder, 'a', 'tiny.jsonl'), { recursive: true });
  await expect(run(fileOf(), 'a')).rejects.toThrow('EISDIR');
});
