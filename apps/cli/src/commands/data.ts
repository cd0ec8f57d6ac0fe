import { resolve } from 'node:path';
import type { ControlClient, DataSetView, Inspect } from '@starling/control';
import { ConfigError } from '@starling/core';
import type { Inspection, Offer, TargetInfo } from '@starling/trainer';
import type { Command } from 'commander';
import { addCommand, addDaemonCommand, type DaemonOptions, type JsonOption } from '../options.ts';
import {
  bytesText,
  decimal,
  note,
  percent,
  plural,
  print,
  printFacts,
  printJson,
  printTable,
} from '../output.ts';
import { ProgressLine } from '../progress.ts';
import type { Column } from '../table.ts';

export function registerData(program: Command): void {
  const data = program.command('data').description('the data sets that this machine offers');
  registerAdd(data);
  registerList(data);
  registerRemove(data);
  registerInspect(data);
}

/** How files are to be read, as words of the command line. */
export interface ReadingOptions {
  readonly label?: string;
  readonly features?: string;
  readonly shape?: string;
  readonly normalise?: string;
  readonly classes?: string;
  readonly text?: string;
  readonly sequence?: string;
  readonly task?: string;
}

const FORMATS = `
Formats, told by the files' names:
  IDX (MNIST's), CSV and TSV, JSON Lines, Parquet, NumPy .npy and .npz, images (PNG, JPEG; one
  folder for each class), plain text. A path is a file, a folder, or s3://bucket/prefix; for
  S3-compatible stores the credentials come from AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY or
  from ~/.aws, the address from AWS_ENDPOINT_URL.`;

export const withReadingOptions = (command: Command): Command =>
  command
    .option('--label <names>', 'column or array of the target, several with commas, or none')
    .option('--features <names>', 'columns or array of the input; * stands for any text')
    .option('--shape <dims>', 'of one example, as 28x28 or 3x32x32; images are resized to it')
    .option('--normalise <how>', 'standard, minmax, none, or scale:FACTOR such as scale:1/255')
    .option('--classes <n>', 'their number or their names in order; 0 for numbers as targets')
    .option('--text <unit>', 'cut text into bytes, chars, chars:ALPHABET_FILE, or TOKENIZER.json')
    .option('--sequence <n>', 'tokens of one example of text')
    .option('--task <task>', "what the data are for (from dataset.json, or the path's name)")
    .addHelpText('after', FORMATS);

/** A path for a process that may have another working directory. */
export const absolute = (path: string): string =>
  /^[a-z0-9]+:\/\//i.test(path) ? path : resolve(path);

/** Files that the words name are named from the root. */
export function wordsOf(options: ReadingOptions): ReadingOptions {
  const { text } = options;
  if (text === undefined) return options;
  if (text.startsWith('chars:')) {
    return { ...options, text: `chars:${resolve(text.slice('chars:'.length))}` };
  }
  return text.endsWith('.json') ? { ...options, text: resolve(text) } : options;
}

function registerAdd(data: Command): void {
  const command = addDaemonCommand(data, {
    usage: 'add <name> <path>',
    summary: 'offer a data set to jobs of its task; the files stay where they are',
    examples: [
      'data add scans ./scans --task mnist',
      'data add prices prices.parquet --label price --classes 0 --normalise standard',
      'data add photos ./photos --shape 3x32x32 --augment flip,crop:4',
      'data add plays plays.txt --text chars --sequence 80',
      'data add lake s3://bucket/images/',
    ],
  });
  withReadingOptions(command)
    .option('--augment <how>', 'change training examples at random: flip, crop:PIXELS, noise:DEV')
    .action(async (name: string, path: string, options: AddOptions) => {
      const trainer = await import('@starling/trainer');
      const { clientOf, isRemote } = await import('../client.ts');
      const client = clientOf(options);
      // Before minutes of reading: is there a daemon to offer the data?
      await client.status();
      const { augment, task } = options;
      const offer = {
        options: trainer.parseDataOptions(wordsOf(options)),
        ...(augment !== undefined && { augment: trainer.parseAugmentation(augment) }),
      };
      const dataset = isRemote(options)
        ? await offeredThere(client, { name, path, ...options })
        : await reading(path, (progress) =>
            trainer.inspectOffer(name, absolute(path), { ...offer, task, progress }),
          );
      const view = await client.addData(dataset);
      if (options.json) return printJson(view);
      print(`${view.name}: ${plural(view.examples, 'example')} for task ${view.task}`);
    });
}

