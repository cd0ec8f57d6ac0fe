import type { PolicyView } from '@starling/control';
import type { Command } from 'commander';
import { addDaemonCommand, type DaemonOptions } from '../options.ts';
import { plural, print, printFacts, printJson } from '../output.ts';

export function registerPolicy(program: Command): void {
  const policy = program.command('policy').description('what this machine takes part in');
  addDaemonCommand(policy, {
    usage: 'show',
    summary: 'show the policy in force, and which of it was set by `policy set`',
    examples: ['policy show', 'policy show --json'],
  }).action(async (options: DaemonOptions) => {
    const { clientOf } = await import('../client.ts');
    show(await clientOf(options).policy(), options);
  });
  addDaemonCommand(policy, {
    usage: 'set <key> <value>',
    summary: 'set a key, in force at once and before the configuration; default goes back to it',
    examples: [
      'policy set minPeers 5',
      'policy set trust 12D3KooW…,12D3KooW…',
      "policy set privacyBudget.scans '{epsilon: 8, delta: 0.00001}'",
      'policy set worseMax default',
    ],
  })
    .addHelpText('after', `\n${KEYS}`)
    .action(async (key: string, value: string, options: DaemonOptions) => {
      const { clientOf } = await import('../client.ts');
      const { changeOf } = await import('../policy-words.ts');
      const client = clientOf(options);
      show(await client.changePolicy(changeOf(key, value, await client.policy())), options);
    });
}

const KEYS = `Keys:
  trust             launchers whose jobs start without asking, with commas, or none
  minPeers          fewest updates in a sum with its own
  company           peers of whom some must be in a sum with it, with commas, or none
  minCompany        how many of them
  worseMax          how many times larger the loss of a new model may be
  privacyBudget.NAME  what a data set may give away in all: {epsilon: 8, delta: 0.00001}
  exampleNoise.NAME   noise that hides its examples: {noiseMultiplier: 1, clippingNorm: 1}`;

function show(view: PolicyView, { json }: DaemonOptions): void {
  if (json) {
    printJson(view);
    return;
  }
  const mark = (key: PolicyView['set'][number]) => (view.set.includes(key) ? '  (set)' : '');
  const peers = (list: readonly string[]) => (list.length === 0 ? 'none' : list.join(', '));
  const { trust, minPeers, company, minCompany, worseMax, members, vouching } = view;
  printFacts([
    ['trust', `${peers(trust)}${mark('trust')}`],
    ['minPeers', `${minPeers}${mark('minPeers')}`],
    ['company', `${peers(company)}${mark('company')}`],
    ['minCompany', `${minCompany}${mark('minCompany')}`],
    ['worseMax', `${worseMax ?? 'any'}${mark('worseMax')}`],
    ['members', members.length === 0 ? 'all that the swarm lets in' : peers(members)],
    ['vouching', vouchingText(vouching)],
  ]);
  showByData('privacyBudget', view, mark('privacyBudget'));
  showByData('exampleNoise', view, mark('exampleNoise'));
}

const vouchingText = ({ voters, least }: PolicyView['vouching']): string =>
  voters.length === 0 ? 'none' : `${least} of ${plural(voters.length, 'voter')}`;

function showByData(key: 'privacyBudget' | 'exampleNoise', view: PolicyView, mark: string): void {
  for (const [name, numbers] of Object.entries(view[key])) {
    const shown = Object.entries(numbers).map(([each, value]) => `${each} ${value}`);
    print(`${key}.${name}: ${shown.join(', ')}${mark}`);
  }
}
