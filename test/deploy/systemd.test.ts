import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { appendFileSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { loadConfig } from '@starling/daemon';
import { describe, expect, onTestFinished, test } from 'vitest';
import { installed, missingPrograms } from '../helpers/debian.ts';
import { temporaryDirectory } from '../helpers/temporary.ts';
import { until } from '../helpers/until.ts';

const ROOT = join(import.meta.dirname, '../..');
const UNIT = join(ROOT, 'deploy/systemd/starling.service');
const DAEMON = join(ROOT, 'apps/cli/dist/daemon.js');
const isFull = process.env['STARLING_TEST_SIZE'] === 'full';

/** Lines of a unit's section `Service`. */
const settings = (file: string): ReadonlyMap<string, string> =>
  new Map(
    readFileSync(join(ROOT, file), 'utf8')
      .replaceAll('\\\n', ' ')
      .split('\n')
      .filter((line) => /^[A-Z]\w+=/.test(line))
      .map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)]),
  );

test('the unit starts the daemon with options that it has and a right configuration', () => {
  const words = settings('deploy/systemd/starling.service').get('ExecStart')!.split(/\s+/);
  const [node, program, ...options] = words;
  expect([node, program]).toEqual(['/usr/bin/node', '/usr/lib/starling/dist/daemon.js']);
  const entry = readFileSync(join(ROOT, 'apps/daemon/src/main.ts'), 'utf8');
  for (const option of options.filter((word) => word.startsWith('--'))) {
    expect(entry).toContain(`${option.slice('--'.length)}: { type: 'string'`);
  }
  const config = loadConfig(join(ROOT, 'deploy/systemd/starling.yaml'));
  expect(config.listen).toEqual(['/ip4/0.0.0.0/tcp/4001']);
  expect(settings('deploy/systemd/drop-ins/limits.conf').get('MemoryMax')).toBe('2G');
});

const offHand = ['systemd-notify', 'python3'].every(
  (name) => spawnSync('which', [name]).status === 0,
);
const cannotNotify =
  offHand || !isFull
    ? !offHand && 'needs systemd-notify and python3'
    : missingPrograms(['systemd-notify', 'python3'], ['systemd', 'python3-minimal']);

/** A service manager's socket: prints each datagram as a line of JSON. */
const LISTENER = `
import json, socket, sys
hear = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
hear.bind(sys.argv[1])
print(json.dumps(""), flush=True)
while True:
    print(json.dumps(hear.recv(4096).decode()), flush=True)
`;

/** Datagrams as they come, each split into its lines. */
async function listen(path: string): Promise<readonly string[]> {
  const heard: string[] = [];
  const child = spawn('python3', ['-c', LISTENER, path], { stdio: ['ignore', 'pipe', 'inherit'] });
  onTestFinished(() => void child.kill());
  createInterface({ input: child.stdout }).on('line', (line) => {
    heard.push(...(JSON.parse(line) as string).split('\n'));
  });
  await until(() => heard.length > 0, 30_000, 'the listener');
  return heard;
}

test.skipIf(cannotNotify)('a service manager hears of start, life and end', async () => {
  const folder = await temporaryDirectory();
  const socket = join(folder, 'notify');
  const heard = await listen(socket);
  const state = join(folder, 'state');
  const set = JSON.stringify({ mdns: false, listen: ['/ip4/127.0.0.1/tcp/0'] });
  const daemon = spawn(process.execPath, [DAEMON, '--state', state, '--set', set], {
    env: { ...process.env, NOTIFY_SOCKET: socket, WATCHDOG_USEC: '1000000' },
    stdio: 'ignore',
  });
  onTestFinished(() => void daemon.kill('SIGKILL'));
  const count = (word: string) => heard.filter((each) => each === word).length;
  await until(() => count('WATCHDOG=1') >= 2, 60_000, 'two signs of life');
  expect(heard.indexOf('READY=1')).toBeLessThan(heard.indexOf('WATCHDOG=1'));
  expect(heard).toContain('STATUS=peers connected: 0');
  const exit = once(daemon, 'exit');
  daemon.kill('SIGTERM');
  expect(await exit).toEqual([0, null]);
  await until(() => count('STOPPING=1') === 1, 10_000, 'its end');
  expect(count('READY=1')).toBe(1);
});

test('a daemon that cannot speak to its manager says so once, and runs on', async () => {
  const folder = await temporaryDirectory();
  const set = JSON.stringify({ mdns: false, listen: ['/ip4/127.0.0.1/tcp/0'] });
  const env = { ...process.env, NOTIFY_SOCKET: join(folder, 'nobody'), PATH: folder };
  const args = [DAEMON, '--state', join(folder, 'state'), '--set', set];
  const daemon = spawn(process.execPath, args, { env, stdio: ['ignore', 'ignore', 'pipe'] });
  onTestFinished(() => void daemon.kill('SIGKILL'));
  let told = '';
  daemon.stderr.on('data', (data) => {
    told += data;
  });
  await until(() => told.includes('cannot tell the service manager'), 60_000, 'a warning');
  const exit = once(daemon, 'exit');
  daemon.kill('SIGTERM');
  expect(await exit).toEqual([0, null]);
  expect(told.split('cannot tell the service manager')).toHaveLength(2);
});

describe.skipIf(!isFull)('systemd-analyze', () => {
  const works = () => spawnSync('systemd-analyze', ['--version']).status === 0;
  const missing = installed(['systemd'], works, 'needs systemd-analyze');
  if (missing !== undefined) console.warn(`systemd: not run, ${missing}`);

  /** The unit, and a root in which what it starts is there. */
  async function root(): Promise<string> {
    const folder = await temporaryDirectory();
    const script = `
      mkdir -p ${folder}/usr/lib/systemd/system ${folder}/usr/bin ${folder}/etc/starling
      cp ${UNIT} ${folder}/usr/lib/systemd/system/
      cp -r /usr/lib/systemd/system/*.target ${folder}/usr/lib/systemd/system/
      printf '#!/bin/sh\\n' > ${folder}/usr/bin/node
      chmod 755 ${folder}/usr/bin/node`;
    execFileSync('sh', ['-euc', script]);
    return folder;
  }

  test.skipIf(missing)('finds no fault with the unit', async () => {
    const folder = await root();
    const args = ['verify', '--man=no', `--root=${folder}`, 'starling.service'];
    const faults = () => {
      const { stdout, stderr } = spawnSync('systemd-analyze', args, { encoding: 'utf8' });
      return `${stdout}${stderr}`.split('\n').filter((line) => line.includes('starling'));
    };
    expect(faults()).toEqual([]);
    // It would have found one.
    appendFileSync(join(folder, 'usr/lib/systemd/system/starling.service'), 'WantedBi=x\n');
    expect(faults()).toEqual([expect.stringContaining("Unknown key 'WantedBi'")]);
  });

  test.skipIf(missing)('scores its exposure as the page says', () => {
    const args = ['security', '--offline=true', '--no-pager', UNIT];
    const { stdout } = spawnSync('systemd-analyze', args, { encoding: 'utf8' });
    const [, score, word] = /exposure level for starling.service: ([\d.]+) (\w+)/.exec(stdout)!;
    const page = readFileSync(join(ROOT, 'docs/deploy/systemd.md'), 'utf8');
    expect(page).toContain(`exposure ${score} (${word})`);
    expect(Number(score)).toBeLessThan(3);
  });
});
