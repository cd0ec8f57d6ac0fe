import { utf8 } from '@starling/core';
import type { Command } from 'commander';
import { InvalidArgumentError } from 'commander';
import { readInput, writeOutput } from '../files.ts';
import { addCommand, type JsonOption, wholeNumber } from '../options.ts';
import { note, print, printJson } from '../output.ts';
import type { Recipe } from '../recipe.ts';

interface AverageOptions extends JsonOption {
  readonly output: string;
  readonly weights?: readonly number[];
}

export function registerAverage(model: Command): void {
  addCommand(model, {
    usage: 'average <models...>',
    summary: 'join models of one graph by the mean of their weights, and record how',
    examples: [
      'model average ward-3.onnx ward-7.onnx -o both.onnx',
      'model average a.onnx b.onnx --weights 3,1 -o both.onnx',
    ],
  })
    .requiredOption(
      '-o, --output <file>',
      'the ONNX file to write, or s3://bucket/name; beside it OUT.recipe',
    )
    .option('--weights <list>', 'whole numbers, how much each counts (all the same)', weightList)
    .action(average);
}

const weight = wholeNumber(1, 2 ** 31);
const weightList = (text: string): readonly number[] => text.split(',').map(weight);

async function average(files: readonly string[], options: AverageOptions): Promise<void> {
  const { output, weights = files.map(() => 1), json } = options;
  if (files.length < 2) throw new InvalidArgumentError('expected two models or more');
  if (weights.length !== files.length) {
    throw new InvalidArgumentError(`--weights: ${weights.length} for ${files.length} models`);
  }
  const { averageModels } = await import('@starling/onnx');
  const { hashHex } = await import('@starling/crypto');
  const read = await Promise.all(files.map((file) => readInput('model', file)));
  const parts = read.map((model, i) => ({ model, weight: weights[i]! }));
  const bytes = averageModels(parts);
  const of = parts.map(({ model, weight }) => ({ model: hashHex(model), weight }));
  const recipe: Recipe = { kind: 'average', of };
  await writeOutput(output, bytes);
  await writeOutput(`${output}.recipe`, utf8(`${JSON.stringify(recipe, null, 2)}\n`));
  if (json) return printJson({ output, recipe: `${output}.recipe`, ...recipe });
  print(`${output}: the mean of ${files.length} models`);
  note(`${output}.recipe says of which; \`starling model average\` with them makes the same bytes`);
}
