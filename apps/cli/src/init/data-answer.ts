import { basename } from 'node:path';
import { parseArgs } from 'node:util';
import { ConfigError, errorMessage } from '@starling/core';
import type { Inspection } from '@starling/trainer';
import { absolute, type ReadingOptions, wordsOf } from '../commands/data.ts';

/** Data that were looked at and can be offered as they are. */
export interface OfferedData {
  readonly name: string;
  readonly path: string;
  readonly examples: number;
  readonly task: string;
  /** What follows `starling`, to offer them. */
  readonly command: string;
}

/** What parts the words of an answer, as a shell does it: blanks, but not in quotes. */
const WORDS = /"([^"]*)"|'([^']*)'|((?:\\.|[^\s"'\\])+)/g;

/**
 * Looks at data as `starling data add` would, with an answer's path and options.
 * @throws ConfigError with what hinders, for instance `./scans --task lungs`
 */
export async function lookAt(answer: string): Promise<OfferedData> {
  const words = [...answer.matchAll(WORDS)].map(
    ([, double, single, bare]) => double ?? single ?? bare!.replaceAll(/\\(.)/g, '$1'),
  );
  const { path, options } = readingOf(words);
  const trainer = await import('@starling/trainer');
  const place = absolute(path);
  const inspection: Inspection = await trainer.planDataset(
    place,
    trainer.parseDataOptions(wordsOf(options)),
  );
  if (inspection.problems.length > 0) throw new ConfigError('data', inspection.problems.join('; '));
  const name = nameOf(path);
  const task = options.task ?? trainer.usualTask(place, inspection);
  const rest = Object.entries(options).flatMap(([option, value]) => [`--${option}`, value]);
  const command = ['data', 'add', name, place, ...rest].map(quoted).join(' ');
  return { name, path: place, examples: inspection.plan.count, task, command };
}

const READING = ['label', 'features', 'shape', 'normalise', 'classes', 'text', 'sequence', 'task'];

function readingOf(words: readonly string[]): { path: string; options: ReadingOptions } {
  const options = Object.fromEntries(READING.map((name) => [name, { type: 'string' as const }]));
  try {
    const { values, positionals } = parseArgs({
      ...{ args: [...words], options, allowPositionals: true },
    });
    const [path, second] = positionals;
    if (path === undefined || second !== undefined) {
      throw new ConfigError('data', 'give one path; put it in quotes if it has blanks');
    }
    return { path, options: values as ReadingOptions };
  } catch (error) {
    if (error instanceof ConfigError) throw error;
    const hint = '`starling data add --help` has the options';
    throw new ConfigError('data', errorMessage(error).split('. ')[0]!, hint);
  }
}

/** A name for the data set: what the path ends in, in the characters that names may have. */
export function nameOf(path: string): string {
  const stem = basename(path).replace(/\.[a-z0-9]+$/i, '');
  const fitting = stem.replaceAll(/[^\w.-]+/g, '-').replaceAll(/^[-._]+|[-.]+$/g, '');
  return fitting.slice(0, 64) || 'data';
}

/** A word as a shell reads it. */
export const quoted = (word: string): string =>
  /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
