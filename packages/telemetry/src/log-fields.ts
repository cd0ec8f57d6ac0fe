import type { JobId, LogFields, PeerId } from '@starling/core';
import type { Slot } from '@starling/rounds';
import { attemptIdOf, traceIdOf } from './trace-id.ts';

const JOB_ID = /^[0-9a-f]{64}$/;

const isJob = (value: unknown): value is JobId => typeof value === 'string' && JOB_ID.test(value);
const isRound = (value: unknown): value is number =>
  typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
const isSlot = (value: unknown): value is Slot =>
  typeof value === 'object' &&
  value !== null &&
  'restarts' in value &&
  'attempt' in value &&
  isRound(value.restarts) &&
  isRound(value.attempt);

export interface TraceIds {
  readonly trace: string | undefined;
  readonly transaction: string | undefined;
}

/** Which trace a line belongs to: every line that names a job and a round is of one. */
export function traceOf({ job, round, slot }: LogFields, self: PeerId | undefined): TraceIds {
  if (!isJob(job) || !isRound(round)) return { trace: undefined, transaction: undefined };
  const isOfAttempt = self !== undefined && isSlot(slot);
  return {
    trace: traceIdOf(job, round),
    transaction: isOfAttempt ? attemptIdOf(job, round, slot, self) : undefined,
  };
}

/**
 * Fields in the Elastic Common Schema. What is Starling's own lies below `starling`, so that no
 * field meets one of the schema's that has its name and another type, as `error` would.
 */
export function ecsFields(fields: LogFields, { trace, transaction }: TraceIds): LogFields {
  const { event, error, stack, err, ...own } = fields;
  const failure = error ?? err;
  return {
    ...(event !== undefined && { 'event.action': event, 'event.kind': 'event' }),
    ...(trace !== undefined && { 'trace.id': trace }),
    ...(transaction !== undefined && { 'transaction.id': transaction }),
    ...(failure !== undefined && { 'error.message': String(failure) }),
    ...(stack !== undefined && { 'error.stack_trace': String(stack) }),
    ...(Object.keys(own).length > 0 && { starling: own }),
  };
}

export const jsonFields = (fields: LogFields, { trace, transaction }: TraceIds): LogFields => ({
  ...fields,
  ...(trace !== undefined && { traceId: trace }),
  ...(transaction !== undefined && { attemptId: transaction }),
});

const SHORT = 8;

/** For people: ids only as long as it takes to tell them apart, and no trace. */
export function textFields({ event: _, job, ...rest }: LogFields): LogFields {
  return { ...(job !== undefined && { job: isJob(job) ? job.slice(0, SHORT) : job }), ...rest };
}