/** A path of another machine is looked at by the daemon there. */
async function offeredThere(client: ControlClient, wanted: Inspect & AddOptions) {
  const { name, path, label, features, shape, normalise, classes, text } = wanted;
  const { sequence, task, augment } = wanted;
  const words = { label, features, shape, normalise, classes, text, sequence, task, augment };
  const { offer, problems } = await client.inspectData({ name, path, ...words });
  if (offer === null) throw new ConfigError('data', problems.join('\n'));
  return offer;
}

type AddOptions = DaemonOptions & ReadingOptions & { readonly augment?: string };

/** Shows how far a reading is that takes long. */
export async function reading<T>(
  path: string,
  read: (progress: NonNullable<Offer['progress']>) => Promise<T>,
): Promise<T> {
  const line = new ProgressLine(`reading ${path}`);
  try {
    return await read((done, total) => line.update(done, total));
  } finally {
    line.end();
  }
}

const shapeText = (shape: readonly number[]): string => `[${shape.join(', ')}]`;

const COLUMNS: readonly Column<DataSetView>[] = [
  { title: 'NAME', value: ({ name }) => name, flexible: true },
  { title: 'TASK', value: ({ task }) => task, flexible: true },
  { title: 'FORMAT', value: ({ format }) => format },
  { title: 'EXAMPLES', value: ({ examples }) => String(examples), align: 'right' },
  { title: 'SHAPE', value: ({ shape, dtype }) => `${dtype} ${shapeText(shape)}` },
  { title: 'TARGETS', value: targetsOf },
  { title: 'PATH', value: ({ path }) => path, flexible: true },
];

function targetsOf({ target, classes }: Pick<DataSetView, 'target' | 'classes'>): string {
  if (target === 'classes') return plural(classes, 'class', 'classes');
  return target === 'sequence' ? `sequence of ${classes} tokens` : target;
}

function registerList(data: Command): void {
  addDaemonCommand(data, {
    usage: 'list',
    summary: 'list the data sets that this machine offers',
    examples: ['data list'],
  }).action(async (options: DaemonOptions) => {
    const { clientOf } = await import('../client.ts');
    const dataSets = await clientOf(options).listData();
    if (options.json) return printJson({ dataSets });
    if (dataSets.length === 0) note('no data sets; `starling data add NAME PATH` offers one');
    else printTable(COLUMNS, dataSets);
  });
}

function registerRemove(data: Command): void {
  addDaemonCommand(data, {
    usage: 'remove <name>',
    summary: 'offer a data set no longer; its files stay as they are',
    examples: ['data remove scans'],
  }).action(async (name: string, options: DaemonOptions) => {
    const { clientOf } = await import('../client.ts');
    const removed = await clientOf(options).removeData(name);
    if (options.json) return printJson(removed);
    print(`${removed.name} is offered no longer; its files stay in ${removed.path}`);
  });
}

function registerInspect(data: Command): void {
  const command = addCommand(data, {
    usage: 'inspect <path>',
    summary: 'look at data as a job would see them; needs no daemon',
    examples: ['data inspect ./scans', 'data inspect table.csv --label price --json'],
  });
  withReadingOptions(command).action(async (path: string, options: JsonOption & ReadingOptions) => {
    const trainer = await import('@starling/trainer');
    const place = absolute(path);
    const words = trainer.parseDataOptions(wordsOf(options));
    const inspection = await reading(path, (progress) =>
      trainer.planDataset(place, words, progress),
    );
    const task = options.task ?? trainer.usualTask(place, inspection);
    if (options.json) printJson(inspectionJson(place, task, inspection));
    else showInspection(place, task, inspection);
    // Such files cannot be added.
    if (inspection.problems.length > 0) process.exitCode = 1;
  });
}

