import { ProtocolError } from '@starling/core';

/** Why a request got no answer. */
export const FAILURE_KINDS = [
  ...(['bad-request', 'unknown-model', 'quota', 'queue-full', 'not-ready'] as const),
  ...(['crashed', 'failed'] as const),
] as const;
export type FailureKind = (typeof FAILURE_KINDS)[number];

/** What a client is told in place of outputs. */
export class ServingError extends ProtocolError {
  override readonly name = 'ServingError';
  readonly kind: FailureKind;
  /** After which another try may do better. */
  readonly retrySeconds: number | undefined;

  constructor(kind: FailureKind, message: string, retrySeconds?: number) {
    super(kind, message);
    this.kind = kind;
    this.retrySeconds = retrySeconds;
  }
}

export const badRequest = (message: string): ServingError =>
  new ServingError('bad-request', message);

/** What an engine said, as its own kind of failure. */
export function failureOf(error: unknown): ServingError {
  if (error instanceof ServingError) return error;
  const code = error instanceof ProtocolError ? error.code : '';
  const message = error instanceof Error ? error.message : String(error);
  if (code === 'model-crashed') return new ServingError('crashed', message, 1);
  if (code === 'model-restarting') return new ServingError('not-ready', message, 5);
  if (code === 'too-large') return badRequest(message);
  return new ServingError('failed', message);
}
