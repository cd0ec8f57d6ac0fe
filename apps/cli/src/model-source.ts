import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { ConfigError } from '@starling/core';
import { readInput } from './files.ts';
import { modelOfZoo, ZOO_PREFIX } from './job-file.ts';
import type { DaemonOptions } from './options.ts';

/**
 * A model's file, or one of the zoo.
 * @param seed draws the weights of a model of the zoo
 */
export const readModelSource = (source: string, seed: number): Promise<Uint8Array> =>
  source.startsWith(ZOO_PREFIX)
    ? modelOfZoo(source.slice(ZOO_PREFIX.length), seed)
    : readInput('model', source);

/**
 * The place of a data set that is a path here or a name that the daemon knows; without one, the
 * daemon's only data set.
 * @throws ConfigError that says what there is
 */
export async function dataPath(given: string | undefined, options: DaemonOptions): Promise<string> {
  if (given?.includes('://')) return given;
  if (given !== undefined && existsSync(given)) return resolve(given);
  const known = await knownData(given, options);
  const names = known.map(({ name }) => name).join(', ') || 'none';
  if (given === undefined) {
    if (known.length === 1) return known[0]!.path;
    throw new ConfigError('data', `the daemon offers ${names}`, 'Choose with --data NAME or PATH');
  }
  const found = known.find(({ name }) => name === given);
  if (found !== undefined) return found.path;
  const what = `"${given}" is neither a path here nor a data set of the daemon, which has ${names}`;
  throw new ConfigError('data', what, 'Check the path, or see `starling data list`');
}

async function knownData(given: string | undefined, options: DaemonOptions) {
  const { clientOf } = await import('./client.ts');
  try {
    return await clientOf(options).listData();
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    const what = given === undefined ? 'no data set is named' : `there is no path "${given}"`;
    throw new ConfigError(
      'data',
      `${what}, and no daemon is running that could know a name`,
      'Give a path with --data, or start the daemon with `starling up`',
    );
  }
}
