import { basename } from 'node:path';
import { permutation } from '@starling/autodiff';
import { ConfigError } from '@starling/core';
import {
  type DataOptions,
  loadResident,
  openDataSource,
  parseDataOptions,
  planDataset,
  selectExamples,
} from '@starling/trainer';
import { generatorFor } from '../random.ts';
import type { Settings } from '../schema.ts';
import type { LabData } from './lab-data.ts';

/** Which examples test follows from the set alone, never from a run's seed. */
const TEST_SEED = 0x7e57;

/**
 * A file or folder as `starling data add` takes it; a part of it, drawn once for all, is the test.
 * @throws ConfigError `data` with what hinders it, and what to do
 */
export async function fromFiles(path: string, data: Settings['data']): Promise<LabData> {
  const { id, test: part, set: _, examples: __, ...words } = data;
  const options = parseDataOptions(words);
  const { plan, problems, task } = await planDataset(path, options);
  if (problems.length > 0) throw new ConfigError('data', problems.join('\n'));
  const source = await openDataSource(path, plan);
  const { info } = source;
  const examples = await loadResident(source, Number.POSITIVE_INFINITY);
  await source.close();
  const all = id === undefined ? undefined : await readIds(path, id, options);
  const order = permutation(info.count, generatorFor('test', TEST_SEED));
  const count = Math.max(1, Math.round(part * info.count));
  const trains = order.slice(count).sort();
  return {
    task: task ?? basename(path).replace(/\.[^.]+$/, ''),
    train: selectExamples({ info, examples }, trains),
    test: selectExamples({ info, examples }, order.slice(0, count).sort()),
    ids: all && Array.from(trains, (index) => all[index]!),
  };
}

/** The column of ids, read as the label of the same rows. */
async function readIds(path: string, id: string, options: DataOptions): Promise<readonly string[]> {
  const { plan, problems } = await planDataset(path, { ...options, label: [id] });
  if (problems.length > 0) throw new ConfigError('data.id', problems.join('\n'));
  const source = await openDataSource(path, plan);
  const { targets } = await loadResident(source, Number.POSITIVE_INFINITY);
  await source.close();
  return Array.from(targets ?? [], String);
}
