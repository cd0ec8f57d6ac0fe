import { fstatSync } from 'node:fs';

/** What pino writes to; with pino's mark it says beforehand how grave each line is. */
export interface LineDestination {
  lastLevel: number;
  write(line: string): void;
}

/** pino sets `lastLevel` on a destination with this mark. */
const METADATA = Symbol.for('pino.metadata');
const STDERR = 2;
/** From pino's levels to those of syslog(3): error, warning, informational, debug. */
const PRIORITIES = [
  [50, 3],
  [40, 4],
  [30, 6],
] as const;
const DEBUG = 7;

/** `<6>` and the like, which journald takes off a line and keeps as its PRIORITY. */
export const priorityOf = (level: number): string =>
  `<${PRIORITIES.find(([least]) => level >= least)?.[1] ?? DEBUG}>`;

/**
 * Whether standard error goes to the journal: systemd names the stream in JOURNAL_STREAM, and a
 * child that has sent it elsewhere still inherits the variable.
 */
export function isJournal(env: NodeJS.ProcessEnv, descriptor = STDERR): boolean {
  const named = env['JOURNAL_STREAM'];
  if (named === undefined) return false;
  const { dev, ino } = fstatSync(descriptor);
  return named === `${dev}:${ino}`;
}

/** Lines with their priority, for the journal. */
export const journalLines = (
  write: (line: string) => void = (line) => void process.stderr.write(line),
): LineDestination => ({
  // Only objects with this key are told the level.
  ...{ [METADATA]: true },
  lastLevel: 0,
  write(line) {
    write(`${priorityOf(this.lastLevel)}${line}`);
  },
});
