import type { CardView, MetricInput, ModelVouch } from '@starling/control';
import { type Command, InvalidArgumentError } from 'commander';
import { addDaemonCommand, type DaemonOptions } from '../options.ts';
import { note, print, printJson, shortHash } from '../output.ts';
import { metricOf } from './model-publish.ts';

interface VouchOptions extends DaemonOptions {
  readonly held?: true;
  readonly verified?: true;
  readonly metric?: MetricInput;
  readonly withdraw?: true;
  readonly on?: string;
  readonly note: string;
}

export function registerVouchForModel(model: Command): void {
  addDaemonCommand(model, {
    usage: 'vouch <card>',
    summary: 'say of another peer’s model that you have it, checked it, or measured it',
    examples: [
      'model vouch digits --verified',
      'model vouch digits --metric accuracy=0.96 --on "our own scans"',
      'model vouch digits --withdraw',
    ],
  })
    .option('--held', 'you have it, and hand it out')
    .option('--verified', 'you checked the whole chain that it comes from')
    .option('--metric <name=value>', 'you measured this number', metricOf)
    .option('--on <text>', 'on what data you measured it')
    .option('--withdraw', 'take back what you said')
    .option('--note <text>', 'what else there is to say', '')
    .action(async (card: string, options: VouchOptions) => {
      const { clientOf } = await import('../client.ts');
      const wanted = wordOf(options);
      const view = await clientOf(options).models.vouch(card, wanted);
      if (options.json) return printJson(view);
      const taken = wanted.what === 'withdrawn';
      print(taken ? `no longer vouching for ${titleOf(view)}` : `vouching for ${titleOf(view)}`);
      if (!taken) note('It replaces what you said of this card before');
    });
}

const titleOf = ({ name, version, id }: CardView): string =>
  `${name}@${version} (${shortHash(id)})`;

function wordOf({ held, verified, metric, withdraw, on, note }: VouchOptions): ModelVouch {
  const said: readonly (ModelVouch | undefined)[] = [
    held && { what: 'held', note },
    verified && { what: 'verified', note },
    metric && { what: 'evaluated', metric: { ...metric, on: on ?? '' }, note },
    withdraw && { what: 'withdrawn' },
  ];
  const given = said.filter((each) => each !== undefined);
  if (given.length === 1) return given[0]!;
  const words = '--held, --verified, --metric NAME=VALUE or --withdraw';
  throw new InvalidArgumentError(`say one of ${words}`);
}

interface DeprecateOptions extends DaemonOptions {
  readonly reason: string;
  readonly successor?: string;
}

export function registerDeprecate(model: Command): void {
  addDaemonCommand(model, {
    usage: 'deprecate <card>',
    summary: 'tell everybody to use a model of yours no more; never taken back',
    examples: ['model deprecate digits@1 --reason "labels were wrong" --successor digits@2'],
  })
    .option('--reason <text>', 'why', '')
    .option('--successor <card>', 'the card to use in its place')
    .action(async (card: string, { reason, successor, ...options }: DeprecateOptions) => {
      const { clientOf } = await import('../client.ts');
      const wanted = { reason, successor: successor ?? null };
      const view = await clientOf(options).models.deprecate(card, wanted);
      if (options.json) return printJson(view);
      print(`deprecated ${titleOf(view)}`);
      note('Who has it keeps it; a search shows it last, with your reason');
    });
}
