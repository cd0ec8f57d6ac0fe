/**
 * A Parquet set larger than the trainer's memory allows it to hold: `npx tsx bench/parquet.ts
 * [--rows N] [--json]`, after `npm run build`. Writes ten million rows of 16 numbers and a label,
 * looks at them as `starling data add` does, and trains an epoch in a caged trainer child of 1 GiB.
 * The comparison in the same run is a tenth of the rows, which stay resident. Exit code 1 when the
 * child's greatest resident memory, as the kernel counts it, is above its limit.
 */
import { readFileSync } from 'node:fs';
import { mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createGenerator } from '@starling/autodiff';
import type { Log } from '@starling/core';
import { createTrainer, datasetCatalog, inspectOffer } from '@starling/trainer';
import { fileWriter, ParquetWriter } from 'hyparquet-writer';
import { linearModel, testJob } from '../packages/trainer/src/testing/jobs.ts';

const childEntry = new URL('../apps/cli/dist/trainer-child.js', import.meta.url);
const FEATURES = 16;
const CLASSES = 4;
const GROUP_ROWS = 250_000;
const MEMORY = 2 ** 30;
const SAMPLE_MS = 20;
const MIB = 2 ** 20;

interface Row {
  readonly rows: number;
  readonly fileMiB: number;
  readonly inspectSeconds: number;
  readonly trainSeconds: number;
  readonly examplesPerSecond: number;
  /** Of the trainer child: all that is resident, and what of it is no mapped file. */
  readonly peakMiB: number;
  readonly peakAnonymousMiB: number;
  readonly limitMiB: number;
  readonly trainingLoss: number;
}

async function writeRows(path: string, rows: number): Promise<void> {
  const names = Array.from({ length: FEATURES }, (_, i) => `x${i}`);
  const writer = new ParquetWriter({
    writer: fileWriter(path),
    codec: 'UNCOMPRESSED',
    schema: [
      { name: 'root', num_children: FEATURES + 1 },
      ...names.map((name) => ({ name, type: 'FLOAT', repetition_type: 'REQUIRED' }) as const),
      { name: 'label', type: 'INT32', repetition_type: 'REQUIRED' },
    ],
  });
  const generator = createGenerator(rows);
  for (let from = 0; from < rows; from += GROUP_ROWS) {
    const length = Math.min(GROUP_ROWS, rows - from);
    const columns = names.map((name) => ({
      name,
      data: Float32Array.from({ length }, () => generator.uniform() - 0.5),
    }));
    // The class is the largest of the first four numbers: something to learn.
    const data = Int32Array.from({ length }, (_, i) => {
      const first = columns.slice(0, CLASSES).map((column) => column.data[i]!);
      return first.indexOf(Math.max(...first));
    });
    await writer.write({
      columnData: [...columns, { name: 'label', data }],
      rowGroupSize: GROUP_ROWS,
      dictionarySize: 0,
    });
  }
  await writer.finish();
}

/** Calls back with the child's memory until it is told to stop. */
function watchMemory(pid: number) {
  const peak = { resident: 0, anonymous: 0 };
  const look = () => {
    try {
      const text = readFileSync(`/proc/${pid}/status`, 'utf8');
      const bytes = (key: string) =>
        1024 * Number(new RegExp(`^${key}:\\s+(\\d+)`, 'm').exec(text)![1]);
      peak.resident = Math.max(peak.resident, bytes('VmHWM'));
      peak.anonymous = Math.max(peak.anonymous, bytes('RssAnon') + bytes('RssShmem'));
    } catch {
      // It has ended: what was seen is all.
    }
  };
  const timer = setInterval(look, SAMPLE_MS);
  return () => {
    look();
    clearInterval(timer);
    return peak;
  };
}

async function measure(folder: string, rows: number): Promise<Row> {
  const path = join(folder, `rows-${rows}.parquet`);
  await writeRows(path, rows);
  const began = performance.now();
  const dataset = await inspectOffer('rows', path, { task: 'rows' });
  const inspected = performance.now();
  const log: Log = { debug() {}, info() {}, warn() {}, error() {} };
  const trainer = createTrainer({
    ...{ childEntry, log, datasets: datasetCatalog([dataset]), limits: { memory: MEMORY } },
  });
  try {
    const prepared = await trainer.prepare(
      testJob({
        ...{ model: linearModel(FEATURES, CLASSES), dataset: 'rows' },
        training: { batchSize: 256, learningRate: 0.5 },
        data: {
          ...{ task: 'rows', input: { dtype: 'float32', shape: [FEATURES] } },
          ...{ target: 'classes', classes: CLASSES },
        },
      }),
    );
    const stopWatching = watchMemory(trainer.pids[0]!);
    const { examples, trainingLoss } = await prepared.train(
      prepared.initial,
      1,
      undefined,
      ({ step, steps, examplesPerSecond }) =>
        process.stderr.write(`${step} of ${steps} steps, ${examplesPerSecond.toFixed()}/s\n`),
    );
    const seconds = (performance.now() - inspected) / 1000;
    const peak = stopWatching();
    return {
      rows,
      fileMiB: Math.round((await stat(path)).size / MIB),
      inspectSeconds: (inspected - began) / 1000,
      trainSeconds: seconds,
      examplesPerSecond: examples / seconds,
      peakMiB: Math.round(peak.resident / MIB),
      peakAnonymousMiB: Math.round(peak.anonymous / MIB),
      limitMiB: MEMORY / MIB,
      trainingLoss,
    };
  } finally {
    await trainer.close();
    await rm(path);
  }
}

const given = process.argv.indexOf('--rows');
const most = given < 0 ? 10_000_000 : Number(process.argv[given + 1]);
const folder = await mkdtemp(join(tmpdir(), 'starling-parquet-'));
try {
  const results = [await measure(folder, most / 10), await measure(folder, most)];
  if (process.argv.includes('--json')) process.stdout.write(`${JSON.stringify(results)}\n`);
  else {
    for (const row of results) {
      process.stdout.write(
        `${row.rows} rows (${row.fileMiB} MiB): looked at in ${row.inspectSeconds.toFixed(1)} s, ` +
          `an epoch in ${row.trainSeconds.toFixed(1)} s (${row.examplesPerSecond.toFixed()} ` +
          `examples/s), loss ${row.trainingLoss.toFixed(4)}; the trainer's peak is ` +
          `${row.peakMiB} MiB resident, ${row.peakAnonymousMiB} MiB of it its own, ` +
          `of ${row.limitMiB} MiB\n`,
      );
    }
  }
  if (results.some(({ peakMiB, limitMiB }) => peakMiB > limitMiB)) process.exitCode = 1;
} finally {
  await rm(folder, { recursive: true, force: true });
}
