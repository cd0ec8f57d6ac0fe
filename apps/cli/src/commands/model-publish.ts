import { existsSync, statSync } from 'node:fs';
import type { CardFile, CardFileInput, CardView, MetricInput, Publish } from '@starling/control';
import { ConfigError } from '@starling/core';
import { type Command, InvalidArgumentError } from 'commander';
import { readInput } from '../files.ts';
import { addDaemonCommand, type DaemonOptions, wholeNumber } from '../options.ts';
import { note, print, printFacts, printJson } from '../output.ts';
import { ProgressLine } from '../progress.ts';
import type { Recipe } from '../recipe.ts';
import { parseYaml } from '../yaml-file.ts';
import { proofBeside } from './model-verify.ts';

interface PublishOptions extends DaemonOptions {
  readonly card?: string;
  readonly name?: string;
  readonly cardVersion?: number;
  readonly task?: string;
  readonly summary?: string;
  readonly tag?: readonly string[];
  readonly licence?: string;
  readonly trainedOn?: string;
  readonly metric?: readonly MetricInput[];
  readonly on?: string;
  readonly parent?: readonly string[];
  readonly restricted?: true;
}

/** Parser of `accuracy=0.97`. */
export function metricOf(text: string): MetricInput {
  const [, name, value] = /^([a-z0-9][a-z0-9._-]*)=(-?\d.*)$/.exec(text) ?? [];
  const number = Number(value);
  if (name !== undefined && Number.isFinite(number)) return { name, value: number };
  throw new InvalidArgumentError('expected a name and a number, as accuracy=0.97');
}

const collectMetrics = (text: string, before: readonly MetricInput[] = []) => [
  ...before,
  metricOf(text),
];

export function registerPublish(model: Command): void {
  addDaemonCommand(model, {
    usage: 'publish <job-or-file>',
    summary: 'sign a card for a model and tell the swarm: of a job, or of a file with FILE.proof',
    examples: [
      'model publish mnist-mlp --summary "handwritten digits" --tag digits --licence Apache-2.0',
      'model publish mnist-mlp --card card.yaml',
      'model publish model.onnx --name digits --task mnist --metric accuracy=0.97 --on "our scans"',
    ],
  })
    .option('--card <file>', 'what the card says, as YAML; options go before it')
    .option('--name <name>', "the model's name: small letters, digits, - . _ (the job's)")
    .option('--card-version <n>', 'your own count (the next of this name)', wholeNumber(1))
    .option('--task <task>', "what it is for (the job's)")
    .option('--summary <text>', 'one line about it')
    .option('--tag <tag...>', 'words by which it is found')
    .option('--licence <spdx>', 'an SPDX expression, as Apache-2.0')
    .option('--trained-on <text>', 'what data it was trained on')
    .option('--metric <name=value>', 'a number that you measured; several times', collectMetrics)
    .option('--on <text>', 'on what data the metrics were measured')
    .option('--restricted', 'others get it for a token alone: see `starling model offer`')
    .option('--parent <card...>', 'cards of the models that it was made from')
    .action(async (source: string, options: PublishOptions) => {
      const { clientOf } = await import('../client.ts');
      const { restricted = false } = options;
      const wanted = { card: await cardFrom(options), restricted, ...(await sourceOf(source)) };
      const line = new ProgressLine(`publishing ${source}`);
      const card = await clientOf(options)
        .models.publish(wanted, (done, total) => line.update(done, total))
        .finally(() => line.end());
      if (options.json) return printJson(card);
      show(card);
    });
}

/** A file goes with its proof, where one lies beside it; what is no file is a job. */
async function sourceOf(source: string): Promise<Omit<Publish, 'card' | 'restricted'>> {
  // A folder may well be called like a job.
  if (statSync(source, { throwIfNoEntry: false })?.isFile() !== true) {
    if (!/[/\\]|\.onnx$/.test(source)) return { job: source };
    throw new ConfigError('model', `there is no file ${source}`, 'Check the path');
  }
  const base64 = async (key: string, path: string) =>
    Buffer.from(await readInput(key, path)).toString('base64');
  const besides = proofBeside(source);
  const recipe = await recipeBeside(source);
  return {
    model: await base64('model', source),
    ...(existsSync(besides) && { proof: await base64('proof', besides) }),
    ...(recipe && { recipe: recipe.of.map((part) => ({ ...part })) }),
  };
}

/** What `starling model average` wrote beside a model that it made. */
async function recipeBeside(source: string): Promise<Recipe | undefined> {
  const path = `${source}.recipe`;
  if (!existsSync(path)) return undefined;
  const text = new TextDecoder().decode(await readInput('recipe', path));
  const { recipeSchema } = await import('../recipe.ts');
  return parseYaml(text, { file: path, schema: recipeSchema, what: 'recipe' });
}

async function cardFrom(options: PublishOptions): Promise<CardFileInput> {
  const file = options.card === undefined ? undefined : await readCardFile(options.card);
  const { name, cardVersion, task, summary, tag, licence, trainedOn, metric, on, parent } = options;
  const given = {
    ...{ name, version: cardVersion, task, summary, tags: tag, licence, data: trainedOn },
    metrics: metric?.map((each) => ({ ...each, on: on ?? '' })),
    parents: parent,
  };
  const said = Object.entries(given).filter(([, value]) => value !== undefined);
  return { ...file, ...(Object.fromEntries(said) as CardFileInput) };
}

async function readCardFile(path: string): Promise<CardFile> {
  const { cardFileSchema } = await import('@starling/control');
  const text = new TextDecoder().decode(await readInput('card', path));
  return parseYaml(text, { file: path, schema: cardFileSchema, what: 'card' });
}

function show({ id, name, version, lineage, metrics }: CardView): void {
  print(`published ${name}@${version}`);
  const certified = metrics.filter((metric) => metric.certified !== null).length;
  printFacts([
    ['card', id],
    ['lineage', lineage === null ? 'none' : `round ${lineage.round} of job ${lineage.job}`],
    ['metrics', `${certified} certified, ${metrics.length - certified} by your word`],
  ]);
  if (lineage !== null) return;
  note('Without a proof nobody can check where it comes from: the card claims no lineage');
}
