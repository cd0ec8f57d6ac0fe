import { ConfigError, errorMessage, ProtocolError } from '@starling/core';
import { CommanderError } from 'commander';
import { note, printJson } from './output.ts';
import { oneLine } from './table.ts';

/** What a script may rely on. */
export const EXIT = { ok: 0, failure: 1, usage: 2 } as const;

/** Tells what went wrong and answers with the exit code. */
export function reportFailure(error: unknown, json: boolean): number {
  if (error instanceof CommanderError) return reportUsage(error, json);
  const message = oneLine(errorMessage(error));
  note(`starling: ${message}`);
  // Neither the operator's mistake nor a peer's: ours, and the trace says where.
  if (!isExpected(error) && error instanceof Error) note(error.stack ?? '');
  if (json) printJson({ error: message });
  return EXIT.failure;
}

const isExpected = (error: unknown): boolean =>
  error instanceof ConfigError || error instanceof ProtocolError;

/** Commander has printed help and versions itself; its errors are left to us. */
function reportUsage({ code, message, exitCode }: CommanderError, json: boolean): number {
  if (exitCode === 0) return EXIT.ok;
  if (code === 'commander.help') return EXIT.usage;
  const cause = oneLine(message.replace(/^error: /, '')).replace(/\.$/, '');
  note(`starling: ${cause}. Add --help for what is possible`);
  if (json) printJson({ error: cause });
  return EXIT.usage;
}
