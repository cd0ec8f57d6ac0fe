import { existsSync } from 'node:fs';
import type { OfferInput, TokenView } from '@starling/control';
import { type Command, InvalidArgumentError } from 'commander';
import { readInput } from '../files.ts';
import { addDaemonCommand, type DaemonOptions, duration, timeFromNow } from '../options.ts';
import { note, plural, print, printJson, printTable, shortHash } from '../output.ts';
import type { Column } from '../table.ts';
import { moneyOf } from './ledger.ts';

/** Commands about restricted models: who may have them, and what for. */
export function registerOffers(model: Command): void {
  registerOffer(model);
  registerBuy(model);
  registerGrant(model);
  registerTokens(model);
  registerRevoke(model);
  registerTake(model);
}

interface OfferCommand extends DaemonOptions {
  readonly price?: string;
  readonly licence?: string;
  readonly holds?: number;
  readonly until?: number;
  readonly note?: string;
  readonly withdraw?: true;
}

function registerOffer(model: Command): void {
  addDaemonCommand(model, {
    usage: 'offer <card>',
    summary: 'say on which terms others get a restricted model of yours',
    examples: [
      'model offer digits --price "250 cent" --licence CC-BY-NC-4.0 --holds 52w --until 2027-06-30',
      'model offer digits --price "0 cent" --until 26w',
      'model offer digits --withdraw',
    ],
  })
    .option('--price <amount>', 'a whole number and what it counts, as "250 cent"; 0 for a gift')
    .option('--licence <spdx>', 'that comes with it')
    .option('--holds <time>', 'how long a token opens the model, as 52w', duration)
    .option('--until <date>', 'how long the offer stands: a date, or a time as 26w', timeFromNow)
    .option('--note <text>', 'what else a buyer should know')
    .option('--withdraw', 'offer it no more; tokens stay')
    .action(async (card: string, options: OfferCommand) => {
      const { clientOf } = await import('../client.ts');
      const view = await clientOf(options).offers.offer(card, termsOf(options));
      if (options.json) return printJson(view);
      const { offer } = view;
      print(offer === null ? 'withdrawn' : `offered for ${offer.amount} ${offer.unit}`);
    });
}

function termsOf({ price, licence, holds, until, note: text, withdraw }: OfferCommand): OfferInput {
  if (withdraw) return { amount: 0, unit: 'none', until: 0 };
  if (price === undefined || until === undefined) {
    throw new InvalidArgumentError('an offer needs --price and --until, or --withdraw');
  }
  const said = Object.entries({ licence, seconds: holds, note: text });
  const given = Object.fromEntries(said.filter(([, value]) => value !== undefined));
  return { ...moneyOf(price), until, ...given };
}

function registerBuy(model: Command): void {
  addDaemonCommand(model, {
    usage: 'buy <card>',
    summary: 'get a token for a restricted model under its offer: by an IOU, or a receipt',
    examples: ['model buy digits', 'model buy digits --receipt transfer-4711'],
  })
    .option('--receipt <text>', 'names a payment made elsewhere, for the seller to look at')
    .action(async (card: string, options: DaemonOptions & { readonly receipt?: string }) => {
      const { clientOf } = await import('../client.ts');
      const token = await clientOf(options).offers.buy(card, options.receipt);
      if (options.json) return printJson(token);
      print(`token ${token.serial}, until ${token.expires}`);
      note(`Get the model with \`starling model fetch ${card} -o model.onnx\``);
    });
}

function registerGrant(model: Command): void {
  addDaemonCommand(model, {
    usage: 'grant <card> <peer>',
    summary: 'give a peer a token for a restricted model of yours',
    examples: ['model grant digits 12D3KooW… --holds 4w'],
  })
    .option('--holds <time>', 'how long it opens the model (a year)', duration)
    .action(async (card: string, holder: string, options: DaemonOptions & { holds?: number }) => {
      const { clientOf } = await import('../client.ts');
      const { holds } = options;
      const wanted = { holder, ...(holds !== undefined && { seconds: holds }) };
      const token = await clientOf(options).offers.grant(card, wanted);
      if (options.json) return printJson(token);
      print(token.token);
      note(`Sent, if ${holder} can be reached; else it takes this with \`starling model take\``);
    });
}

function registerTake(model: Command): void {
  addDaemonCommand(model, {
    usage: 'take <token>',
    summary: 'take a token that came by another way: its text, or a file with it',
    examples: ['model take token.txt'],
  }).action(async (given: string, options: DaemonOptions) => {
    const { clientOf } = await import('../client.ts');
    const isFile = existsSync(given);
    const text = isFile ? new TextDecoder().decode(await readInput('token', given)) : given;
    const token = await clientOf(options).offers.take(text.trim());
    if (options.json) return printJson(token);
    print(`token ${token.serial} for card ${shortHash(token.card)}, until ${token.expires}`);
  });
}

const TOKENS: readonly Column<TokenView>[] = [
  { title: 'SERIAL', value: ({ serial }) => serial },
  { title: 'HOLDER', value: ({ holder }) => holder, flexible: true },
  { title: 'ISSUED', value: ({ issued }) => issued },
  { title: 'EXPIRES', value: ({ expires }) => expires },
  { title: 'STANDS', value: ({ revoked }) => (revoked ? 'revoked' : 'holds') },
];

function registerTokens(model: Command): void {
  addDaemonCommand(model, {
    usage: 'tokens <card>',
    summary: 'list the tokens that you gave for a restricted model',
    examples: ['model tokens digits'],
  }).action(async (card: string, options: DaemonOptions) => {
    const { clientOf } = await import('../client.ts');
    const tokens = await clientOf(options).offers.tokens(card);
    if (options.json) return printJson(tokens);
    if (tokens.length === 0) note('no token yet: `starling model grant CARD PEER`');
    else printTable(TOKENS, tokens);
  });
}

function registerRevoke(model: Command): void {
  addDaemonCommand(model, {
    usage: 'revoke <card> <whose...>',
    summary: 'end what tokens open from now on, by serials or peers; who has the model keeps it',
    examples: ['model revoke digits 12D3KooW…'],
  }).action(async (card: string, whose: readonly string[], options: DaemonOptions) => {
    const { clientOf } = await import('../client.ts');
    const { serials } = await clientOf(options).offers.revoke(card, whose);
    if (options.json) return printJson({ serials });
    print(`${plural(serials.length, 'token')} revoked`);
  });
}
