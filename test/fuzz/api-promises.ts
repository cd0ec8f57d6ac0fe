/** What must hold of every answer of the control API, whatever was asked. */
import { z } from 'zod';
import { failureSchema } from '../../packages/control/src/failure.ts';
import type { Answer } from './http-exchange.ts';
import { promise } from './target.ts';

const wellnessSchema = z.strictObject({ status: z.string() });
/** What a stranger may make of the answer's beginning; the rest is checked as far as it came. */
const STREAMS = ['text/event-stream', 'application/x-ndjson'];

/** Checks an answer; what kind of one it is. */
export function kindOf({ status, headers, body }: Answer): string {
  const type = (headers.get('content-type') ?? '').split(';')[0]!;
  if (status === 200 && STREAMS.includes(type)) return 'a stream';
  if (status === 200 && type === 'text/plain') return 'text';
  const text = body.toString();
  // An answer to HEAD has none.
  if (text === '') return `${status} without a body`;
  promise(type === 'application/json', `${status} as ${type || 'nothing'}: ${text.slice(0, 80)}`);
  const value: unknown = JSON.parse(text);
  if (status < 300) return `${status}`;
  if (status === 503 && wellnessSchema.safeParse(value).success) return 'not well';
  const failure = failureSchema.safeParse(value);
  promise(failure.success, `${status} in another form: ${text.slice(0, 120)}`);
  const { code, error } = failure.data!;
  promise(error.length > 0, `${status} without a reason`);
  // The one fault that the document names: a daemon that measures nothing.
  promise(status < 500 || code === 'no-metrics', `${status}: ${error}`);
  return `${status} ${code}: ${error}`;
}
