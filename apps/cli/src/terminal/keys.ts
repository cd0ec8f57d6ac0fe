import type { ReadStream } from 'node:tty';

/** What a key of a screen may do. */
export type Key = 'leave' | 'interrupt' | 'suspend';

const KEYS: Readonly<Record<string, Key>> = {
  q: 'leave',
  Q: 'leave',
  '\x03': 'interrupt',
  '\x1a': 'suspend',
};

/**
 * Reads keys one by one, without showing them. What is no terminal has no keys.
 * @returns what ends it
 */
export function readKeys(input: ReadStream, take: (key: Key) => void): () => void {
  if (!input.isTTY) return () => {};
  const listen = (data: Buffer): void => {
    for (const character of data.toString('utf8')) {
      const key = KEYS[character];
      if (key !== undefined) take(key);
    }
  };
  input.setRawMode(true);
  input.on('data', listen);
  input.resume();
  return () => {
    input.off('data', listen);
    input.setRawMode(false);
    input.pause();
  };
}
