import { ConfigError, errorMessage } from '@starling/core';
import { LevelDatastore } from 'datastore-level';
import type { Key } from 'interface-datastore';

/**
 * libp2p's peer store takes a read that failed for a peer that is not there, and writes what it was
 * to add over what it knew: a read that is given up, as many are at the stop, would cost addresses.
 */
class PatientDatastore extends LevelDatastore {
  override get(key: Key): ReturnType<LevelDatastore['get']> {
    return super.get(key);
  }
}

/** @throws ConfigError when another process has it, or it is damaged */
export async function openDatastore(path: string | undefined): Promise<LevelDatastore | undefined> {
  if (path === undefined) return undefined;
  const datastore = new PatientDatastore(path);
  try {
    await datastore.open();
  } catch (error) {
    throw new ConfigError('datastore', `cannot open ${path} (${errorMessage(error)})`);
  }
  return datastore;
}
