import type { Patience } from './attempts.ts';
import { FolderTarget } from './folder-target.ts';
import { isObjectUrl } from './place.ts';

export interface PutOptions {
  readonly onProgress?: ((done: number, total: number) => void) | undefined;
}

/** `unchanged`: the very bytes were there already, and nothing was sent. */
export type PutOutcome = 'written' | 'unchanged';

/**
 * Where files are kept for others to read. Several processes, on several machines, may write to one
 * target; of two that write the same name at once the last one stays, whole. On a network file
 * system another host may see what was there before for as long as its cache lasts (a second on
 * GlusterFS, up to a minute on NFS). All methods throw `ConfigError` with the cause and the next
 * step.
 */
export interface Target {
  /** A folder's path, or `s3://bucket/prefix`. */
  readonly name: string;
  /**
   * Resolves when the file is there, durably. A reader sees what was there before or all of it,
   * whenever this process ends.
   */
  put(name: string, bytes: Uint8Array, options?: PutOptions): Promise<PutOutcome>;
  /** Whether these very bytes are there: a store is asked for their hash, and not for them. */
  holds(name: string, bytes: Uint8Array): Promise<boolean>;
  /** Undefined where there is none. */
  get(name: string): Promise<Uint8Array | undefined>;
  has(name: string): Promise<boolean>;
  /** Names of the files in a folder, sorted; none where there is no folder. */
  list(folder: string): Promise<readonly string[]>;
  /** Also what an upload of it left behind that never came to its end. */
  delete(name: string): Promise<void>;
  close(): Promise<void>;
}

/**
 * @param key names the target in errors
 * @param where a folder's path, or `s3://bucket/prefix`
 */
export async function openTarget(key: string, where: string, patience?: Patience): Promise<Target> {
  if (!isObjectUrl(where)) return new FolderTarget(key, where);
  // A library of many files that most commands do without.
  const { S3Target } = await import('./s3-target.ts');
  return S3Target.open(key, where, patience);
}
