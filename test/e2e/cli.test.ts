import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { byteImages, writeDataset } from '@starling/trainer';
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
  ...[
    'demo',
    'up',
    'status',
    'stop',
    'data add',
    'data list',
    'data remove',
    'data inspect',
    'launch',
    'jobs',
  ],
  ...['jobs approve', 'jobs refuse', 'watch', 'cancel', 'model pull', 'model verify', 'gradcheck'],
  ...['model eval', 'model export', 'model diff', 'model fork', 'model average', 'credits'],
  'doctor',
  ...['model publish', 'model search', 'model show', 'model fetch', 'model vouch'],
  ...['model deprecate', 'model offer', 'model buy', 'model grant', 'model take', 'model tokens'],
  ...['model revoke', 'ledger', 'ledger acquit', 'reproduce', 'infer'],
  ...['model serve', 'model served', 'model unserve'],
  ...[
    'autodiff',
    'sim',
    'experiment',
    'bench',
    'swarm show',
    'swarm create',
    'swarm invite',
    'swarm join',
  ],
  ...['swarm members', 'swarm revoke', 'swarm vouch', 'swarm vouches', 'swarm leave'],
  ...['privacy', 'privacy plan', 'privacy plan-examples', 'policy show', 'policy set'],
  ...['init', 'dashboard', 'events', 'logs', 'completion'],
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
    const outcome = await starling('nonsense', '--json');
    expect(outcome.code).toBe(2);
    expect(json(outcome)).toEqual({ error: "unknown command 'nonsense'" });
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
    ['cancel', ['cancel', 'x']],
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

  test('data inspect shows columns, the balance of classes, and what hinders', async () => {
    const file = join(await temporaryDirectory(), 'fruit.csv');
    await writeFile(file, 'weight,kind\n1.5,apple\n2.5,pear\n3.5,apple\n4.5,apple\n');
    const shown = await starling('data', 'inspect', file, '--normalise', 'standard');
    expect(shown).toMatchObject({ code: 0, stderr: '' });
    expect(shown.stdout).toMatch(/^targets +2 classes$/m);
    expect(shown.stdout).toMatch(/^weight +input +number +0 +1\.5 +4\.5 +3 +1\.118 +4$/m);
    expect(shown.stdout).toMatch(/^apple +3 +75\.00 % {2}█{40}$/m);
    expect(shown.stdout).toMatch(/^pear +1 +25\.00 % {2}█{13}$/m);
    const bad = await starling('data', 'inspect', file, '--classes', 'apple', '--json');
    expect(bad.code).toBe(1);
    expect(json(bad)['error']).toMatch(/classes: "apple" names no two different classes/);
    const short = await starling('data', 'inspect', file, '--shape', '2x2', '--json');
    expect(short.code).toBe(1);
    expect(json(short)).toMatchObject({
      ...{ format: 'csv', examples: 4, classes: 2, histogram: [3, 1], task: 'fruit' },
      problems: [expect.stringContaining('--shape 2x2 has 4 elements, but an example has 1')],
    });
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

  test('offers data of any kind, and no longer when they are removed', async () => {
    const { state, up } = await secluded();
    expect(await starling(...up, '--detach', '--network', 'e2e-data')).toMatchObject({ code: 0 });
    onTestFinished(async () => void (await starling('stop', '--state', state)));
    const data = (...args: string[]) => starling('data', ...args, '--state', state, '--json');
    const text = join(state, 'plays.txt');
    await writeFile(text, 'to be or not to be, that is the question. '.repeat(9));
    const words = ['--text', 'chars', '--sequence', '8', '--task', 'plays'];
    const added = await data('add', 'plays', text, ...words);
    expect(json(added)).toEqual({
      ...{ name: 'plays', path: text, task: 'plays', format: 'text', examples: 47, shape: [8] },
      ...{ dtype: 'int32', target: 'sequence', classes: 15, augment: null },
    });
    const twice = await data('add', 'plays', text, ...words);
    expect(json(twice)['error']).toMatch(/there is a data set "plays" already\. Choose another/);
    const flipped = await data('add', 'b', text, ...words, '--augment', 'flip');
    expect(json(flipped)['error']).toMatch(/augment: tokens cannot be augmented/);
    expect(json(await data('list'))['dataSets']).toEqual([json(added)]);
    expect(json(await data('remove', 'plays'))).toEqual(json(added));
    expect(json(await data('list'))['dataSets']).toEqual([]);
    expect(json(await data('remove', 'plays'))['error']).toMatch(/there is no data set "plays"/);
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

describe('a machine and a model, without a daemon', () => {
  test('doctor finds what keeps it from taking part, and fails', async () => {
    const folder = await temporaryDirectory();
    await writeFile(join(folder, 'taken'), '');
    const broken = await starling('doctor', '--json', '--state', join(folder, 'taken'));
    expect(broken.code).toBe(1);
    const report = json(broken) as { ok: boolean; checks: { id: string; findings: object[] }[] };
    expect(report.ok).toBe(false);
    expect(report.checks.map(({ id }) => id)).toEqual([
      ...['node', 'config', 'state', 'memory', 'files', 'clock'],
      ...['listen', 'bootstrap', 'access', 'peers', 'skew', 'nat', 'relay', 'dht', 'gossip'],
      ...['trainer', 'devices', 'cage'],
    ]);
    expect(report.checks[2]!.findings[0]).toMatchObject({
      verdict: 'fail',
      evidence: expect.stringContaining('a file is in the way'),
      next: expect.stringContaining('--state'),
    });
  });

  test('doctor shows each finding with its next step', async () => {
    const folder = await temporaryDirectory();
    const config = join(folder, 'starling.yaml');
    await writeFile(config, 'resources:\n  trainer:\n    device: abacus\n');
    const { code, stdout, stderr } = await starling(
      'doctor',
      '--state',
      folder,
      '--config',
      config,
    );
    expect(code).toBe(1);
    expect(stdout).toMatch(/fail {5}\S+starling.yaml, line 3, resources.trainer.device/);
    expect(stdout).toContain('→ Mend the file');
    expect(stderr).toMatch(/starling: 1 failure/);
  });

  test('a model is scored on a folder, and exported for use', async () => {
    const folder = await temporaryDirectory();
    const data = join(folder, 'noise');
    const images = Uint8Array.from({ length: 40 * 784 }, (_, i) => (i * 7) % 251);
    const labels = Uint8Array.from({ length: 40 }, (_, i) => i % 10);
    const set = byteImages({ shape: [28, 28], pixels: images, labels, classes: 10 });
    await writeDataset(data, set, { task: 'noise', classes: 10 });
    const file = join(folder, 'model.onnx');
    const exported = await starling('model', 'export', 'zoo:mlp', '-o', file, '--json');
    expect(json(exported)).toMatchObject({ inputs: [{ name: 'input', shape: ['batch', 784] }] });
    const scored = await starling('model', 'eval', file, '--data', data, '--json');
    const report = json(scored) as { examples: number; confusion: number[][] };
    expect(report).toMatchObject({ kind: 'classes', examples: 40 });
    expect(report.confusion.map((row) => row.reduce((a, b) => a + b, 0))).toEqual(
      new Array(10).fill(4),
    );
    const table = await starling('model', 'eval', file, '--data', data);
    expect(table.stdout).toMatch(/CLASS +PRECISION +RECALL +F1 +SUPPORT/);
    const lost = await starling('model', 'eval', file, '--data', 'nowhere', '--state', folder);
    expect(lost.code).toBe(1);
    expect(lost.stderr).toContain('there is no path "nowhere", and no daemon is running');
  });
});
