import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { temporaryDirectory } from '../helpers/temporary.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const LAUNCHER = join(ROOT, 'apps/cli/bin/starling.js');
const MLP = 'test/fixtures/autodiff/mlp';
const LENET = 'test/fixtures/autodiff/lenet';

interface Outcome {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** The built program as a process, in the repository's root. */
function starling(...args: readonly string[]): Promise<Outcome> {
  return new Promise((resolve) => {
    execFile(process.execPath, [LAUNCHER, ...args], { cwd: ROOT }, (error, stdout, stderr) => {
      const code = error === null ? 0 : typeof error.code === 'number' ? error.code : -1;
      resolve({ code, stdout, stderr });
    });
  });
}

const json = ({ stdout }: Outcome) => JSON.parse(stdout) as Record<string, unknown>;
const jsonLines = ({ stdout }: Outcome) =>
  stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>);

const COMMANDS = [
  ...['demo', 'up', 'status', 'stop', 'data add', 'data list', 'data inspect', 'launch', 'jobs'],
  ...['jobs approve', 'jobs refuse', 'watch', 'model pull', 'model verify', 'gradcheck'],
  ...['autodiff', 'sim'],
];

describe('usage', () => {
  test('every command explains itself with an example and --json', async () => {
    for (const command of COMMANDS) {
      const { code, stdout } = await starling(...command.split(' '), '--help');
      expect({ command, code }).toEqual({ command, code: 0 });
      expect(stdout).toContain('--json');
      expect(stdout).toContain(`$ starling ${command}`);
    }
  });

  test('no command is forgotten here', async () => {
    const { stdout } = await starling('--help');
    const listed = [...stdout.matchAll(/^ {2}([a-z]+) .*$/gm)].map(([, name]) => name!);
    const groups = COMMANDS.map((command) => command.split(' ')[0]);
    expect(new Set(listed.filter((name) => name !== 'help'))).toEqual(new Set(groups));
  });

  test.each([
    ['an unknown command', ['bogus']],
    ['an unknown command of a group', ['data', 'bogus']],
    ['an unknown option', ['status', '--bogus']],
    ['a missing argument', ['launch']],
    ['an argument too many', ['status', 'now']],
    ['a number out of range', ['sim', '--peers', '2']],
    ['a peer id that is none', ['up', '--trust', 'nobody']],
  ])('%s exits 2 with one line', async (_, args) => {
    const { code, stderr, stdout } = await starling(...args);
    expect(code).toBe(2);
    expect(stderr).toMatch(/^starling: .*\. Add --help for what is possible\n$/);
    expect(stdout).toBe('');
  });

  test('with --json the error is on standard output too', async () => {
    const outcome = await starling('bogus', '--json');
    expect(outcome.code).toBe(2);
    expect(json(outcome)).toEqual({ error: "unknown command 'bogus'" });
  });

  test('a group without a command shows its help and exits 2', async () => {
    const { code, stderr } = await starling('model');
    expect(code).toBe(2);
    expect(stderr).toContain('verify');
  });
});

describe('without a daemon', () => {
  test.each([
    ['status', ['status']],
    ['stop', ['stop']],
    ['jobs', ['jobs']],
    ['jobs approve', ['jobs', 'approve', 'x']],
    ['watch', ['watch', 'x']],
    ['data list', ['data', 'list']],
  ])('%s exits 1 and names the next step', async (_, args) => {
    const outcome = await starling(...args, '--json', '--state', await temporaryDirectory());
    expect(outcome.code).toBe(1);
    expect(outcome.stderr).toMatch(/^starling: daemon: .*Start it with `starling up`.*\n$/);
    expect(json(outcome)['error']).toMatch(/no answer/);
  });

  test('up says which directory it cannot write to', async () => {
    const file = join(ROOT, 'package.json');
    const { code, stderr } = await starling('up', '--detach', '--state', join(file, 'state'));
    expect(code).toBe(1);
    expect(stderr).toMatch(/^starling: stateDirectory: cannot write to .* another --state\n$/);
  });

  test('data inspect names the folder and what is missing', async () => {
    const folder = await temporaryDirectory();
    const outcome = await starling('data', 'inspect', folder, '--json');
    expect(outcome.code).toBe(1);
    expect(json(outcome)['error']).toContain(folder);
    expect(outcome.stderr).not.toMatch(/\n\s+at /);
  });

  test('model verify names the file that is missing', async () => {
    const { code, stderr } = await starling('model', 'verify', '/nowhere/model.onnx');
    expect(code).toBe(1);
    expect(stderr).toMatch(/^starling: model: cannot read .*no such file/);
  });
});

