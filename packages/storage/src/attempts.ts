import { setTimeout as delay } from 'node:timers/promises';
import { S3ServiceException } from '@aws-sdk/client-s3';
import { ConfigError, ProtocolError } from '@starling/core';
import { isNoCredentials } from './s3-failures.ts';

/** How long something is tried. */
export interface Patience {
  readonly attempts: number;
  /** Before the second attempt; doubled before each one after it, up to the longest. */
  readonly pauseMs: number;
  readonly pauseMsMax: number;
}

const PATIENCE: Patience = { attempts: 6, pauseMs: 100, pauseMsMax: 10_000 };

/**
 * Tries again, ever later, where that may help. The pauses are drawn from their later half, so that
 * many clients of a store that was away do not come back at once.
 * @param explain makes of the last failure what is thrown
 */
export async function attempted<T>(
  attempt: () => Promise<T>,
  explain: (error: unknown, tried: number) => Error,
  { attempts, pauseMs, pauseMsMax }: Patience = PATIENCE,
): Promise<T> {
  for (let tried = 1; ; tried++) {
    try {
      return await attempt();
    } catch (error) {
      if (!mayPass(error) || tried >= attempts) throw explain(error, tried);
      const pause = Math.min(pauseMsMax, pauseMs * 2 ** (tried - 1));
      await delay(pause * (1 + Math.random()) * 0.5);
    }
  }
}

/** Overload, a broken connection, an error of the store's own: not what a request did wrong. */
function mayPass(error: unknown): boolean {
  if (error instanceof ProtocolError || error instanceof ConfigError) return false;
  if (!(error instanceof S3ServiceException)) return !isNoCredentials(error);
  // What comes with status 200 and tells of an error in its body has no status of its own.
  const status = error.$metadata.httpStatusCode ?? 500;
  const isOverload = status >= 500 || status === 429 || status === 408;
  return isOverload || PASSING.has(error.name);
}

/** By their names, whatever their status: a body that was damaged on its way, for one. */
const PASSING: ReadonlySet<string> = new Set([
  ...['BadDigest', 'IncompleteBody', 'InternalError', 'RequestTimeout', 'SlowDown'],
  ...['XAmzContentSHA256Mismatch', 'ServiceUnavailable'],
]);
