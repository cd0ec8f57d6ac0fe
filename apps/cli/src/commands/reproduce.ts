import { existsSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { resolve } from 'node:path';
import { ConfigError } from '@starling/core';
import type { Reproduction } from '@starling/lab';
import { type Command, InvalidArgumentError } from 'commander';
import type { CertifiedModel } from '../certified-model.ts';
import { EXIT } from '../failures.ts';
import { readInput } from '../files.ts';
import {
  addDaemonCommand,
  type DaemonOptions,
  fraction,
  oneOfWords,
  wholeNumber,
} from '../options.ts';
import { decimal, note, percent, print, printJson, printTable } from '../output.ts';
import { ProgressLine } from '../progress.ts';
import type { SwarmReproduction } from '../reproduce-on-swarm.ts';
import type { Column } from '../table.ts';
import { absolute, type ReadingOptions, withReadingOptions, wordsOf } from './data.ts';

const ENGINES = ['plain', 'secure'] as const;

interface ReproduceCommand extends DaemonOptions, ReadingOptions {
  readonly data?: string;
  readonly swarm?: true;
  readonly launched?: string;
  readonly clients?: number;
  readonly partition: string;
  readonly engine: (typeof ENGINES)[number];
  readonly seed: number;
  readonly tolerance: number;
  readonly out: string;
  readonly threads: number;
}

export function registerReproduce(program: Command): void {
  const command = addDaemonCommand(program, {
    usage: 'reproduce <model>',
    summary: "run a finished job's manifest again, here or on the swarm, and compare the results",
    examples: [
      'reproduce mnist-mlp --data mnist',
      'reproduce model.onnx --launched launched.onnx --data ./scans --partition dirichlet:0.5',
      'reproduce mnist-mlp --swarm',
    ],
  });
  withReadingOptions(command)
    .option(
      '--data <set>',
      'mnist, fashion-mnist, or a path: with virtual clients, in this process',
    )
    .option('--swarm', "launch it again, and wait: with the peers' own data")
    .option('--launched <file>', 'the ONNX file it was launched with (asked of the daemon)')
    .option(
      '--clients <n>',
      'virtual clients (as many as the job had peers)',
      wholeNumber(3, 10_000),
    )
    .option('--partition <how>', 'iid, shards:CLASSES, dirichlet:ALPHA or quantity:ALPHA', 'iid')
    .option(
      '--engine <name>',
      'with masks or without: the sums are the same',
      oneOfWords(ENGINES),
      'plain',
    )
    .option('--seed <n>', 'draws who has what, and all else', wholeNumber(0), 1)
    .option('--tolerance <part>', 'accuracy that may be missing', fraction, 0.02)
    .option('--out <dir>', 'folder of the results; the same command goes on', '.')
    .option('--threads <n>', 'threads of one training', wholeNumber(1, 64), 1)
    .action(reproduceModel);
}

async function reproduceModel(source: string, options: ReproduceCommand): Promise<void> {
  if ((options.data === undefined) === (options.swarm === undefined)) {
    throw new InvalidArgumentError('give --data SET to run it here, or --swarm to launch it again');
  }
  const { certifiedModel } = await import('../certified-model.ts');
  const original = await certifiedModel(source, options);
  if (original.rounds.length === 0) {
    const hint = 'Wait for the first certificate';
    throw new ConfigError('model', 'no round is certified: there is nothing to compare', hint);
  }
  const launched = await launchedModel(original, options);
  if (options.swarm) return onSwarm(original, launched, options);
  await here(original, launched, options);
}

/** The file that the job was launched with, by its hash in the manifest. */
async function launchedModel({ job }: CertifiedModel, options: ReproduceCommand) {
  const { hashHex } = await import('@starling/crypto');
  const { clientOf } = await import('../client.ts');
  const model =
    options.launched === undefined
      ? Buffer.from((await clientOf(options).pull(job.id, { round: 0 })).model, 'base64')
      : await readInput('launched', options.launched);
  if (hashHex(model) === job.manifest.model) return model;
  const which = options.launched ?? 'what the daemon has';
  const what = `${which} is not the model that the job was launched with`;
  throw new ConfigError('launched', what, `Its SHA-256 is ${job.manifest.model}`);
}

/** `dirichlet:0.5` as an experiment file has it. */
function partitionOf(text: string): object {
  const [kind, number] = text.split(':') as [string, string | undefined];
  const key = { shards: 'classesPerClient', dirichlet: 'alpha', quantity: 'alpha' }[kind];
  if (kind !== 'iid' && key === undefined) {
    throw new InvalidArgumentError('--partition: expected iid, shards, dirichlet or quantity');
  }
  return { kind, ...(key && number !== undefined && { [key]: Number(number) }) };
}

async function here(
  { job, model, rounds }: CertifiedModel,
  launched: Uint8Array,
  options: ReproduceCommand,
): Promise<void> {
  const { reproduce } = await import('@starling/lab');
  const { data, clients, engine, seed, out, threads, tolerance, json } = options;
  const { label, features, shape, normalise, classes, text, sequence } = wordsOf(options);
  const words = { label, features, shape, normalise, classes, text, sequence };
  const said = Object.entries(words).filter(([, word]) => word !== undefined);
  await mkdir(out, { recursive: true });
  const line = new ProgressLine(`training ${job.manifest.name} again`);
  const result = await reproduce(
    {
      ...{ manifest: job.manifest, launched, certified: model, rounds: rounds.length },
      participants: rounds.at(-1)!.participants,
    },
    {
      data: { set: setOf(data!), ...Object.fromEntries(said) },
      ...{ partition: partitionOf(options.partition), clients, engine, seed, threads },
      ...{ folder: resolve('.'), out },
      onLine: ({ ...each }) => {
        if (each.kind === 'round') line.update(each.round, rounds.length);
      },
    },
  ).finally(() => line.end());
  const missing = result.certified.accuracy - result.again.accuracy;
  const ok = missing <= tolerance;
  if (!ok) process.exitCode = EXIT.failure;
  const { certified, again, settings } = result;
  if (json) return printJson({ ok, job: job.id, certified, again, tolerance, settings });
  showRounds(rounds, result.rounds);
  printTable(SCORES, [
    { model: 'certified', ...certified },
    { model: 'again', ...again },
  ]);
  note(
    ok
      ? `reproduced: the new model misses no more than ${percent(tolerance)} of accuracy`
      : `not reproduced: ${percent(missing)} of accuracy are missing, ${percent(tolerance)} may be`,
  );
}

const setOf = (data: string): string => (existsSync(data) ? absolute(data) : data);

interface ScoredModel {
  readonly model: string;
  readonly accuracy: number;
  readonly loss: number;
}
const SCORES: readonly Column<ScoredModel>[] = [
  { title: 'MODEL', value: ({ model }) => model },
  { title: 'ACCURACY', value: ({ accuracy }) => percent(accuracy), align: 'right' },
  { title: 'LOSS', value: ({ loss }) => decimal(loss), align: 'right' },
];

interface Pair {
  readonly round: number;
  readonly certified: number | null;
  readonly again: number | null;
}
const PAIRS: readonly Column<Pair>[] = [
  { title: 'AFTER ROUND', value: ({ round }) => String(round), align: 'right' },
  { title: 'CERTIFIED', value: ({ certified }) => percent(certified), align: 'right' },
  { title: 'AGAIN', value: ({ again }) => percent(again), align: 'right' },
];

/** A certificate has the accuracy of the model before its round. */
function showRounds(certified: CertifiedModel['rounds'], again: Reproduction['rounds']): void {
  const pairs = again.map(({ round, accuracy }) => {
    return { round, certified: certified[round]?.accuracy ?? null, again: accuracy };
  });
  printTable(PAIRS, pairs);
  note('certified: on what each peer kept back for it; again: on the test examples\n');
}

async function onSwarm(
  original: CertifiedModel,
  launched: Uint8Array,
  { tolerance, ...options }: ReproduceCommand,
): Promise<void> {
  const { reproduceOnSwarm } = await import('../reproduce-on-swarm.ts');
  const line = new ProgressLine(`training ${original.job.manifest.name} again on the swarm`);
  const result = await reproduceOnSwarm(original, launched, {
    daemon: options,
    onRound: (done, all) => line.update(done, all),
  }).finally(() => line.end());
  const ok = result.missing === null || result.missing <= tolerance;
  if (!ok) process.exitCode = EXIT.failure;
  if (options.json) return printJson({ ok, tolerance, ...result });
  showSwarm(result);
  if (result.missing === null) note('the job certifies no accuracy: only losses can be compared');
  else note(ok ? 'reproduced' : `not reproduced: ${percent(result.missing)} are missing`);
}

function showSwarm({ job, rounds }: SwarmReproduction): void {
  print(`launched again as job ${job}`);
  printTable(
    [
      { title: 'BEFORE ROUND', value: ({ round }) => String(round), align: 'right' },
      { title: 'CERTIFIED', value: ({ certified }) => percent(certified.accuracy), align: 'right' },
      { title: 'AGAIN', value: ({ again }) => percent(again?.accuracy ?? null), align: 'right' },
      { title: 'LOSS', value: ({ certified }) => decimal(certified.loss), align: 'right' },
      { title: 'AGAIN', value: ({ again }) => decimal(again?.loss ?? null), align: 'right' },
    ] satisfies Column<SwarmReproduction['rounds'][number]>[],
    rounds,
  );
}
