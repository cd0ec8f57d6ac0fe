import { randomBytes } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { type Clock, millis, type Random } from '@starling/core';
import type { MachineFiles } from '@starling/node';
import { residentBytes } from '@starling/trainer';

/** The machine's monotonic clock. */
export const systemClock: Clock = {
  now: () => millis(performance.now()),
  setTimer(after, fire) {
    const timer = setTimeout(fire, after);
    return () => clearTimeout(timer);
  },
};

/** Minutes after midnight, local time. */
export function minuteOfDay(): number {
  const now = new Date();
  return 60 * now.getHours() + now.getMinutes();
}

/** What the machine tells of itself; where it has no such files, nothing. */
export const systemFiles: MachineFiles = {
  text: (path) => unlessUnreadable(() => readFileSync(path, 'utf8')),
  names: (path) => unlessUnreadable(() => readdirSync(path)) ?? [],
};

function unlessUnreadable<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch {
    return undefined;
  }
}

/** Bytes that this process and its children hold. */
export const memoryOf = (children: readonly number[]): number =>
  children.reduce((sum, pid) => sum + (residentBytes(pid) ?? 0), process.memoryUsage.rss());

export const systemRandom: Random = { bytes: (length) => new Uint8Array(randomBytes(length)) };
