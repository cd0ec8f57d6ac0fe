import type { Command } from 'commander';
import { addDaemonCommand, type DaemonOptions } from '../options.ts';
import { print, printJson, shortHash } from '../output.ts';
import { oneLine } from '../table.ts';

export function registerCancel(program: Command): void {
  addDaemonCommand(program, {
    usage: 'cancel <job>',
    summary: 'call off a job that this node launched: every peer stops training it',
    examples: ['cancel mnist-mlp', 'cancel 3f9a --json'],
  }).action(async (job: string, options: DaemonOptions) => {
    const { clientOf } = await import('../client.ts');
    const view = await clientOf(options).cancel(job);
    if (options.json) return printJson(view);
    const { name, id, rounds, roundsWanted } = view;
    const kept = `${rounds.length} of ${roundsWanted} rounds are certified and stay`;
    print(`cancelled ${oneLine(name)} (${shortHash(id)}): ${kept}`);
  });
}
