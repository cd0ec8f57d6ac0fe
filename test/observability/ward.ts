import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type JobFileInput, jobFileSchema } from '@starling/control';
import type { JobId } from '@starling/core';
import { writeModel } from '@starling/onnx';
import { inspectOffer } from '@starling/trainer';
import { linearModel } from '../../packages/trainer/src/testing/jobs.ts';
import { until } from '../helpers/until.ts';
import type { LoggedDaemon } from './daemon.ts';

const EXAMPLES = 60;
/** Of the data, and like nothing else. */
export const MARKERS = {
  columns: ['zqxcolumnone', 'zqxcolumntwo', 'zqxdiagnosis'],
  labels: ['zqxsick', 'zqxwell'],
  file: 'zqxpatients',
  values: ['7391.8642', '5127.9318'],
};

/** Offers a table of marked data under the name `mine`. */
export async function addData(daemon: LoggedDaemon): Promise<void> {
  const folder = join(daemon.state, '..', 'data');
  await mkdir(folder);
  const path = join(folder, `${MARKERS.file}.csv`);
  const rows = Array.from({ length: EXAMPLES }, (_, i) =>
    [MARKERS.values[i % 2], MARKERS.values[(i >> 1) % 2], MARKERS.labels[i % 2]].join(','),
  );
  await writeFile(path, [MARKERS.columns.join(','), ...rows, ''].join('\n'));
  const options = { label: [MARKERS.columns[2]!] };
  await daemon.client.addData(await inspectOffer('mine', path, { task: 'ward', options }));
}

/** A small job on such data. */
export async function launch(
  { client }: LoggedDaemon,
  rounds: number,
  more: Pick<JobFileInput, 'privacy'> = {},
) {
  const model = writeModel(linearModel(2, 2));
  const file = jobFileSchema.parse({
    ...{ name: 'ward', model: 'linear.onnx', aggregation: { phaseSeconds: 2 } },
    data: { task: 'ward', input: { shape: [2] }, classes: 2 },
    ...{ admission: { joinWindowSeconds: 2 }, stop: { rounds }, ...more },
  });
  const { job } = await client.launch(file, model);
  return { job: job as JobId, model };
}

/** Resolves when all of them are at the job's end. */
export async function trained(daemons: readonly LoggedDaemon[], job: string): Promise<void> {
  const isDone = async ({ client }: LoggedDaemon) => {
    const known = (await client.jobs()).find(({ id }) => id === job);
    return known?.phase === 'finished';
  };
  await until(async () => (await Promise.all(daemons.map(isDone))).every(Boolean), 90_000);
}
