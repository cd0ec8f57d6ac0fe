import { type Command, InvalidArgumentError } from 'commander';
import { BENCHMARKS, type BenchmarkReport, type BenchmarkRow } from '../bench/registry.ts';
import { addCommand, type JsonOption } from '../options.ts';
import { print, printJson, printTable } from '../output.ts';
import type { Column } from '../table.ts';

const NAMES = Object.keys(BENCHMARKS);

export function registerBench(program: Command): void {
  addCommand(program, {
    usage: 'bench',
    summary: 'measure a part of Starling beside a comparison in the same run',
    examples: ['bench masking', 'bench masking --json'],
  })
    .argument('<name>', NAMES.join(', '), benchmarkName)
    .action(async (name: string, { json }: JsonOption) => {
      const { run } = await BENCHMARKS[name]!();
      const report = await run();
      if (json) printJson(report.result);
      else show(report);
    });
}

function benchmarkName(text: string): string {
  if (NAMES.includes(text)) return text;
  throw new InvalidArgumentError(`the benchmarks are ${NAMES.join(', ')}`);
}

const COLUMNS: readonly Column<BenchmarkRow>[] = [
  { title: 'CONTENDER', value: ({ name }) => name },
  { title: 'MB/S', value: ({ bytesPerSecond: rate }) => (rate / 1e6).toFixed(0), align: 'right' },
  { title: 'OURS IS', value: ({ ratio }) => `×${ratio.toFixed(2)}`, align: 'right' },
];

function show({ title, rows }: BenchmarkReport): void {
  print(title);
  printTable(COLUMNS, rows);
}
