import { dirname, join, resolve } from 'node:path';
import type { ResultLine } from '@starling/lab';
import type { Command } from 'commander';
import { readInput, writeOutput } from '../files.ts';
import { modelOfZoo, ZOO_PREFIX } from '../job-file.ts';
import { addCommand, type JsonOption, wholeNumber } from '../options.ts';
import { bytesText, note, percent, print, printJson } from '../output.ts';
import { parseYaml } from '../yaml-file.ts';

interface ExperimentFlags extends JsonOption {
  readonly out: string;
  readonly seconds?: number;
  readonly threads: number;
}

export function registerExperiment(program: Command): void {
  addCommand(program, {
    usage: 'experiment <file>',
    summary: 'train many virtual clients as an experiment file says, and record every round',
    examples: [
      'experiment bench/experiments/fedavg-mnist-2nn.yaml --out results',
      'experiment attacks.yaml --seconds 600 --json',
    ],
  })
    .option('--out <dir>', 'folder of the results', '.')
    .option(
      '--seconds <n>',
      'begin no round after so many; the same command goes on',
      wholeNumber(1),
    )
    .option('--threads <n>', 'threads of one training', wholeNumber(1, 64), 1)
    .action(runFile);
}

async function runFile(file: string, { out, json, ...flags }: ExperimentFlags): Promise<void> {
  const { experimentSchema, runExperiment, summaryOf } = await import('@starling/lab');
  const text = new TextDecoder().decode(await readInput('experiment', file));
  const experiment = parseYaml(text, { file, schema: experimentSchema, what: 'experiment' });
  const folder = dirname(file);
  const { lines, isCut } = await runExperiment({
    ...{ experiment, folder, out, seconds: flags.seconds, threads: flags.threads },
    readModel: (source, seed) => readModel(source, seed, folder),
    onLine: (line) => {
      if (json) printJson(line);
      else note(textOf(line));
    },
  });
  const summary = summaryOf(experiment, lines);
  const write = (ending: string, content: string) =>
    writeOutput(join(out, `${experiment.name}.${ending}`), new TextEncoder().encode(content));
  await write('md', summary.markdown);
  await write('svg', summary.plot);
  if (!json) print(summary.markdown);
  if (isCut) note('starling: stopped after --seconds; the same command goes on');
}

/** Weights of a zoo's model follow from the run's seed. */
const readModel = (source: string, seed: number, folder: string): Promise<Uint8Array> =>
  source.startsWith(ZOO_PREFIX)
    ? modelOfZoo(source.slice(ZOO_PREFIX.length), seed)
    : readInput('experiment, model', resolve(folder, source));

function textOf(line: ResultLine): string {
  const choices = Object.entries(line.choices).map(([key, value]) => `${key} ${text(value)}`);
  const who = [...choices, `seed ${line.seed}`].join(', ');
  if (line.kind === 'end') return `${who}: ${line.text} (${line.seconds.toFixed(0)} s)`;
  const backdoor = line.backdoor === undefined ? '' : `, backdoor ${percent(line.backdoor)}`;
  const sizes = `${line.survivors} peers, ${bytesText(line.bytesPerPeer)} each`;
  const took = `${line.seconds.toFixed(1)} s`;
  return `${who}, round ${line.round}: ${percent(line.accuracy)}${backdoor}, ${sizes}, ${took}`;
}

const text = (value: unknown): string =>
  typeof value === 'object' ? JSON.stringify(value) : String(value);
