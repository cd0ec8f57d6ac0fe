import { type Command, InvalidArgumentError } from 'commander';

export interface JsonOption {
  readonly json?: true;
}

export interface StateOption {
  readonly state?: string;
}

/** A daemon that is reached over TCP, maybe on another machine. */
export interface RemoteOptions {
  readonly api?: string;
  readonly tokenFile?: string;
  readonly ca?: string;
}

export type DaemonOptions = JsonOption & StateOption & RemoteOptions;

interface Spelled {
  /** Name and arguments, as `data` or `add <name> <path>`. */
  readonly usage: string;
  readonly summary: string;
  /** What follows `starling`. */
  readonly examples: readonly string[];
}

/** A command with what all have in common: `--json`, and examples in its help. */
export function addCommand(parent: Command, { usage, summary, examples }: Spelled): Command {
  const shown = examples.map((example) => `  $ starling ${example}`).join('\n');
  return parent
    .command(usage)
    .description(summary)
    .option('--json', 'print JSON on standard output')
    .addHelpText('after', `\n${examples.length === 1 ? 'Example' : 'Examples'}:\n${shown}`);
}

/** The same for a command that works in a daemon's state directory. */
export const addLocalCommand = (parent: Command, spelled: Spelled): Command =>
  addCommand(parent, spelled).option(
    '--state <dir>',
    "the daemon's state directory ($STARLING_STATE, or ~/.starling)",
  );

/** The same for a command that talks to a daemon, here or elsewhere. */
export const addDaemonCommand = (parent: Command, spelled: Spelled): Command =>
  addLocalCommand(parent, spelled)
    .option('--api <url>', 'a daemon elsewhere, as https://ward7.example:7380 ($STARLING_API)')
    .option('--token-file <file>', "a copy of that daemon's api-token ($STARLING_TOKEN_FILE)")
    .option('--ca <file>', 'PEM of the authority of its certificate ($STARLING_CA)');

/** Parser of an option that takes a whole number. */
export const wholeNumber =
  (least: number, most = Number.MAX_SAFE_INTEGER) =>
  (text: string): number => {
    const value = Number(text);
    if (/^\d+$/.test(text) && value >= least && value <= most) return value;
    const range = most === Number.MAX_SAFE_INTEGER ? `from ${least}` : `from ${least} to ${most}`;
    throw new InvalidArgumentError(`expected a whole number ${range}`);
  };

const SECONDS: Readonly<Record<string, number>> = {
  s: 1,
  min: 60,
  h: 3_600,
  d: 86_400,
  w: 7 * 86_400,
};

/** Parser of an option that takes a duration; in seconds. */
export function duration(text: string): number {
  const [, count, unit] = /^(\d{1,6}) ?(s|min|h|d|w)$/.exec(text) ?? [];
  const seconds = Number(count) * (SECONDS[unit ?? ''] ?? Number.NaN);
  if (seconds > 0) return seconds;
  throw new InvalidArgumentError('expected a duration such as 90s, 30min, 12h, 7d or 4w');
}

/** Parser of a time to come: a date in UTC, or a duration from now; in seconds since 1970. */
export function timeFromNow(text: string): number {
  const isDate = /^\d{4}-\d\d-\d\d(T\d\d:\d\d(:\d\d)?Z)?$/.test(text);
  if (!isDate) return Math.floor(Date.now() / 1000) + duration(text);
  const seconds = Date.parse(text) / 1000;
  if (seconds > Date.now() / 1000) return seconds;
  throw new InvalidArgumentError('expected a date to come, as 2027-06-30, or a duration, as 26w');
}

/** Parser of "k-of-n", as 2-of-3. */
export function kOfN(text: string): { readonly k: number; readonly n: number } {
  const [, first, second] = /^(\d{1,2})-of-(\d{1,2})$/.exec(text) ?? [];
  const [k, n] = [Number(first), Number(second)];
  if (k >= 1 && k <= n && n <= 16) return { k, n };
  throw new InvalidArgumentError('expected k-of-n, as 2-of-3, with at most 16 admins');
}

/** Parser of an option that takes a part of the whole. */
export function fraction(text: string): number {
  const value = Number(text);
  if (text.trim() !== '' && value >= 0 && value <= 1) return value;
  throw new InvalidArgumentError('expected a number from 0 to 1');
}

/** Words that a parser takes, for whoever completes them. */
const WORDS = new WeakMap<object, readonly string[]>();

/** Parser of an option that takes one of a few words. */
export const oneOfWords = <const W extends readonly string[]>(words: W) =>
  takingWords(words, (text: string): W[number] => {
    const found = words.find((word) => word === text);
    if (found !== undefined) return found;
    throw new InvalidArgumentError(`expected ${words.join(' or ')}`);
  });

/** A parser of its own that takes these words only. */
export function takingWords<P extends object>(words: readonly string[], parse: P): P {
  WORDS.set(parse, words);
  return parse;
}

/** The words that an option or an argument takes; undefined where it takes others, too. */
export const wordsFor = ({ parseArg }: { readonly parseArg?: unknown }) =>
  typeof parseArg === 'function' ? WORDS.get(parseArg) : undefined;
