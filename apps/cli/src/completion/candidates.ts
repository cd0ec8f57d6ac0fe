import { Argument, type Command, Option } from 'commander';
import { wordsFor } from '../options.ts';
import { commandAt, shownCommands, shownOptions } from '../reference/tree.ts';
import { type Line, type Place, readLine } from './line.ts';

export interface Candidate {
  readonly value: string;
  readonly summary: string;
}

/** What the shell itself completes beside the candidates. */
export type Files = 'files' | 'directories' | 'none';

export interface Completion {
  readonly candidates: readonly Candidate[];
  readonly files: Files;
}

/** Kinds of names that a running daemon knows. */
export type NameKind = 'job' | 'peer' | 'data' | 'network' | 'card';

/** @param options of the line so far: they say which daemon */
export type Names = (
  kind: NameKind,
  options: ReadonlyMap<string, string>,
) => Promise<readonly Candidate[]>;

/**
 * What can stand at the end of a line.
 * @param words what follows `starling`, the last one being the one that is typed
 */
export async function complete(
  program: Command,
  words: readonly string[],
  names: Names,
): Promise<Completion> {
  const line = readLine(program, words);
  const { candidates, files } = await allAt(program, line, names);
  return { candidates: candidates.filter(({ value }) => value.startsWith(line.current)), files };
}

async function allAt(program: Command, line: Line, names: Names): Promise<Completion> {
  const { place } = line;
  switch (place.kind) {
    case 'option':
      return { candidates: optionsOf(place), files: 'none' };
    case 'value': {
      const { candidates, files } = await valuesOf(place, line, names);
      const whole = candidates.map(({ value, summary }) => ({
        ...{ value: `${place.before}${value}`, summary },
      }));
      return { candidates: whole, files };
    }
    case 'word': {
      const { command, argument, isFirst } = place;
      if (command.name() === 'help') return { candidates: helpOf(program, line), files: 'none' };
      const below = isFirst ? commandsOf(command) : [];
      if (argument === undefined) return { candidates: below, files: 'none' };
      const own = await valuesOf({ command, of: argument }, line, names);
      return { candidates: [...below, ...own.candidates], files: own.files };
    }
  }
}

const commandsOf = (command: Command): readonly Candidate[] =>
  shownCommands(command).map((each) => ({ value: each.name(), summary: each.description() }));

const helpOf = (program: Command, { positionals }: Line): readonly Candidate[] =>
  commandsOf(commandAt(program, positionals));

/** Each once, but those that may be there several times. */
const optionsOf = ({ command, used }: Extract<Place, { kind: 'option' }>): readonly Candidate[] =>
  shownOptions(command).flatMap(({ long, description, variadic }) =>
    long === undefined || long === null || (used.has(long) && !variadic)
      ? []
      : [{ value: long, summary: description }],
  );

interface ValuePlace {
  readonly command: Command;
  readonly of: Option | Argument;
}

async function valuesOf({ command, of }: ValuePlace, { options }: Line, names: Names) {
  const words = wordsFor(of);
  if (words !== undefined) {
    return { candidates: words.map((value) => ({ value, summary: '' })), files: 'none' as const };
  }
  const kind = kindOf(of, command);
  return {
    candidates: kind === undefined ? [] : await names(kind, options),
    files: filesOf(of, command),
  };
}

/** What stands in the brackets of `<job>` or `--trust <peer...>`. */
export const placeholderOf = (of: Option | Argument): string =>
  of instanceof Argument ? of.name() : (/[<[]([^\]>]+?)(?:\.\.\.)?[\]>]/.exec(of.flags)?.[1] ?? '');

function kindOf(of: Option | Argument, command: Command): NameKind | undefined {
  const placeholder = placeholderOf(of);
  if (placeholder === 'job' || placeholder === 'peer' || placeholder === 'card') return placeholder;
  if (placeholder === 'job-or-file') return 'job';
  if (of instanceof Option) {
    if (of.long === '--job') return 'job';
    if (of.long === '--admin') return 'peer';
    if (of.long === '--network') return 'network';
    return of.long === '--data' && placeholder === 'name' ? 'data' : undefined;
  }
  const isKnownData = command.name() === 'remove' && command.parent?.name() === 'data';
  return isKnownData ? 'data' : undefined;
}

const FILES: ReadonlySet<string> = new Set(['file', 'path', 'job-file', 'job-or-file', 'model']);

function filesOf(of: Option | Argument, command: Command): Files {
  const placeholder = placeholderOf(of);
  if (placeholder === 'dir') return 'directories';
  const isDataOfEval = command.name() === 'eval' && of instanceof Option && of.long === '--data';
  return FILES.has(placeholder) || isDataOfEval ? 'files' : 'none';
}
