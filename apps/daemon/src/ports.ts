import { randomBytes } from 'node:crypto';
import { type Clock, type Log, millis, type Random } from '@starling/core';
import { pino } from 'pino';

/** The machine's monotonic clock. */
export const systemClock: Clock = {
  now: () => millis(performance.now()),
  setTimer(after, fire) {
    const timer = setTimeout(fire, after);
    return () => clearTimeout(timer);
  },
};

export const systemRandom: Random = { bytes: (length) => new Uint8Array(randomBytes(length)) };

/** Structured lines on standard error; standard output belongs to `--json`. */
export function createLog(level: string): Log {
  const log = pino({ level, base: null }, pino.destination({ dest: 2, sync: true }));
  return {
    debug: (message, fields) => log.debug(fields ?? {}, message),
    info: (message, fields) => log.info(fields ?? {}, message),
    warn: (message, fields) => log.warn(fields ?? {}, message),
    error: (message, fields) => log.error(fields ?? {}, message),
  };
}
