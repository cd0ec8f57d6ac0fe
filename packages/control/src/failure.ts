import { ConfigError, errorMessage, ProtocolError } from '@starling/core';
import { z } from 'zod';

/** How an error travels: `key` only with code `config`. */
export const failureSchema = z.object({
  error: z.string(),
  code: z.string(),
  key: z.string().optional(),
});
export type Failure = z.infer<typeof failureSchema>;

/** HTTP status and body for anything that a handler threw. */
export function failureOf(error: unknown): { status: number; body: Failure } {
  if (error instanceof z.ZodError) {
    const { path, message } = error.issues[0]!;
    const at = path.length === 0 ? '' : `${path.join('.')}: `;
    return { status: 400, body: { error: `${at}${message}`, code: 'invalid' } };
  }
  if (error instanceof ConfigError) {
    return { status: 400, body: { error: error.message, code: 'config', key: error.key } };
  }
  if (error instanceof ProtocolError) {
    return { status: 409, body: { error: error.message, code: error.code } };
  }
  const status = (error as { statusCode?: number } | undefined)?.statusCode ?? 500;
  const code = status < 500 ? 'request' : 'internal';
  return { status, body: { error: errorMessage(error), code } };
}

/** The error that `failureOf` wrote, as its own class again. */
export function errorOf(answer: unknown): Error {
  const parsed = failureSchema.safeParse(answer);
  if (!parsed.success) return foreignAnswer();
  const { error, code, key } = parsed.data;
  if (code !== 'config' || key === undefined) return new ProtocolError(code, error);
  // The constructor puts the key in front again.
  const prefix = `${key}: `;
  return new ConfigError(key, error.startsWith(prefix) ? error.slice(prefix.length) : error);
}

export const foreignAnswer = (): ProtocolError =>
  new ProtocolError(
    'answer',
    'the daemon answers in a form this release does not know. Run both from the same release',
  );
