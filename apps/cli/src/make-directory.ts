import { mkdir } from 'node:fs/promises';
import { dirname } from 'node:path';
import { ConfigError } from '@starling/core';
import { reasonOf } from './files.ts';

/** @param error why not */
export const notWritable = (state: string, error: unknown): ConfigError =>
  new ConfigError(
    'stateDirectory',
    `cannot write to ${state} (${reasonOf(error)})`,
    'Give this user the right to write there, or choose another --state',
  );

/**
 * Makes a state directory, for its owner only.
 *
 * Not by Node 20's recursive mkdir: it never returns where making answers ENOENT, as in /proc.
 * @throws ConfigError that says why it cannot be
 */
export async function makeDirectory(state: string): Promise<void> {
  const make = async (path: string, retry: boolean): Promise<void> => {
    try {
      await mkdir(path, { mode: 0o700 });
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === 'EEXIST') return;
      if (code !== 'ENOENT' || !retry) throw error;
      await make(dirname(path), dirname(path) !== path);
      await make(path, false);
    }
  };
  try {
    await make(state, true);
  } catch (error) {
    throw notWritable(state, error);
  }
}
