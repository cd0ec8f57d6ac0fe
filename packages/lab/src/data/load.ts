import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { permutation } from '@starling/autodiff';
import { ConfigError } from '@starling/core';
import { selectExamples } from '@starling/trainer';
import { generatorFor } from '../random.ts';
import type { Settings } from '../schema.ts';
import { fromFiles } from './files.ts';
import { fashionMnist, mnist } from './image-sets.ts';
import type { LabData } from './lab-data.ts';
import { fromSpeeches, SPEAKER } from './speeches.ts';

const NAMED = new Map([
  ['mnist', mnist],
  ['fashion-mnist', fashionMnist],
]);
/** Which examples a smaller set has is the same for all seeds: they differ in all else. */
const EXAMPLES_SEED = 0xda7a;

/**
 * @param folder from which paths count
 * @throws ConfigError `data.set` naming what there is
 */
export async function loadData(data: Settings['data'], folder: string): Promise<LabData> {
  const whole = await read(data, folder);
  const { examples } = data;
  const { train } = whole;
  if (examples === undefined || examples >= train.info.count) return whole;
  const drawn = permutation(train.info.count, generatorFor('examples', EXAMPLES_SEED));
  const kept = drawn.slice(0, examples).sort();
  return {
    ...whole,
    train: selectExamples(train, kept),
    ids: whole.ids && Array.from(kept, (index) => whole.ids![index]!),
  };
}

async function read(data: Settings['data'], folder: string): Promise<LabData> {
  const named = NAMED.get(data.set);
  if (named !== undefined) return named();
  const path = resolve(folder, data.set);
  if (existsSync(path)) {
    return data.id === SPEAKER ? fromSpeeches(path, data) : fromFiles(path, data);
  }
  const names = [...NAMED.keys()].join(', ');
  throw new ConfigError('data.set', `there is no file or folder ${path}`, `Or choose ${names}`);
}

/** Class of each example; 0 where the set has none. */
export function labelsOf({ train }: LabData): ArrayLike<number> {
  const { info, examples } = train;
  const isClass = info.target.kind === 'classes' && examples.targets !== null;
  return isClass ? examples.targets : new Uint8Array(info.count);
}
