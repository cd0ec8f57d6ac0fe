import { ConfigError } from '@starling/core';
import type { ClassFigures, ClassReport, EvaluationReport } from '@starling/trainer';
import type { Command } from 'commander';
import { addDaemonCommand, type DaemonOptions, oneOfWords, wholeNumber } from '../options.ts';
import { decimal, note, percent, print, printFacts, printJson, printTable } from '../output.ts';
import { ProgressLine } from '../progress.ts';
import type { Column } from '../table.ts';
import { type ReadingOptions, reading, withReadingOptions, wordsOf } from './data.ts';

const SPLITS = ['all', 'validation', 'training'] as const;
const HEADS = ['auto', 'classes', 'numbers'] as const;

interface EvalOptions extends DaemonOptions, ReadingOptions {
  readonly data?: string;
  readonly split: (typeof SPLITS)[number];
  readonly head: (typeof HEADS)[number];
  readonly output?: string;
  readonly seed: number;
  readonly threads: number;
}

export function registerEval(model: Command): void {
  const command = addDaemonCommand(model, {
    usage: 'eval <model>',
    summary: 'score a model on local data: accuracy, loss, confusion matrix, figures per class',
    examples: [
      'model eval model.onnx --data ./scans',
      'model eval model.onnx --data scans --split validation --json',
      'model eval zoo:cnn --data ./scans',
    ],
  });
  withReadingOptions(command)
    .option('--data <name>', "a path, or a data set's name (the daemon's only one)")
    .option(
      '--split <part>',
      'all, validation (a tenth, on which this machine never trains) or training',
      oneOfWords(SPLITS),
      'all',
    )
    .option('--head <kind>', 'classes, numbers, or auto: by the outputs', oneOfWords(HEADS), 'auto')
    .option('--output <name>', 'which one of a model with several outputs')
    .option('--threads <n>', 'threads for one operator', wholeNumber(1, 256), 1)
    .option('--seed <n>', 'draws the weights of a model of the zoo', wholeNumber(0), 1)
    .action(async (source: string, options: EvalOptions) => {
      const { dataPath, readModelSource } = await import('../model-source.ts');
      const trainer = await import('@starling/trainer');
      const bytes = await readModelSource(source, options.seed);
      const path = await dataPath(options.data, options);
      const words = trainer.parseDataOptions(wordsOf(options));
      const { plan, problems } = await reading(path, (progress) =>
        trainer.planDataset(path, words, progress),
      );
      if (problems.length > 0) throw new ConfigError('data', problems.join('; '));
      const data = await trainer.openDataSource(path, plan);
      const { split, head, output, threads, json } = options;
      const line = new ProgressLine(`scoring ${source}`);
      const report = await trainer
        .reportModel({
          ...{ model: bytes, source: data, head, output, threads, split },
          onProgress: (done, all) => line.update(done, all),
        })
        .finally(() => {
          line.end();
          return data.close();
        });
      if (json) return printJson({ model: source, data: path, split, ...report });
      show(source, path, report);
    });
}

/** Larger matrices do not fit a terminal; --json has all of them. */
const MATRIX_MAX = 20;

function show(model: string, data: string, report: EvaluationReport): void {
  const facts: [string, string][] = [
    ['model', model],
    ['data', data],
    ['examples', String(report.examples)],
    ['loss', decimal(report.loss)],
  ];
  if (report.kind === 'numbers') {
    printFacts([
      ...facts,
      ['RMSE', decimal(report.rootMeanSquaredError)],
      ['MAE', decimal(report.meanAbsoluteError)],
      ['R²', decimal(report.r2)],
    ]);
    return;
  }
  printFacts([
    ...facts,
    ['accuracy', percent(report.accuracy)],
    ['macro F1', decimal(report.macroF1)],
  ]);
  print('');
  printTable(COLUMNS, report.perClass);
  showMatrix(report);
}

const COLUMNS: readonly Column<ClassFigures>[] = [
  { title: 'CLASS', value: ({ label }) => String(label), align: 'right' },
  { title: 'PRECISION', value: ({ precision }) => percent(precision), align: 'right' },
  { title: 'RECALL', value: ({ recall }) => percent(recall), align: 'right' },
  { title: 'F1', value: ({ f1 }) => decimal(f1), align: 'right' },
  { title: 'SUPPORT', value: ({ support }) => String(support), align: 'right' },
];

function showMatrix({ confusion }: ClassReport): void {
  if (confusion.length > MATRIX_MAX) {
    note(`the confusion matrix of ${confusion.length} classes is in the output of --json`);
    return;
  }
  print('\nconfusion matrix: a row for each true class, a column for what it was taken for');
  const cell = (row: readonly number[], column: number) =>
    row[column] === 0 ? '·' : String(row[column]);
  printTable(
    [
      { title: '', value: ({ label }) => String(label), align: 'right' },
      ...confusion.map((_, column) => ({
        title: String(column),
        value: ({ row }: { row: readonly number[] }) => cell(row, column),
        align: 'right' as const,
      })),
    ],
    confusion.map((row, label) => ({ row, label })),
  );
}
