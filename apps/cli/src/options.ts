import { type Command, InvalidArgumentError } from 'commander';

export interface JsonOption {
  readonly json?: true;
}

export interface StateOption {
  readonly state?: string;
}

export type DaemonOptions = JsonOption & StateOption;

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

/** The same for a command that talks to a daemon. */
export const addDaemonCommand = (parent: Command, spelled: Spelled): Command =>
  addCommand(parent, spelled).option(
    '--state <dir>',
    "the daemon's state directory ($STARLING_STATE, or ~/.starling)",
  );

/** Parser of an option that takes a whole number. */
export const wholeNumber =
  (least: number, most = Number.MAX_SAFE_INTEGER) =>
  (text: string): number => {
    const value = Number(text);
    if (/^\d+$/.test(text) && value >= least && value <= most) return value;
    const range = most === Number.MAX_SAFE_INTEGER ? `from ${least}` : `from ${least} to ${most}`;
    throw new InvalidArgumentError(`expected a whole number ${range}`);
  };

/** Parser of an option that takes a part of the whole. */
export function fraction(text: string): number {
  const value = Number(text);
  if (text.trim() !== '' && value >= 0 && value <= 1) return value;
  throw new InvalidArgumentError('expected a number from 0 to 1');
}

/** Parser of an option that takes one of a few words. */
export const oneOfWords =
  <const W extends readonly string[]>(words: W) =>
  (text: string): W[number] => {
    const found = words.find((word) => word === text);
    if (found !== undefined) return found;
    throw new InvalidArgumentError(`expected ${words.join(' or ')}`);
  };
