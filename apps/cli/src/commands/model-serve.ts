import { basename } from 'node:path';
import type { ServedView, ServeSource } from '@starling/control';
import { ConfigError } from '@starling/core';
import type { DeviceChoice } from '@starling/trainer';
import type { Command } from 'commander';
import { readInput } from '../files.ts';
import { addDaemonCommand, type DaemonOptions, oneOfWords, wholeNumber } from '../options.ts';
import { note, plural, print, printJson, printTable } from '../output.ts';
import { ProgressLine } from '../progress.ts';
import type { Column } from '../table.ts';
import { DEVICES } from './up.ts';

export function registerServe(model: Command): void {
  registerServeOne(model);
  registerServed(model);
  registerUnserve(model);
}

interface ServeCommand extends DaemonOptions {
  readonly job?: string;
  readonly file?: string;
  readonly card?: string;
  readonly maxBatch: number;
  readonly maxDelayMs: number;
  readonly queue: number;
  readonly device: DeviceChoice;
  readonly swarm: boolean;
  readonly quota?: number;
}

function registerServeOne(model: Command): void {
  addDaemonCommand(model, {
    usage: 'serve <name>',
    summary: 'answer requests with a model: of a job, whose new rounds take over, a file or a card',
    examples: [
      'model serve digits --job mnist-mlp',
      'model serve vad --file vad.onnx --max-batch 1 --device cpu',
      'model serve digits --card digits@2 --swarm',
      'model serve digits --job mnist-mlp --swarm --quota 600',
    ],
  })
    .option('--job <job>', 'follow this job: each newly certified round is swapped in')
    .option('--file <model.onnx>', 'an ONNX file, which is handed to the daemon')
    .option('--card <card>', 'a published model: an id, NAME or NAME@VERSION')
    .option('--max-batch <rows>', 'rows of one run, at most', wholeNumber(1, 4096), 32)
    .option(
      '--max-delay-ms <ms>',
      'how long a request waits for others while nothing runs',
      wholeNumber(0, 1000),
      0,
    )
    .option('--queue <n>', 'requests that wait, at most', wholeNumber(1, 65_536), 256)
    .option(
      '--device <device>',
      'where it runs: auto, cpu, webgpu, cuda …',
      oneOfWords(DEVICES),
      'auto',
    )
    .option('--swarm', 'answer members of the swarm as well', false)
    .option('--quota <n>', 'requests a minute of each client', wholeNumber(1, 1_000_000))
    .action(async (name: string, options: ServeCommand) => {
      const source = await sourceOf(options);
      const { clientOf } = await import('../client.ts');
      const { maxBatch, maxDelayMs, queue, device, swarm, quota = null } = options;
      const client = clientOf(options);
      const line = new ProgressLine(`serving ${name}`);
      const view = await client.serving
        .serve(
          { name, source, options: { maxBatch, maxDelayMs, queue, device, swarm, quota } },
          (done, total) => line.update(done, total),
        )
        .finally(() => line.end());
      const { url } = await client.serving.list();
      if (options.json) return printJson({ ...view, url });
      show(view, url);
    });
}

async function sourceOf({ job, file, card }: ServeCommand): Promise<ServeSource> {
  if ([job, file, card].filter((given) => given !== undefined).length !== 1) {
    const hint = 'Give one of --job JOB, --file MODEL.onnx and --card CARD';
    throw new ConfigError('model', 'it must come from a job, a file or a card', hint);
  }
  if (card !== undefined) return { kind: 'card', card };
  if (job !== undefined) return { kind: 'job', job };
  const bytes = await readInput('file', file!);
  return { kind: 'file', file: basename(file!), model: Buffer.from(bytes).toString('base64') };
}

const sizes = (shape: readonly (number | null)[]): string =>
  `[${shape.map((size) => size ?? 'any').join(', ')}]`;

function show(view: ServedView, url: string | null): void {
  const { name, from, version, device, inputs, outputs, unbatchable, problem, options } = view;
  if (version === null) print(`${name}: ${from}, ${problem ?? 'is being loaded'}`);
  else print(`${name}: ${from}, version ${version}, on ${device}`);
  for (const { name, dtype, shape } of inputs) print(`  takes ${name}: ${dtype} ${sizes(shape)}`);
  for (const { name, dtype, shape } of outputs) print(`  gives ${name}: ${dtype} ${sizes(shape)}`);
  if (unbatchable !== null) note(`requests run one by one: ${unbatchable}`);
  if (url !== null) note(`POST ${url}/v2/models/${name}/infer`);
  if (options.swarm) note('members of the swarm: `starling infer` with --peer and this peer’s id');
}

const COLUMNS: readonly Column<ServedView>[] = [
  { title: 'NAME', value: ({ name }) => name, flexible: true },
  { title: 'FROM', value: ({ from }) => from, flexible: true },
  { title: 'VERSION', value: ({ version }) => version ?? 'none yet' },
  { title: 'DEVICE', value: ({ device }) => device ?? '' },
  { title: 'REQUESTS', value: ({ requests }) => String(requests), align: 'right' },
  { title: 'FAILED', value: ({ failures }) => String(failures), align: 'right' },
  { title: 'WAITING', value: ({ waiting }) => String(waiting), align: 'right' },
  {
    title: 'ROWS/RUN',
    value: ({ rows, runs }) => (runs === 0 ? '' : (rows / runs).toFixed(1)),
    align: 'right',
  },
  { title: 'P50 MS', value: ({ latency }) => latency?.p50Ms.toFixed(1) ?? '', align: 'right' },
  { title: 'P99 MS', value: ({ latency }) => latency?.p99Ms.toFixed(1) ?? '', align: 'right' },
  { title: 'SWARM', value: ({ options }) => (options.swarm ? 'yes' : 'no') },
];

function registerServed(model: Command): void {
  addDaemonCommand(model, {
    usage: 'served',
    summary: 'models that the daemon serves, in which version, and how they do',
    examples: ['model served'],
  }).action(async (options: DaemonOptions) => {
    const { clientOf } = await import('../client.ts');
    const serving = await clientOf(options).serving.list();
    if (options.json) return printJson(serving);
    const { url, models } = serving;
    if (models.length > 0) printTable(COLUMNS, models);
    for (const { name, problem } of models) if (problem !== null) note(`${name}: ${problem}`);
    if (models.length === 0) note('nothing is served; `starling model serve` begins');
    note(url === null ? 'nothing listens over HTTP (serving.listen)' : `at ${url}/v2`);
  });
}

function registerUnserve(model: Command): void {
  addDaemonCommand(model, {
    usage: 'unserve <name>',
    summary: 'serve a model no longer; what was asked already is answered',
    examples: ['model unserve digits'],
  }).action(async (name: string, options: DaemonOptions) => {
    const { clientOf } = await import('../client.ts');
    const view = await clientOf(options).serving.unserve(name);
    if (options.json) return printJson(view);
    print(`${name} is served no longer, after ${plural(view.requests, 'request')}`);
  });
}
