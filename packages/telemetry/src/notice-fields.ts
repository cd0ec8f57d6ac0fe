import type { JobId, LogFields } from '@starling/core';
import { type Notice, survivorCount } from '@starling/rounds';

/** What is logged of a notice; of a certificate what people ask for, not the certificate. */
export function noticeFields(job: JobId, notice: Notice): LogFields {
  const { kind, ...rest } = notice;
  if (!('certificate' in rest)) return { event: kind, job, ...rest };
  const { statement } = rest.certificate;
  const { lossSum, correct, examples } = statement.metrics;
  return {
    ...{ event: kind, job, round: statement.round, own: rest.own },
    ...{ rosterSize: statement.roster.length, summed: survivorCount(statement) },
    ...(examples > 0 && { loss: lossSum / examples, accuracy: correct / examples }),
  };
}
