import { resolve } from 'node:path';
import type { DataSetView } from '@starling/control';
import type { Command } from 'commander';
import { addCommand, addDaemonCommand, type DaemonOptions, type JsonOption } from '../options.ts';
import { note, percent, print, printFacts, printJson, printTable } from '../output.ts';
import type { Column } from '../table.ts';

export function registerData(program: Command): void {
  const data = program.command('data').description('the data sets that this machine offers');
  registerAdd(data);
  registerList(data);
  registerInspect(data);
}

function registerAdd(data: Command): void {
  addDaemonCommand(data, {
    usage: 'add <name> <path>',
    summary: 'offer a folder of IDX images and labels to jobs of its task; the files stay there',
    examples: ['data add scans ./scans --task mnist'],
  })
    .option('--task <task>', "what the data are for (from the folder's dataset.json, or its name)")
    .action(async (name: string, path: string, options: DaemonOptions & { task?: string }) => {
      const { clientOf } = await import('../client.ts');
      // The daemon has another working directory.
      const folder = resolve(path);
      const task = options.task ?? (await describe(folder)).schema.task;
      const view = await clientOf(options).addData({ name, path: folder, task });
      if (options.json) return printJson(view);
      print(`${view.name}: ${view.examples} examples for task ${view.task}`);
    });
}

const COLUMNS: readonly Column<DataSetView>[] = [
  { title: 'NAME', value: ({ name }) => name, flexible: true },
  { title: 'TASK', value: ({ task }) => task, flexible: true },
  { title: 'EXAMPLES', value: ({ examples }) => String(examples), align: 'right' },
  { title: 'SHAPE', value: ({ shape }) => `[${shape.join(', ')}]` },
  { title: 'CLASSES', value: ({ classes }) => String(classes), align: 'right' },
  { title: 'PATH', value: ({ path }) => path, flexible: true },
];

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

const BAR_WIDTH = 40;

function registerInspect(data: Command): void {
  addCommand(data, {
    usage: 'inspect <path>',
    summary: 'look at a folder as a job would see it; needs no daemon',
    examples: ['data inspect ./scans'],
  }).action(async (path: string, options: JsonOption) => {
    const folder = resolve(path);
    const { schema, examples, imageShape, histogram } = await describe(folder);
    const { task, classes, input } = schema;
    const shape = input.shape;
    if (options.json) {
      return printJson({ path: folder, task, examples, shape, imageShape, classes, histogram });
    }
    printFacts([
      ['path', folder],
      ['task', task],
      ['examples', String(examples)],
      ['shape', `[${shape.join(', ')}] from images of [${imageShape.join(', ')}]`],
      ['classes', String(classes)],
    ]);
    print('');
    const most = Math.max(...histogram);
    const rows = histogram.map((count, label) => ({ label, count }));
    printTable(
      [
        { title: 'CLASS', value: ({ label }) => String(label), align: 'right' },
        { title: 'EXAMPLES', value: ({ count }) => String(count), align: 'right' },
        { title: 'PART', value: ({ count }) => percent(count / examples), align: 'right' },
        { title: '', value: ({ count }) => '█'.repeat(Math.round((BAR_WIDTH * count) / most)) },
      ],
      rows,
    );
  });
}

async function describe(folder: string) {
  const { inspectDataset } = await import('@starling/trainer');
  return inspectDataset(folder);
}
