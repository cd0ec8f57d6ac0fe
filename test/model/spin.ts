import { spawnSync } from 'node:child_process';
import { copyFileSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { missingPrograms } from '../helpers/debian.ts';

/** What a search of all states of one variant found. */
export interface Search {
  /** Whether no reachable state breaks an assertion. */
  readonly holds: boolean;
  /** Whether every reachable state was looked at; a search that finds a fault stops there. */
  readonly exhaustive: boolean;
  readonly states: number;
  readonly seconds: number;
  /** What happened, step by step, on the way to the fault. */
  readonly trace: readonly string[];
}

const MEMORY_MIB = 3_000;
/** Far deeper than any run of these models: a search that hits it is not exhaustive. */
const DEPTH = 100_000;

/** What a search needs and cannot be had; undefined when all is there. */
export const missingTools = (): string | undefined =>
  missingPrograms(['spin', 'gcc'], ['spin', 'gcc', 'libc6-dev']);

/** Compiles a Promela model with these definitions and searches all its states. */
export function searchModel(
  model: string,
  definitions: Readonly<Record<string, string | number | boolean>>,
): Search {
  const folder = mkdtempSync(join(tmpdir(), 'starling-model-'));
  try {
    copyFileSync(model, join(folder, 'model.pml'));
    const flags = Object.entries(definitions).map(([name, value]) => `-D${name}=${value}`);
    execute(folder, 'spin', ['-a', ...flags, 'model.pml']);
    const compiled = ['-O2', '-DSAFETY', '-DNOCLAIM', `-DMEMLIM=${MEMORY_MIB}`];
    execute(folder, 'gcc', [...compiled, '-o', 'pan', 'pan.c']);
    const startedAt = performance.now();
    // Members that do nothing more are no fault: -E.
    const output = execute(folder, './pan', ['-E', `-m${DEPTH}`, '-w22']);
    const seconds = (performance.now() - startedAt) / 1000;
    const search = readSearch(output);
    if (search.holds) return { ...search, seconds, trace: [] };
    const replay = execute(folder, 'spin', ['-t', '-T', ...flags, 'model.pml']);
    return { ...search, seconds, trace: stepsOf(replay) };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function execute(folder: string, program: string, args: readonly string[]): string {
  const options = { cwd: folder, encoding: 'utf8', maxBuffer: 2 ** 26 } as const;
  const { status, stdout, stderr } = spawnSync(program, args, options);
  // Spin's own search ends with 0 whether it finds a fault or not.
  if (status !== 0) throw new Error(`${program} ${args.join(' ')}: ${stdout}${stderr}`);
  return stdout;
}

function readSearch(output: string): Pick<Search, 'holds' | 'exhaustive' | 'states'> {
  const errors = /errors: (\d+)/.exec(output);
  const states = /^\s*([\d.e+]+) states, stored/m.exec(output);
  if (errors === null || states === null) throw new Error(`no result of a search: ${output}`);
  const incomplete = /Search not completed|max search depth too small|memory limit/.test(output);
  const holds = Number(errors[1]) === 0;
  return { holds, exhaustive: holds && !incomplete, states: Number(states[1]) };
}

/** The lines that the model prints; the rest of a replay is about Spin itself. */
const stepsOf = (replay: string): readonly string[] =>
  replay
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => /^(view|decide|ABANDON|use|forget)/.test(line));
