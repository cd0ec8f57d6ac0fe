import type { VouchView } from '@starling/control';
import type { Command } from 'commander';
import { addDaemonCommand, type DaemonOptions, timeFromNow } from '../options.ts';
import { note, print, printJson, printTable } from '../output.ts';
import type { Column } from '../table.ts';

const YEAR_MS = 365 * 86_400_000;

interface VouchOptions extends DaemonOptions {
  /** Seconds since 1970. */
  readonly until?: number;
  readonly withdraw?: true;
}

export function registerVouch(swarm: Command): void {
  addDaemonCommand(swarm, {
    usage: 'vouch <peer>',
    summary: 'tell the swarm that you vouch for a peer, or no more; owners say whose word counts',
    examples: [
      'swarm vouch 12D3KooW… --until 26w',
      'swarm vouch 12D3KooW… --until 2027-06-30',
      'swarm vouch 12D3KooW… --withdraw',
    ],
  })
    .option('--until <time>', 'a date, or a duration from now such as 26w (52w)', timeFromNow)
    .option('--withdraw', 'take it back')
    .action(async (peer: string, { until, withdraw, ...options }: VouchOptions) => {
      const { clientOf } = await import('../client.ts');
      const end = until ?? Math.floor((Date.now() + YEAR_MS) / 1000);
      const view = await clientOf(options).swarm.vouch({ peer, until: withdraw ? null : end });
      if (options.json) return printJson(view);
      if (view.until === null) return print(`no longer vouching for ${view.peer}`);
      print(`vouching for ${view.peer} until ${view.until}`);
      note('It counts with owners that have this peer in policy.vouching.voters');
    });
}

const COLUMNS: readonly Column<VouchView>[] = [
  { title: 'PEER', value: ({ peer }) => peer },
  { title: 'BY', value: ({ by }) => by },
  { title: 'UNTIL', value: ({ until }) => until ?? '' },
  { title: 'STANDING', value: ({ standing }) => standing },
  { title: 'COUNTS HERE', value: ({ counts }) => (counts ? 'yes' : 'no') },
];

export function registerVouches(swarm: Command): void {
  addDaemonCommand(swarm, {
    usage: 'vouches',
    summary: "list your voters' vouches, those about this peer, and its own",
    examples: ['swarm vouches', 'swarm vouches --json'],
  }).action(async (options: DaemonOptions) => {
    const { clientOf } = await import('../client.ts');
    const vouches = await clientOf(options).swarm.vouches();
    if (options.json) printJson({ vouches });
    else printTable(COLUMNS, vouches);
  });
}
