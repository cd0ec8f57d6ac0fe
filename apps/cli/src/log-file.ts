import { open, stat } from 'node:fs/promises';
import { setTimeout as pause } from 'node:timers/promises';
import { ConfigError } from '@starling/core';
import { LEVELS, type LogsOptions } from './commands/logs.ts';
import { reasonOf } from './files.ts';
import { coloured, print, printJson } from './output.ts';
import { oneLine } from './table.ts';
import { clockText } from './terminal/clock.ts';

/** Lines longer than this, on average, are shown fewer than asked for. */
const BYTES_A_LINE = 4096;
const LOOK_EVERY_MS = 250;

/**
 * Shows the end of a daemon's log and, if asked for, what comes.
 * @throws ConfigError when there is none
 */
export async function showLog(path: string, options: LogsOptions): Promise<void> {
  const { lines, follow } = options;
  let from = 0;
  let rest = '';
  const take = async (): Promise<readonly string[]> => {
    const { text, end } = await readFrom(path, from);
    // A file that became shorter has been begun anew.
    from = end;
    const all = `${rest}${text}`.split('\n');
    rest = all.pop()!;
    return all;
  };
  const size = await sizeOf(path);
  from = Math.max(0, size - lines * BYTES_A_LINE);
  const isCut = from > 0;
  const found = (await take()).slice(isCut ? 1 : 0).filter((line) => isWanted(line, options));
  for (const line of lines === 0 ? [] : found.slice(-lines)) tell(line, options);
  while (follow) {
    await pause(LOOK_EVERY_MS);
    for (const line of await take()) if (isWanted(line, options)) tell(line, options);
  }
}

async function sizeOf(path: string): Promise<number> {
  try {
    return (await stat(path)).size;
  } catch (error) {
    const hint = 'A daemon has one that was started with `starling up --detach`; see --state';
    throw new ConfigError('logs', `cannot read ${path} (${reasonOf(error)})`, hint);
  }
}

async function readFrom(path: string, from: number) {
  const file = await open(path, 'r');
  try {
    const { size } = await file.stat();
    const start = size < from ? 0 : from;
    const buffer = Buffer.alloc(size - start);
    const { bytesRead } = await file.read(buffer, 0, buffer.length, start);
    // A character may be half written: lines are only shown when they are whole.
    return { text: buffer.toString('utf8', 0, bytesRead), end: start + bytesRead };
  } finally {
    await file.close();
  }
}

interface LogLine {
  readonly level: (typeof LEVELS)[number];
  /** Milliseconds since 1970. */
  readonly time: number;
  readonly message: string;
  readonly fields: Readonly<Record<string, unknown>>;
}

const NUMBERS: Readonly<Record<number, LogLine['level']>> = {
  20: 'debug',
  30: 'info',
  40: 'warn',
  50: 'error',
};

/** A line of the daemon; undefined for anything else, such as the trace of a crash. */
export function parseLogLine(line: string): LogLine | undefined {
  try {
    const { level, time, msg, ...fields } = JSON.parse(line) as Record<string, unknown>;
    const known = NUMBERS[level as number];
    if (known === undefined || typeof time !== 'number' || typeof msg !== 'string')
      return undefined;
    return { level: known, time, message: msg, fields };
  } catch {
    return undefined;
  }
}

/** What is no line of the daemon itself is always wanted: it tells that something went wrong. */
function isWanted(line: string, { level }: LogsOptions): boolean {
  if (line === '') return false;
  const parsed = parseLogLine(line);
  return parsed === undefined || LEVELS.indexOf(parsed.level) >= LEVELS.indexOf(level);
}

const STYLES = { debug: 'dim', info: 'green', warn: 'yellow', error: 'red' } as const;

function tell(line: string, { json }: LogsOptions): void {
  const parsed = parseLogLine(line);
  if (json) printJson(parsed ?? { message: line });
  else print(parsed === undefined ? oneLine(line) : logText(parsed));
}

export function logText({ level, time, message, fields }: LogLine): string {
  const shown = Object.entries(fields).map(([name, value]) => {
    const text = typeof value === 'string' ? value : JSON.stringify(value);
    return `${coloured('dim', `${name}=`)}${oneLine(text)}`;
  });
  const label = coloured(STYLES[level], level.padEnd(5));
  return [`${clockText(time)}  ${label}`, oneLine(message), ...shown].join('  ');
}
