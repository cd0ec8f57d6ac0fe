import type { CardView, FoundModels } from '@starling/control';
import { type Command, InvalidArgumentError } from 'commander';
import { cardFacts, shapeText } from '../card-view.ts';
import { addDaemonCommand, type DaemonOptions, duration, wholeNumber } from '../options.ts';
import {
  bytesText,
  note,
  percent,
  plural,
  print,
  printFacts,
  printJson,
  printTable,
  shortHash,
} from '../output.ts';
import { whileWaiting } from '../progress.ts';
import type { Column } from '../table.ts';

interface SearchOptions extends DaemonOptions {
  readonly tag?: readonly string[];
  readonly task?: string;
  readonly input?: readonly number[];
  readonly here?: true;
  readonly limit: number;
  readonly timeout: number;
}

/** Parser of `1x28x28`; `?` is a dimension of any size. */
function shapeOf(text: string): readonly number[] {
  if (!/^(\d+|\?)(x(\d+|\?)){0,7}$/.test(text)) {
    throw new InvalidArgumentError('expected a shape such as 784, 1x28x28 or 3x?x?');
  }
  return text.split('x').map((size) => (size === '?' ? 0 : Number(size)));
}

export function registerSearch(model: Command): void {
  addDaemonCommand(model, {
    usage: 'search [text...]',
    summary: 'find published models by words, tags, task and input, here and at the other peers',
    examples: [
      'model search digits',
      'model search chest x-ray --task image-classification --input 1x28x28',
      'model search --tag mlp --here --json',
    ],
  })
    .option('--tag <tag...>', 'only those with all of these tags')
    .option('--task <task>', 'only those for this task')
    .option('--input <shape>', 'only those that take examples of this shape', shapeOf)
    .option('--here', 'only what this peer knows: nobody is asked')
    .option('--limit <n>', 'at most so many', wholeNumber(1, 64), 20)
    .option('--timeout <time>', 'how long others are waited for', duration, 5)
    .action(async (words: readonly string[], options: SearchOptions) => {
      const { clientOf } = await import('../client.ts');
      const { tag = [], task = null, input = null, here = false, limit, timeout } = options;
      const query = { text: words.join(' '), tags: [...tag], task, limit, here };
      const wanted = { ...query, input: input && [...input], timeoutSeconds: timeout };
      const work = clientOf(options).models.search(wanted);
      const found = await whileWaiting('searching', work);
      if (options.json) return printJson(found);
      showFound(found, here);
    });
}

type Found = FoundModels['models'][number];

/** What a person should know before anything else. */
function stateText({ card, superseded }: Found): string {
  if (card.deprecated !== null) return 'deprecated';
  return superseded ? 'old version' : '';
}

const accuracyOf = ({ metrics }: CardView): number | null =>
  metrics.find(({ name, certified }) => name === 'accuracy' && certified !== null)?.value ?? null;

const COLUMNS: readonly Column<Found>[] = [
  { title: 'MODEL', value: ({ card }) => `${card.name}@${card.version}` },
  { title: 'CARD', value: ({ card }) => shortHash(card.id) },
  { title: 'TASK', value: ({ card }) => card.task },
  { title: 'INPUT', value: ({ card }) => card.inputs.map(({ shape }) => shapeText(shape)).join() },
  { title: 'SIZE', value: ({ card }) => bytesText(card.model.bytes), align: 'right' },
  { title: 'CERTIFIED', value: ({ card }) => percent(accuracyOf(card)), align: 'right' },
  { title: 'VOUCHES', value: ({ card }) => String(card.vouches.length), align: 'right' },
  { title: 'STATE', value: stateText },
  { title: 'SUMMARY', value: ({ card }) => card.summary, flexible: true },
];

function showFound({ models, asked }: FoundModels, here: boolean): void {
  if (models.length > 0) printTable(COLUMNS, models);
  const silent = asked.filter(({ error }) => error !== null);
  const answered = plural(asked.length - silent.length, 'peer');
  const late = silent.length === 0 ? '' : `, ${silent.length} did not answer`;
  const where = here ? 'only here' : `here and at ${answered}${late}`;
  note(`${models.length === 0 ? 'nothing found' : plural(models.length, 'model')}, ${where}`);
  if (models.length > 0) note('See one whole with `starling model show NAME`');
}

export function registerShow(model: Command): void {
  addDaemonCommand(model, {
    usage: 'show <card>',
    summary: 'a card and what others say of it; by NAME, NAME@VERSION or the beginning of its id',
    examples: ['model show digits', 'model show digits@2 --json', 'model show 3f9a01'],
  }).action(async (card: string, options: DaemonOptions) => {
    const { clientOf } = await import('../client.ts');
    const view = await clientOf(options).models.show(card);
    if (options.json) return printJson(view);
    printFacts(cardFacts(view));
    showVouches(view);
  });
}

const VOUCHES: readonly Column<CardView['vouches'][number]>[] = [
  { title: 'WHO', value: ({ signer }) => signer },
  {
    title: 'SAYS',
    value: ({ what, metric }) =>
      metric === null ? what : `${metric.name} ${metric.value} on ${metric.on || 'its data'}`,
  },
  { title: 'WHEN', value: ({ at }) => at },
  { title: 'NOTE', value: ({ note: text }) => text, flexible: true },
];

function showVouches({ vouches, name }: CardView): void {
  print('');
  if (vouches.length === 0) note(`nobody vouches for ${name}`);
  else {
    printTable(VOUCHES, vouches);
    note('What a vouch is worth depends on who signed it');
  }
}