describe('gradcheck', () => {
  test('passes the recorded cases', async () => {
    const outcome = await starling('gradcheck', MLP, LENET, '--json');
    expect(outcome.code).toBe(0);
    expect(jsonLines(outcome)).toMatchObject([
      { name: 'mlp', ok: true },
      { name: 'lenet', ok: true },
    ]);
  });

  test('fails a case that is not there, and goes on', async () => {
    const outcome = await starling('gradcheck', '/nowhere', MLP, '--json');
    expect(outcome.code).toBe(1);
    expect(jsonLines(outcome).map(({ ok }) => ok)).toEqual([false, true]);
  });
});

describe('autodiff', () => {
  const args = ['--loss', 'softmax-cross-entropy', '--optimizer', 'sgd'];

  test('writes a graph that ONNX Runtime runs', async () => {
    const output = join(await temporaryDirectory(), 'training.onnx');
    const outcome = await starling(
      'autodiff',
      `${MLP}/model.onnx`,
      ...args,
      '-o',
      output,
      '--json',
    );
    expect(outcome).toMatchObject({ code: 0, stderr: '' });
    const { InferenceSession } = await import('onnxruntime-node');
    const session = await InferenceSession.create(await readFile(output));
    expect(session.inputNames).toEqual(json(outcome)['inputs']);
    expect(session.outputNames).toEqual(json(outcome)['outputs']);
    expect(session.outputNames).toContain('loss');
    await session.release();
  });

  test('refuses what is no model', async () => {
    const output = join(await temporaryDirectory(), 'training.onnx');
    const { code, stderr } = await starling('autodiff', 'package.json', ...args, '-o', output);
    expect(code).toBe(1);
    expect(stderr).toMatch(/^starling: not an ONNX file.*\n$/);
  });
});

describe('sim', () => {
  const small = ['sim', '--peers', '5', '--dim', '100', '--rounds', '2', '--json'];

  test('is a function of its seed', async () => {
    const runs = await Promise.all(
      ['7', '7', '8'].map((seed) => starling(...small, '--seed', seed)),
    );
    expect(runs.map(({ code }) => code)).toEqual([0, 0, 0]);
    const [first, again, other] = runs.map((run) => json(run)['traceHash']);
    expect(again).toBe(first);
    expect(other).not.toBe(first);
    expect(runs[0]!.stderr).toMatch(/^seed 7\n/);
    expect(json(runs[0]!)).toMatchObject({ roundsFinished: 2, violations: [] });
  });

  test('catches the canary never-both', async () => {
    const outcome = await starling(...small, '--seed', '1', '--canary', 'never-both');
    expect(outcome.code).toBe(1);
    expect(json(outcome)['violations']).toEqual([expect.stringMatching(/^never-both: /)]);
  });

  test('exits 1 when rounds are left', async () => {
    // Nobody can outvote four silent peers of six.
    const lost = ['--peers', '6', '--byzantine', '0.7', '--rounds', '1', '--seed', '3'];
    const outcome = await starling(...small, ...lost, '--no-faults');
    const { roundsFinished } = json(outcome);
    expect(outcome.code).toBe(roundsFinished === 1 ? 0 : 1);
  });
});
