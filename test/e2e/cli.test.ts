import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, onTestFinished, test } from 'vitest';
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
  ...['autodiff', 'sim', 'bench', 'swarm show', 'swarm create', 'swarm invite', 'swarm join'],
  ...['swarm members', 'swarm revoke', 'swarm leave'],
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
    ['a role that is none', ['swarm', 'invite', '--role', 'king']],
    ['a duration that is none', ['swarm', 'invite', '--expires', 'soon']],
    ['admins that are not named', ['swarm', 'create', '--admins', '2-of-3']],
    ['nobody to revoke', ['swarm', 'revoke']],
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
    ['swarm show', ['swarm', 'show']],
    ['swarm join', ['swarm', 'join', 'starling1-x']],
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

describe('a daemon', () => {
  /** Arguments for a daemon that meets nobody, with a state directory of its own. */
  async function secluded(): Promise<{ state: string; up: readonly string[] }> {
    const state = await temporaryDirectory();
    const config = join(state, 'starling.yaml');
    await writeFile(config, 'mdns: false\nlisten: [/ip4/127.0.0.1/tcp/0]\n');
    return { state, up: ['up', '--config', config, '--state', state, '--json'] };
  }

  test('in the background comes up, is seen, is not started twice, and stops', async () => {
    const { state, up } = await secluded();
    const started = await starling(...up, '--detach', '--network', 'e2e-cli');
    onTestFinished(async () => void (await starling('stop', '--state', state)));
    expect(started).toMatchObject({ code: 0 });
    const { pid, peerId, addresses } = json(started) as { pid: number; [key: string]: unknown };
    expect(addresses).toEqual([expect.stringContaining(`/p2p/${peerId}`)]);

    const status = await starling('status', '--state', state, '--json');
    expect(json(status)).toMatchObject({ peerId, pid, network: 'e2e-cli', stateDirectory: state });
    const second = await starling(...up, '--detach');
    expect(second.code).toBe(1);
    expect(second.stderr).toMatch(/already running on .* as process \d+\. See `starling status`/);
    const [address] = addresses as [string];
    const third = await starling(
      ...(await secluded()).up,
      ...['--detach', '--listen', address.replace(/\/p2p.*/, '')],
    );
    expect(third.code).toBe(1);
    expect(third.stderr).toMatch(/EADDRINUSE.*Choose another address/);

    const stopped = await starling('stop', '--state', state, '--json');
    expect(json(stopped)).toEqual({ stopped: true, pid, peerId });
    expect(() => process.kill(pid, 0)).toThrow('ESRCH');
  });

  test('in front ends well when its parent is told to', async () => {
    const { up } = await secluded();
    const child = spawn(process.execPath, [LAUNCHER, ...up], {
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    onTestFinished(() => void child.kill('SIGKILL'));
    const [line] = (await once(child.stdout, 'data')) as [Buffer];
    const { pid } = JSON.parse(line.toString()) as { pid: number };
    child.kill('SIGTERM');
    expect(await once(child, 'exit')).toEqual([0, null]);
    expect(() => process.kill(pid, 0)).toThrow('ESRCH');
  });

  test('names the line of a configuration that is wrong', async () => {
    const { state, up } = await secluded();
    await writeFile(join(state, 'starling.yaml'), 'mdns: false\npolicy:\n  minPeers: 1\n');
    const { code, stderr } = await starling(...up, '--detach');
    expect(code).toBe(1);
    expect(stderr).toMatch(/starling\.yaml, line 3, policy\.minPeers: /);
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
});

describe('bench', () => {
  test('round prints a row for each size', async () => {
    const outcome = await starling('bench', 'round', '--quick', '--json');
    expect(outcome).toMatchObject({ code: 0, stderr: '' });
    const rows = json(outcome)['rows'] as readonly Record<string, unknown>[];
    expect(rows).toHaveLength(2);
    for (const row of rows) {
      expect(row).toMatchObject({
        peers: expect.any(Number),
        dim: expect.any(Number),
        bits: expect.any(Number),
        replication: expect.any(Number),
        cpuRatioToPlain: expect.any(Number),
        bytesRatioToPlain: expect.any(Number),
        bytesRatioToFloat32AllReduce: expect.any(Number),
        cpuSecondsPerPeer: expect.any(Number),
        bytesPerPeer: expect.any(Number),
      });
    }
  });
});
