import { ConfigError, type Journal } from '@starling/core';
import { ClassicLevel } from 'classic-level';

/**
 * The journal on disk, over LevelDB. Every change is written with `sync`, so it is in the log file
 * before the promise resolves; LevelDB drops a torn last record when it opens again.
 */
export class LevelJournal implements Journal {
  readonly #level: ClassicLevel<Uint8Array, Uint8Array>;

  private constructor(level: ClassicLevel<Uint8Array, Uint8Array>) {
    this.#level = level;
  }

  /**
   * Opens or creates the journal.
   * @throws ConfigError when another process has it open, on this host or on another one
   */
  static async open(directory: string): Promise<LevelJournal> {
    const level = new ClassicLevel<Uint8Array, Uint8Array>(directory, {
      keyEncoding: 'view',
      valueEncoding: 'view',
    });
    try {
      await level.open();
    } catch (error) {
      throw whyClosed(directory, error);
    }
    return new LevelJournal(level);
  }

  async put(key: string, value: Uint8Array): Promise<void> {
    await this.#level.put(keyBytes(key), value, { sync: true });
  }

  async get(key: string): Promise<Uint8Array | undefined> {
    const value = await this.#level.get(keyBytes(key));
    return value === undefined ? undefined : new Uint8Array(value);
  }

  async *entries(prefix: string): AsyncIterable<readonly [key: string, value: Uint8Array]> {
    for await (const [key, value] of this.#level.iterator(rangeOf(prefix))) {
      yield [keyText(key), new Uint8Array(value)];
    }
  }

  async deletePrefix(prefix: string): Promise<void> {
    // Not `clear()`: that one cannot sync, and a deletion must be on disk before it resolves.
    const keys = await this.#level.keys(rangeOf(prefix)).all();
    await this.#level.batch(
      keys.map((key) => ({ type: 'del' as const, key })),
      { sync: true },
    );
  }

  async close(): Promise<void> {
    await this.#level.close();
  }
}

/** UTF-16 big-endian: LevelDB's order of bytes is then the port's order of code units. */
function keyBytes(key: string): Uint8Array {
  const out = new Uint8Array(2 * key.length);
  for (let i = 0; i < key.length; i++) {
    const unit = key.charCodeAt(i);
    out[2 * i] = unit >>> 8;
    out[2 * i + 1] = unit & 255;
  }
  return out;
}

function keyText(bytes: Uint8Array): string {
  let out = '';
  for (let i = 0; i < bytes.length; i += 2) {
    out += String.fromCharCode((bytes[i]! << 8) | bytes[i + 1]!);
  }
  return out;
}

/** The keys that start with `prefix`: up to the next prefix of that length, if there is one. */
function rangeOf(prefix: string): { gte: Uint8Array; lt?: Uint8Array } {
  const gte = keyBytes(prefix);
  const last = gte.findLastIndex((byte) => byte !== 255);
  if (last < 0) return { gte };
  const lt = gte.slice(0, last + 1);
  lt[last]! += 1;
  return { gte, lt };
}

/** LevelDB says only that it failed; the cause says why. */
function whyClosed(directory: string, error: unknown): unknown {
  const { cause } = error as { cause?: { code?: string; message?: string } };
  if (cause?.code === 'LEVEL_LOCKED') {
    const hint = 'Stop that daemon first; on a shared file system it may run on another host';
    return new ConfigError('stateDirectory', `another process has locked ${directory}`, hint);
  }
  if (cause?.message === undefined) return error;
  return new ConfigError('stateDirectory', `cannot open ${directory} (${cause.message})`);
}
