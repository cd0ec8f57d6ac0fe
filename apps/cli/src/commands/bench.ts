import { type Command, InvalidArgumentError } from 'commander';
import { BENCHMARKS, type BenchmarkReport } from '../bench/registry.ts';
import { addCommand, type JsonOption, takingWords } from '../options.ts';
import { print, printJson, printTable } from '../output.ts';

interface BenchOptions extends JsonOption {
  readonly quick?: true;
}

const NAMES = Object.keys(BENCHMARKS);

export function registerBench(program: Command): void {
  addCommand(program, {
    usage: 'bench',
    summary: 'measure a part of Starling beside a comparison in the same run',
    examples: ['bench masking', 'bench round --json'],
  })
    .argument('<name>', NAMES.join(', '), takingWords(NAMES, benchmarkName))
    .option('--quick', 'a small size, to see that it works; its figures mean nothing')
    .action(async (name: string, { json, quick }: BenchOptions) => {
      const { run } = await BENCHMARKS[name]!();
      const report = await run({ quick: quick ?? false });
      if (json) printJson(report.result);
      else show(report);
    });
}

function benchmarkName(text: string): string {
  if (NAMES.includes(text)) return text;
  throw new InvalidArgumentError(`the benchmarks are ${NAMES.join(', ')}`);
}

function show({ title, columns, lines, notes }: BenchmarkReport): void {
  print(title);
  printTable(columns, lines);
  for (const note of notes) print(note);
}
