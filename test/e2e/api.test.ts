import { execFile } from 'node:child_process';
import { readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import {
  controlSocket,
  createControlClient,
  type PolicyView,
  type RemoteDaemon,
  type Status,
} from '@starling/control';
import { expect, onTestFinished, test } from 'vitest';
import { selfSigned } from '../../packages/control/src/testing/certificate.ts';
import { temporaryDirectory } from '../helpers/temporary.ts';

const LAUNCHER = fileURLToPath(new URL('../../apps/cli/bin/starling.js', import.meta.url));

/** The built program; its answer with --json. */
async function starling<T>(...args: readonly string[]): Promise<T> {
  const { stdout } = await promisify(execFile)(process.execPath, [LAUNCHER, ...args, '--json']);
  return JSON.parse(stdout) as T;
}

async function up(api: object) {
  const state = join(await temporaryDirectory(), 'state');
  const config = `${state}.yaml`;
  const listen = ['/ip4/127.0.0.1/tcp/0'];
  await writeFile(config, JSON.stringify({ mdns: false, listen, api, log: 'debug' }));
  const start = () =>
    starling<{ apiUrl: string }>('up', '--detach', '--state', state, '--config', config);
  const stop = () => starling('stop', '--state', state);
  const { apiUrl } = await start();
  onTestFinished(async () => void (await stop().catch(() => undefined)));
  const token = () => readFile(join(state, 'api-token'), 'utf8').then((text) => text.trim());
  return { state, apiUrl, start, stop, token };
}

const there = ({ apiUrl, state }: { apiUrl: string; state: string }, url = apiUrl) => [
  ...['--api', url, '--token-file', join(state, 'api-token')],
];

test('over TCP a daemon is what it is over its socket, and it keeps its secret', async () => {
  const daemon = await up({ listen: '127.0.0.1:0' });
  const { state, apiUrl, token } = daemon;
  expect((await stat(join(state, 'api-token'))).mode & 0o777).toBe(0o600);
  const remote = await starling<Status>('status', ...there(daemon));
  expect(remote.peerId).toBe((await starling<Status>('status', '--state', state)).peerId);
  const table = join(state, '../prices.csv');
  await writeFile(table, 'a,b,kind\n1,2,cat\n3,4,dog\n5,6,cat\n');
  await starling('data', 'add', 'prices', table, '--label', 'kind', ...there(daemon));
  expect(await starling('data', 'list', '--state', state)).toMatchObject({
    dataSets: [{ name: 'prices', examples: 3 }],
  });
  const ready = await fetch(`${apiUrl}/ready`);
  expect([ready.status, await ready.json()]).toEqual([200, { status: 'ready' }]);
  expect((await fetch(`${apiUrl}/v1/status`)).status).toBe(401);
  const own = await createControlClient(controlSocket(state)).listen();
  expect(own).toEqual({ url: apiUrl, token: await token() });
  await starling('stop', ...there(daemon));
  expect(await readFile(join(state, 'daemon.log'), 'utf8')).not.toContain(await token());
});

test('what policy set says holds at once, and after a restart', async () => {
  const daemon = await up({});
  const set = (key: string, value: string) =>
    starling<PolicyView>('policy', 'set', key, value, '--state', daemon.state);
  expect(await set('minPeers', '5')).toMatchObject({ minPeers: 5, set: ['minPeers'] });
  await set('privacyBudget.scans', '{epsilon: 8}');
  await expect(set('minPeers', '2')).rejects.toThrow(/policy\.minPeers/);
  await daemon.stop();
  await daemon.start();
  const view = await starling<PolicyView>('policy', 'show', '--state', daemon.state);
  expect(view).toMatchObject({ minPeers: 5, privacyBudget: { scans: { epsilon: 8 } } });
  expect(await set('minPeers', 'default')).toMatchObject({ minPeers: 3, set: ['privacyBudget'] });
});

test('every address is served over TLS, with the owner’s certificate', async () => {
  const directory = await temporaryDirectory();
  const { cert } = await selfSigned(directory);
  const tls = { cert: join(directory, 'cert.pem'), key: join(directory, 'key.pem') };
  const daemon = await up({ listen: '0.0.0.0:0', tls });
  expect(daemon.apiUrl).toMatch(/^https:\/\/localhost:\d+$/);
  const trusted = await starling<Status>('status', ...there(daemon), '--ca', tls.cert);
  expect(trusted.apiUrl).toBe(daemon.apiUrl);
  await expect(starling('status', ...there(daemon))).rejects.toThrow(/is not trusted.*--ca/);
  const named: RemoteDaemon = { url: daemon.apiUrl, token: await daemon.token(), ca: cert };
  const browser = await createControlClient(controlSocket(daemon.state)).listen();
  expect(browser.url).toMatch(/^http:\/\/127\.0\.0\.1:\d+$/);
  expect((await createControlClient(named).status()).pid).toBe(trusted.pid);
});