function inspectionJson(path: string, task: string, inspection: Inspection) {
  const { plan, columns, range, notes, problems } = inspection;
  const { format, files, bytes, count, shape, elements, target, histogram } = plan;
  const classes = 'count' in target ? target.count : 0;
  return {
    ...{ path, task, format, files, bytes, examples: count, shape, elements, target, classes },
    ...{ histogram, columns, range, notes, problems },
  };
}

function showInspection(path: string, task: string, inspection: Inspection): void {
  const { plan, range, notes, problems } = inspection;
  const { format, files, bytes, count, shape, elements, target } = plan;
  const stored = elements.dtype === 'uint8' ? `bytes times ${elements.scale}` : elements.dtype;
  printFacts([
    ['path', path],
    ['format', `${format}, ${plural(files, 'file')}, ${bytesText(bytes)}`],
    ['task', task],
    ['examples', String(count)],
    ['shape', `${shapeText(shape)}, ${stored}`],
    ['targets', targetText(target)],
    ...(range === null
      ? []
      : [
          [
            'numbers',
            `${range.min} to ${range.max}, mean ${decimal(range.mean)}, ` +
              `deviation ${decimal(range.deviation)}`,
          ] as const,
        ]),
  ]);
  showColumns(inspection);
  showBalance(inspection);
  if (notes.length > 0) print('');
  for (const text of notes) print(`note: ${text}`);
  if (problems.length > 0) print('');
  for (const text of problems) print(`problem: ${text}`);
}

function targetText(target: TargetInfo): string {
  switch (target.kind) {
    case 'none':
      return 'none';
    case 'classes':
      return plural(target.count, 'class', 'classes');
    case 'numbers':
      return plural(target.width, 'number');
    case 'sequence':
      return `the next of ${target.count} tokens, ${target.length} times`;
  }
}

/** More would push the rest off the screen; `--json` has all. */
const COLUMNS_SHOWN = 30;
const CLASSES_SHOWN = 40;

function showColumns({ columns }: Inspection): void {
  if (columns.length === 0) return;
  print('');
  printTable(
    [
      { title: 'COLUMN', value: ({ name }) => name, flexible: true },
      { title: 'USE', value: ({ use }) => use },
      { title: 'TYPE', value: ({ type, width }) => (width > 1 ? `${type} of ${width}` : type) },
      { title: 'MISSING', value: ({ missing }) => String(missing), align: 'right' },
      { title: 'LEAST', value: ({ min }) => shortNumber(min), align: 'right' },
      { title: 'MOST', value: ({ max }) => shortNumber(max), align: 'right' },
      { title: 'MEAN', value: ({ mean }) => shortNumber(mean), align: 'right' },
      { title: 'DEVIATION', value: ({ deviation }) => shortNumber(deviation), align: 'right' },
      { title: 'DISTINCT', value: ({ distinct }) => String(distinct ?? 'many'), align: 'right' },
    ],
    columns.slice(0, COLUMNS_SHOWN),
  );
  const more = columns.length - COLUMNS_SHOWN;
  if (more > 0) print(`… and ${plural(more, 'column')} more, see --json`);
}

const shortNumber = (value: number | null): string =>
  value === null ? '–' : String(Number(value.toPrecision(5)));

const BAR_WIDTH = 40;

/** A bar for each class. */
function showBalance({ plan }: Inspection): void {
  const { histogram, target, count } = plan;
  if (target.kind !== 'classes') return;
  const { names } = target;
  const most = Math.max(1, ...histogram);
  const rows = histogram.map((examples, label) => ({
    ...{ name: names?.[label] ?? String(label), examples },
  }));
  print('');
  printTable(
    [
      { title: 'CLASS', value: ({ name }) => name, ...(names === null && { align: 'right' }) },
      { title: 'EXAMPLES', value: ({ examples }) => String(examples), align: 'right' },
      { title: 'PART', value: ({ examples }) => percent(examples / count), align: 'right' },
      { title: '', value: ({ examples }) => bar(examples / most) },
    ],
    rows.slice(0, CLASSES_SHOWN),
  );
  const more = rows.length - CLASSES_SHOWN;
  if (more > 0) print(`… and ${plural(more, 'class', 'classes')} more, see --json`);
}

/** Something at least for a class that is there. */
const bar = (part: number): string =>
  part === 0 ? '' : '█'.repeat(Math.max(1, Math.round(BAR_WIDTH * part)));
