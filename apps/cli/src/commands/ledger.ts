import type { LedgerView } from '@starling/control';
import { type Command, InvalidArgumentError } from 'commander';
import { addDaemonCommand, type DaemonOptions } from '../options.ts';
import { note, print, printJson, printTable } from '../output.ts';
import type { Column } from '../table.ts';

/** Parser of `250 cent`. */
export function moneyOf(text: string): { readonly amount: number; readonly unit: string } {
  const [, amount, unit] = /^(\d{1,10}) ?([a-z0-9][a-z0-9._-]*)$/.exec(text) ?? [];
  if (unit !== undefined && Number(amount) < 2 ** 32) return { amount: Number(amount), unit };
  throw new InvalidArgumentError('expected a whole number and what it counts, as "250 cent"');
}

export function registerLedger(program: Command): void {
  const ledger = addDaemonCommand(program, {
    usage: 'ledger',
    summary: 'what this peer and others owe each other for models, and why',
    examples: ['ledger', 'ledger --json'],
  });
  ledger.action(async (options: DaemonOptions) => {
    const { clientOf } = await import('../client.ts');
    const view = await clientOf(options).offers.ledger();
    if (options.json) return printJson(view);
    show(view);
  });
  registerAcquit(ledger);
}

interface AcquitOptions extends DaemonOptions {
  readonly note?: string;
}

function registerAcquit(ledger: Command): void {
  addDaemonCommand(ledger, {
    usage: 'acquit <peer> <amount>',
    summary: 'say that a peer has paid what it owed here; it is told, now or later',
    examples: ['ledger acquit 12D3KooW… "250 cent" --note "bank transfer 17"'],
  })
    .option('--note <text>', 'how it was paid')
    .action(async (peer: string, amount: string, _: unknown, command: Command) => {
      const options = command.optsWithGlobals<AcquitOptions>();
      const { clientOf } = await import('../client.ts');
      const wanted = { peer, ...moneyOf(amount), ...(options.note && { note: options.note }) };
      const view = await clientOf(options).offers.acquit(wanted);
      if (options.json) return printJson(view);
      show(view);
    });
}

type Balance = LedgerView['balances'][number];
type Entry = LedgerView['entries'][number];

const BALANCES: readonly Column<Balance>[] = [
  { title: 'ACCOUNT', value: ({ account }) => account, flexible: true },
  { title: 'BALANCE', value: ({ amount }) => String(amount), align: 'right' },
  { title: 'UNIT', value: ({ unit }) => unit },
];
const ENTRIES: readonly Column<Entry>[] = [
  { title: 'WHEN', value: ({ at }) => at },
  { title: 'WHAT', value: ({ memo }) => memo, flexible: true },
  { title: 'TO', value: ({ postings }) => accountOf(postings, 1) },
  { title: 'FROM', value: ({ postings }) => accountOf(postings, -1) },
  { title: 'AMOUNT', value: ({ postings }) => amountOf(postings), align: 'right' },
];

const accountOf = (postings: Entry['postings'], sign: number): string =>
  postings.find(({ amount }) => Math.sign(amount) === sign)?.account ?? '';
const amountOf = (postings: Entry['postings']): string => {
  const debit = postings.find(({ amount }) => amount > 0);
  return debit === undefined ? '0' : `${debit.amount} ${debit.unit}`;
};

function show({ balances, entries, pending }: LedgerView): void {
  if (entries.length === 0 && pending.length === 0) {
    note('nothing has been bought or sold');
    return;
  }
  printTable(BALANCES, balances);
  print('');
  printTable(ENTRIES, entries);
  for (const { to, amount, unit, at } of pending) {
    note(`an IOU of ${amount} ${unit} to ${to}, of ${at}, has no answer: buy again to find out`);
  }
}
