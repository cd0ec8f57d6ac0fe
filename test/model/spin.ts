import { spawnSync } from 'node:child_process';
import { copyFileSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

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

const TOOLS = [
  { program: 'spin', packages: ['spin'] },
  { program: 'gcc', packages: ['gcc', 'libc6-dev'] },
];
const INSTALL_MS = 120_000;
const MEMORY_MIB = 3_000;
/** Far deeper than any run of these models: a search that hits it is not exhaustive. */
const DEPTH = 100_000;

/** Installs what is missing if it can; otherwise says what is missing, and why. */
export function missingTools(): string | undefined {
  const absent = () => TOOLS.filter(({ program }) => !runs(program, ['-V'], ['--version']));
  if (absent().length === 0) return undefined;
  const named = `needs ${absent().map(({ program }) => program)}`;
  if (process.getuid?.() !== 0) return `${named}, and only root can install it`;
  if (!runs('apt-get', ['--version'])) return `${named}, and there is no apt-get`;
  const packages = absent().flatMap((tool) => tool.packages);
  const options = {
    timeout: INSTALL_MS,
    env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
  };
  spawnSync('apt-get', ['update'], options);
  spawnSync('apt-get', ['install', '--yes', '--no-install-recommends', ...packages], options);
  return absent().length === 0 ? undefined : `${named}, and apt-get could not install it`;
}

/** Whether one of these calls of `program` ends well. */
const runs = (program: string, ...calls: readonly string[][]): boolean =>
  calls.some((args) => spawnSync(program, args).status === 0);

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
