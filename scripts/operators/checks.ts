import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { filesBelow, readSource } from '../source-text.ts';

/** The calls of an operator that tests check, from the titles of the tests. */
export interface Checks {
  /** Calls whose gradients are compared with differences. */
  gradients: number;
  /** Calls that are compared with ONNX Runtime's own operator. */
  forwards: number;
  /** Ranks of the first operand. */
  readonly ranks: Set<number>;
  /** Whether an operand without elements is among them. */
  empty: boolean;
  /** Values of each attribute. */
  readonly attributes: Map<string, Set<string>>;
}

const CHECK = /(?:the numeric Jacobian|what the operator gives) > \d+ (\S+)(.*)$/;
const SUITES = /\bcheck(?:Gradients|Forward)\(/;

/** Checked calls by operator: what `vitest list` finds in the tables of `checkGradients`. */
export function listChecks(root: string): ReadonlyMap<string, Checks> {
  const found = new Map<string, Checks>();
  for (const title of testTitles(root)) {
    const [, op, rest] = CHECK.exec(title) ?? [];
    if (op === undefined || rest === undefined) continue;
    const checks = found.get(op) ?? none();
    found.set(op, checks);
    if (title.includes('numeric Jacobian')) checks.gradients++;
    else checks.forwards++;
    const shapes = Array.from(rest.matchAll(/\[([\d,]*)\]/g), ([, dims]) => dims!);
    if (shapes[0] !== undefined) checks.ranks.add(rankOf(shapes[0]));
    if (shapes.some((dims) => dims.split(',').includes('0'))) checks.empty = true;
    for (const [, name, value] of rest.matchAll(/ (\w+)=(.*?)(?= \w+=|$)/g)) {
      const values = checks.attributes.get(name!) ?? new Set();
      checks.attributes.set(name!, values.add(value!));
    }
  }
  return found;
}

export const none = (): Checks => ({
  gradients: 0,
  forwards: 0,
  ranks: new Set(),
  empty: false,
  attributes: new Map(),
});

const rankOf = (dims: string) => (dims === '' ? 0 : dims.split(',').length);

interface ListedTest {
  readonly name: string;
  readonly file: string;
}

const compareText = (a: string, b: string) => (a < b ? -1 : a > b ? 1 : 0);

function testTitles(root: string): readonly string[] {
  const files = ['packages', 'test/autodiff']
    .flatMap((folder) => filesBelow(root, '.test.ts', folder))
    .filter((path) => SUITES.test(readSource(root, path).code));
  const folder = mkdtempSync(join(tmpdir(), 'starling-checks-'));
  try {
    const report = join(folder, 'tests.json');
    // Without the variables of a test run that this may be part of, or its size.
    const env = Object.fromEntries(
      Object.entries(process.env).filter(([name]) => !/^(VITEST|STARLING_TEST_SIZE)/.test(name)),
    );
    const program = join(root, 'node_modules/vitest/vitest.mjs');
    const args = [program, 'list', ...files, `--json=${report}`];
    const { status, stderr } = spawnSync(process.execPath, args, { cwd: root, env });
    if (status !== 0) throw new Error(`vitest list: ${stderr}`);
    const tests = JSON.parse(readFileSync(report, 'utf8')) as readonly ListedTest[];
    // Files are listed as they happen to be collected; within one, tests stand in order.
    return [...tests].sort((a, b) => compareText(a.file, b.file)).map(({ name }) => name);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
