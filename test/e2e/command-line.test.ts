import { execFile, spawn } from 'node:child_process';
import { appendFile, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { controlSocket, createControlServer, type JobEvent } from '@starling/control';
import { describe, expect, onTestFinished, test } from 'vitest';
import { harmless, ID, JOB } from '../../packages/control/src/testing/handlers.ts';
import { missingPrograms } from '../helpers/debian.ts';
import { temporaryDirectory } from '../helpers/temporary.ts';
import { until } from '../helpers/until.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const LAUNCHER = join(ROOT, 'apps/cli/bin/starling.js');
const isFull = process.env['STARLING_TEST_SIZE'] === 'full';

interface Outcome {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

function run(program: string, args: readonly string[], environment = {}): Promise<Outcome> {
  const env = { ...process.env, ...environment };
  return new Promise((resolve) => {
    execFile(program, args, { cwd: ROOT, env }, (error, stdout, stderr) => {
      const code = error === null ? 0 : typeof error.code === 'number' ? error.code : -1;
      resolve({ code, stdout, stderr });
    });
  });
}

const starling = (...args: readonly string[]) => run(process.execPath, [LAUNCHER, ...args]);

/** A state directory with an API that answers for one job, `mnist`. */
async function answering(): Promise<{ state: string; tell: (event: JobEvent) => void }> {
  const state = await temporaryDirectory();
  const listeners = new Set<(event: JobEvent) => void>();
  const job = { ...JOB, name: 'mnist' };
  const server = await createControlServer(
    controlSocket(state),
    harmless({
      jobs: async () => [job],
      job: async () => job,
      watch: (listen) => {
        listeners.add(listen);
        return () => listeners.delete(listen);
      },
    }),
    { token: async () => 'secret-token' },
  );
  onTestFinished(() => server.close());
  const tell = (event: JobEvent) => {
    for (const listen of listeners) listen(event);
  };
  return { state, tell };
}

/** A folder in which `starling` is this repository's. */
async function programs(): Promise<string> {
  const folder = await temporaryDirectory();
  const shim = `#!/bin/sh\nexec "${process.execPath}" "${LAUNCHER}" "$@"\n`;
  await writeFile(join(folder, 'starling'), shim, { mode: 0o755 });
  return folder;
}

describe('a shell that completes', () => {
  /** What bash offers at the end of the line, its words cut as bash cuts them. */
  async function inBash(words: readonly string[], state: string): Promise<readonly string[]> {
    const bin = await programs();
    const script = [
      'source <(starling completion bash)',
      'COMP_WORDS=("$@")',
      'COMP_CWORD=$(($# - 1))',
      '_starling',
      `printf "%s\\n" "\${COMPREPLY[@]}"`,
    ].join('\n');
    const { stdout, stderr } = await run('bash', ['-c', script, 'bash', ...words], {
      ...{ PATH: `${bin}:${process.env['PATH']}`, STARLING_STATE: state },
    });
    expect(stderr).toBe('');
    return stdout.split('\n').filter((line) => line !== '');
  }

  test('bash: commands, options, words, files, and names of the running daemon', async () => {
    const { state } = await answering();
    expect(await inBash(['starling', 'wat'], state)).toEqual(['watch']);
    expect(await inBash(['starling', 'watch', '--pl'], state)).toEqual(['--plain']);
    expect(await inBash(['starling', 'watch', ''], state)).toEqual(['mnist']);
    const role = ['starling', 'swarm', 'invite', '--role', '=', 'tr'];
    expect(await inBash(role, state)).toEqual(['trainer']);
    expect(await inBash(['starling', 'launch', 'package.js'], state)).toEqual(['package.json']);
    expect(await inBash(['starling', 'status', '--state', 'proto'], state)).toEqual(['protocols']);
  });

  test('without a daemon there are no names, and no error', async () => {
    expect(await inBash(['starling', 'watch', ''], await temporaryDirectory())).toEqual([]);
  });

  const lacks = isFull ? missingPrograms(['fish']) : 'only in the full size';

  test.skipIf(lacks !== undefined)(`fish: the same${lacks ? ` (${lacks})` : ''}`, async () => {
    const { state } = await answering();
    const bin = await programs();
    const at = async (line: string) => {
      const script = `starling completion fish | source; complete -C ${JSON.stringify(line)}`;
      const { stdout } = await run('fish', ['--no-config', '-c', script], {
        ...{ PATH: `${bin}:${process.env['PATH']}`, STARLING_STATE: state },
      });
      return stdout.trim().split('\n');
    };
    expect(await at('starling wat')).toEqual([expect.stringMatching(/^watch\tfollow a job/)]);
    expect(await at('starling watch ')).toEqual(['mnist\tmnist: participating']);
    expect(await at('starling launch package.js')).toEqual(['package.json']);
  });
});

describe('dashboard', () => {
  test('tells the address, with the token where no server sees it', async () => {
    const { state } = await answering();
    const { code, stdout, stderr } = await starling('dashboard', '--state', state);
    expect({ code, stdout }).toEqual({
      code: 0,
      stdout: expect.stringMatching(/^http:\/\/127\.0\.0\.1:\d+\/#token=secret-token\n$/),
    });
    expect(stderr).toContain('keep it to yourself');
    const json = await starling('dashboard', '--state', state, '--json');
    expect(JSON.parse(json.stdout)).toEqual({ url: stdout.trim() });
  });

  test('--open starts the browser of the system', async () => {
    const { state } = await answering();
    const bin = await programs();
    const seen = join(bin, 'seen');
    await writeFile(join(bin, 'xdg-open'), `#!/bin/sh\necho "$1" > ${seen}\n`, { mode: 0o755 });
    const args = [LAUNCHER, 'dashboard', '--open', '--state', state];
    const { stdout } = await run(process.execPath, args, { PATH: `${bin}:/usr/bin:/bin` });
    // The shell makes the file before it has written into it.
    const text = () => readFile(seen, 'utf8').catch(() => '');
    expect(await until(async () => (await text()) || undefined)).toBe(stdout);
    const none = await run(process.execPath, args, { PATH: await temporaryDirectory() });
    expect(none.code).toBe(1);
    expect(none.stderr).toMatch(/no xdg-open to start a browser with\. Open the address/);
  });
});

/** Standard output of a process that goes on, and its end. */
function following(...args: readonly string[]) {
  const child = spawn(process.execPath, [LAUNCHER, ...args], { cwd: ROOT });
  onTestFinished(() => void child.kill('SIGKILL'));
  let stdout = '';
  child.stdout.on('data', (data: Buffer) => {
    stdout += data;
  });
  return { lines: () => stdout.split('\n').filter((line) => line !== ''), child };
}

describe('logs', () => {
  const line = (level: number, msg: string, fields = {}) =>
    `${JSON.stringify({ level, time: 0, msg, ...fields })}\n`;

  test('shows the last lines for people, by level, and as JSON', async () => {
    const state = await temporaryDirectory();
    const log = join(state, 'daemon.log');
    await writeFile(log, `${line(30, 'a')}${line(40, 'b', { peer: 'x' })}starling: crash\n`);
    const all = await starling('logs', '--state', state);
    expect(all.stdout).toMatch(/^[\d:]+ {2}info {3}a\n[\d:]+ {2}warn {3}b {2}peer=x\nstarling: cr/);
    const few = await starling('logs', '--state', state, '-n', '2', '--level', 'warn', '--json');
    expect(
      few.stdout
        .trim()
        .split('\n')
        .map((each) => JSON.parse(each)),
    ).toEqual([
      { level: 'warn', time: 0, message: 'b', fields: { peer: 'x' } },
      { message: 'starling: crash' },
    ]);
  });

  test('-f goes on with what comes, also in a file begun anew', async () => {
    const state = await temporaryDirectory();
    const log = join(state, 'daemon.log');
    await writeFile(log, line(30, 'first, long enough to be longer than the next'));
    const { lines } = following('logs', '-f', '--json', '--state', state);
    await until(() => lines().length === 1);
    await appendFile(log, line(30, 'second').slice(0, 10));
    await appendFile(log, line(30, 'second').slice(10));
    await until(() => lines().length === 2);
    await writeFile(log, line(30, 'third'));
    await until(() => lines().length === 3);
    const words = lines().map((each) => (JSON.parse(each) as { message: string }).message);
    expect(words.slice(1)).toEqual(['second', 'third']);
  });

  test('where there is none it says why', async () => {
    const { code, stderr } = await starling('logs', '--state', await temporaryDirectory());
    expect(code).toBe(1);
    expect(stderr).toMatch(/^starling: logs: cannot read .*no such file.*--detach/);
  });
});

describe('events', () => {
  test('tells those of the kinds that are wanted, until the daemon ends', async () => {
    const { state, tell } = await answering();
    const args = ['events', '--types', 'cert*,finished', '--json', '--state', state];
    const { lines } = following(...args);
    // Until somebody reads, nobody is told.
    await until(() => {
      for (const kind of ['phase', 'certified']) tell({ job: ID, kind, text: kind });
      return lines().length > 0;
    });
    tell({ job: ID, kind: 'finished', text: 'over' });
    await until(() => lines().at(-1)?.includes('over') === true);
    const kinds = lines().map((each) => (JSON.parse(each) as JobEvent).kind);
    expect(new Set(kinds)).toEqual(new Set(['certified', 'finished']));
  });

  test('watch without a job tells of all jobs where it has no screen', async () => {
    const { state, tell } = await answering();
    const { lines } = following('watch', '--state', state);
    await until(() => {
      tell({ job: ID, kind: 'phase', text: 'round 1: shares' });
      return lines().length > 0;
    });
    expect(lines()[0]).toMatch(/^[\d:]+ {2}mnist \(abababababab\) {2}phase {2}round 1: shares$/);
  });
});

describe('colours', () => {
  test('are forced and forbidden by the environment', async () => {
    const args = [LAUNCHER, 'gradcheck', 'test/fixtures/autodiff/nowhere'];
    const forced = await run(process.execPath, args, { FORCE_COLOR: '1', NO_COLOR: '' });
    expect(forced.stdout).toContain('\x1b[31m');
    const none = await run(process.execPath, args, { FORCE_COLOR: '0' });
    expect(none.stdout).not.toContain('\x1b');
  });
});

describe('init', () => {
  test('refuses to ask where there is no terminal, and says what to do', async () => {
    const state = await temporaryDirectory();
    const { code, stderr, stdout } = await starling('init', '--state', state);
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    expect(stderr).toMatch(/no terminal to ask on\. Use --yes .*or --answers FILE\n$/);
  });

  test('writes what `up` reads without being told', async () => {
    const state = await temporaryDirectory();
    const args = ['--swarm', 'init-test', '--hours', '22:00-07:00', '--memory', '2 GiB'];
    const made = await starling('init', '--yes', '--state', state, ...args, '--json');
    expect(made.code).toBe(0);
    const { path } = JSON.parse(made.stdout) as { path: string };
    const quiet = 'mdns: false\nlisten: [/ip4/127.0.0.1/tcp/0]\n';
    await writeFile(path, `${await readFile(path, 'utf8')}${quiet}`);
    const up = await starling('up', '--detach', '--state', state);
    onTestFinished(async () => void (await starling('stop', '--state', state)));
    expect(up.stdout).toMatch(/^network +init-test$/m);
    expect(up.stdout).toContain(path);
    const status = await starling('status', '--state', state, '--json');
    expect(JSON.parse(status.stdout)).toMatchObject({
      network: 'init-test',
      resources: { hours: ['22:00-07:00'], memory: { max: 2 * 2 ** 30 } },
    });
  });
});
