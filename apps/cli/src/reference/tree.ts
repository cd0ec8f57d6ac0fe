import type { Command } from 'commander';
import { wordsFor } from '../options.ts';
import { refuseUnknown } from '../suggest.ts';

export interface ParameterEntry {
  readonly name: string;
  readonly summary: string;
  /** The words it takes; null where it takes others, too. */
  readonly values: readonly string[] | null;
}

/** A command as its reference has it. */
export interface CommandEntry {
  /** As `starling data add`. */
  readonly path: string;
  readonly summary: string;
  readonly usage: string;
  readonly arguments: readonly ParameterEntry[];
  readonly options: readonly ParameterEntry[];
  /** Examples, and what else its help ends with. */
  readonly more: string;
  readonly commands: readonly CommandEntry[];
}

export function describe(command: Command): CommandEntry {
  return {
    path: pathOf(command),
    summary: command.description(),
    usage: `${pathOf(command)} ${command.usage()}`,
    arguments: command.registeredArguments.map((argument) => ({
      ...{ name: argument.name(), summary: argument.description },
      values: wordsFor(argument) ?? null,
    })),
    options: shownOptions(command).map((option) => ({
      ...{ name: option.flags, summary: withDefault(option.description, option.defaultValue) },
      values: wordsFor(option) ?? null,
    })),
    more: moreOf(command),
    commands: shownCommands(command).map(describe),
  };
}

export const shownCommands = (command: Command): readonly Command[] =>
  command.createHelp().visibleCommands(command);

export const shownOptions = (command: Command) => command.createHelp().visibleOptions(command);

/** `starling` and the names down to this command. */
export function pathOf(command: Command): string {
  const above = command.parent === null ? '' : `${pathOf(command.parent)} `;
  return `${above}${command.name()}`;
}

/** The command at the end of a path of names. */
export function commandAt(program: Command, names: readonly string[]): Command {
  return names.reduce<Command>((command, name) => {
    const found = command.commands.find((each) => each.name() === name);
    return found ?? refuseUnknown(command, name);
  }, program);
}

/** Help is only to be had written out. */
export function helpOf(command: Command): string {
  let text = '';
  const output = command.configureOutput();
  command.configureOutput({
    writeOut: (part) => {
      text += part;
    },
  });
  command.outputHelp();
  command.configureOutput(output);
  return text;
}

const moreOf = (command: Command): string =>
  helpOf(command).slice(command.helpInformation().length).trim();

/** What stands in brackets at the end of a summary is the default already. */
function withDefault(summary: string, value: unknown): string {
  const isTold = value === undefined || value === false || Array.isArray(value);
  return isTold ? summary : `${summary} (${String(value)})`;
}
