import type { Argument, Command, Option } from 'commander';

/** What can stand where the cursor is. */
export type Place =
  | { readonly kind: 'option'; readonly command: Command; readonly used: ReadonlySet<string> }
  | {
      readonly kind: 'value';
      readonly command: Command;
      readonly of: Option | Argument;
      /** What goes before the value in the same word: `--role=`. */
      readonly before: string;
    }
  | {
      readonly kind: 'word';
      readonly command: Command;
      /** Undefined where no argument can follow. */
      readonly argument: Argument | undefined;
      /** A name of a subcommand may still follow. */
      readonly isFirst: boolean;
    };

export interface Line {
  readonly place: Place;
  /** The beginning of the word at the cursor. */
  readonly current: string;
  /** Values of options before it, by their long names without hyphens. */
  readonly options: ReadonlyMap<string, string>;
  readonly positionals: readonly string[];
}

/**
 * Reads a line as far as the cursor.
 * @param words what follows `starling`, the last one being the one that is typed
 */
export function readLine(program: Command, words: readonly string[]): Line {
  const before = words.slice(0, -1);
  const current = words.at(-1) ?? '';
  const options = new Map<string, string>();
  const used = new Set<string>();
  let command = program;
  let positionals: string[] = [];
  let open: Option | undefined;
  for (const word of before) {
    const [name, value] = splitOption(word);
    const option = word.startsWith('-') ? optionOf(command, name) : undefined;
    if (option !== undefined) {
      used.add(option.long ?? name);
      if (value !== undefined) options.set(option.name(), value);
      open = value === undefined && takesValue(option) ? option : undefined;
    } else if (open !== undefined) {
      options.set(open.name(), word);
      if (!open.variadic) open = undefined;
    } else {
      const below = positionals.length === 0 ? commandOf(command, word) : undefined;
      command = below ?? command;
      positionals = below === undefined ? [...positionals, word] : [];
    }
  }
  const found = { command, positionals, open, used, current };
  return { place: placeOf(found), current, options, positionals };
}

interface Found {
  readonly command: Command;
  readonly positionals: readonly string[];
  readonly open: Option | undefined;
  readonly used: ReadonlySet<string>;
  readonly current: string;
}

function placeOf({ command, positionals, open, used, current }: Found): Place {
  const [name, value] = splitOption(current);
  if (value !== undefined) {
    const option = optionOf(command, name);
    if (option !== undefined) return { kind: 'value', command, of: option, before: `${name}=` };
  }
  if (current.startsWith('-')) return { kind: 'option', command, used };
  if (open !== undefined) return { kind: 'value', command, of: open, before: '' };
  const known = command.registeredArguments;
  const last = known.at(-1);
  const argument = known[positionals.length] ?? (last?.variadic ? last : undefined);
  return { kind: 'word', command, argument, isFirst: positionals.length === 0 };
}

/** `--role=admin` as its two parts. */
function splitOption(word: string): readonly [name: string, value: string | undefined] {
  const at = word.startsWith('--') ? word.indexOf('=') : -1;
  return at === -1 ? [word, undefined] : [word.slice(0, at), word.slice(at + 1)];
}

const optionOf = (command: Command, name: string): Option | undefined =>
  command.options.find(({ short, long }) => short === name || long === name);

const takesValue = ({ required, optional }: Option): boolean => required || optional;

const commandOf = (command: Command, name: string): Command | undefined =>
  command.commands.find((each) => each.name() === name);
