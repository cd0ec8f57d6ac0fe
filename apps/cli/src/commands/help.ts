import type { Command } from 'commander';
import { addCommand, type JsonOption } from '../options.ts';
import { printJson } from '../output.ts';
import { commandAt, describe } from '../reference/tree.ts';

export function registerHelp(program: Command): void {
  program.helpCommand(false);
  addCommand(program, {
    usage: 'help [command...]',
    summary: 'explain a command, as its --help does',
    examples: ['help', 'help data add', 'help watch --json'],
  }).action((names: readonly string[], { json }: JsonOption) => {
    const command = commandAt(program, names);
    if (json) printJson(describe(command));
    else command.outputHelp();
  });
}
