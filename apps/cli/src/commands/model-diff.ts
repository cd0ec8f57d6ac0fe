import type { Command } from 'commander';
import type { ModelComparison, Relation, WeightDifference } from '../compare-models.ts';
import { readIfThere, readInput } from '../files.ts';
import { addCommand, type JsonOption } from '../options.ts';
import { percent, plural, print, printFacts, printJson, printTable, shortHash } from '../output.ts';
import type { Column } from '../table.ts';

export function registerDiff(model: Command): void {
  addCommand(model, {
    usage: 'diff <first> <second>',
    summary: 'compare two models: graph, weights, and by their proofs where they come from',
    examples: ['model diff round-3.onnx round-9.onnx', 'model diff launched.onnx pulled.onnx'],
  }).action(async (first: string, second: string, { json }: JsonOption) => {
    const { compareModels } = await import('../compare-models.ts');
    const [a, b] = [await read(first), await read(second)];
    const comparison = compareModels(a, b);
    if (json) return printJson({ first, second, ...comparison });
    show(comparison);
  });
}

async function read(path: string) {
  const model = await readInput('model', path);
  const beside = `${path}.proof`;
  return { model, proof: await readIfThere('proof', beside) };
}

function show(comparison: ModelComparison): void {
  const { identical, graphsEqual, weights, norm, relative, onlyFirst, onlySecond } = comparison;
  printFacts([
    ['files', identical ? 'the same bytes' : 'different'],
    ['graph', graphsEqual ? 'the same' : 'different'],
    ['weights', `${norm.toPrecision(4)} apart (L2), ${percent(relative)} of the first`],
    ['origin', relationText(comparison.relation)],
  ]);
  if (onlyFirst.length > 0) print(`only in the first: ${onlyFirst.join(', ')}`);
  if (onlySecond.length > 0) print(`only in the second: ${onlySecond.join(', ')}`);
  if (weights.length === 0) return;
  print('');
  printTable(COLUMNS, weights);
}

const COLUMNS: readonly Column<WeightDifference>[] = [
  { title: 'WEIGHT', value: ({ name }) => name, flexible: true },
  { title: 'SHAPE', value: ({ shape }) => `[${shape.join(', ')}]` },
  { title: 'APART', value: ({ norm }) => norm.toPrecision(3), align: 'right' },
  { title: 'OF FIRST', value: ({ relative }) => percent(relative), align: 'right' },
  { title: 'GREATEST', value: ({ greatest }) => greatest.toPrecision(3), align: 'right' },
];

function relationText(relation: Relation): string {
  switch (relation.kind) {
    case 'unknown':
      return `not known: ${relation.reason}`;
    case 'same-round':
      return `both are round ${relation.round} of job ${shortHash(relation.job)}`;
    case 'launched-from':
      return (
        `job ${shortHash(relation.job)} was launched with the first; the second is it after ` +
        plural(relation.round, 'round')
      );
    case 'same-job': {
      const [before, after] = relation.rounds;
      const at = `rounds ${before} and ${after} of job ${shortHash(relation.job)}`;
      const least = Math.min(before, after);
      return relation.common === least ? at : `${at}, whose chains part after ${relation.common}`;
    }
    default:
      return `other jobs, ${relation.jobs.map(shortHash).join(' and ')}`;
  }
}
