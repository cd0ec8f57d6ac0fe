import { randomBytes } from 'node:crypto';
import { type Clock, type Log, millis, type Random } from '@starling/core';

/** The real clock, for tests that run real sockets. */
export const realClock: Clock = {
  now: () => millis(performance.now()),
  setTimer: (after, fire) => {
    const timer = setTimeout(fire, after);
    return () => clearTimeout(timer);
  },
};

export const realRandom: Random = { bytes: (length) => new Uint8Array(randomBytes(length)) };

export const silentLog: Log = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };

export const realParts = { clock: realClock, random: realRandom, log: silentLog };
