import { type Clock, millis, ProtocolError } from '@starling/core';

/**
 * Runs `work` with a signal that aborts after `ms`. The timer goes when the work settles, and the
 * signal belongs to this one piece of work: signals that live long and are composed with
 * `AbortSignal.any` leak their listeners (research trap: lodestar#8969).
 * @throws ProtocolError 'timeout' once the time is over, whatever error the work ends with then
 */
export async function withDeadline<T>(
  clock: Clock,
  ms: number,
  what: string,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const controller = new AbortController();
  // Made when it is needed: every frame has a deadline, and an error takes a stack trace.
  const late = () => new ProtocolError('timeout', `${what}: nothing within ${ms} ms`);
  const cancel = clock.setTimer(millis(ms), () => controller.abort(late()));
  try {
    return await work(controller.signal);
  } catch (error) {
    throw controller.signal.aborted ? controller.signal.reason : error;
  } finally {
    cancel();
  }
}
