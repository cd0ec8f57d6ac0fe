import { execFile } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { controlSocket, createControlClient, type ServedView } from '@starling/control';
import { writeModel } from '@starling/onnx';
import { zooModel } from '@starling/trainer';
import { expect, onTestFinished, test } from 'vitest';
import { temporaryDirectory } from '../helpers/temporary.ts';
import { until } from '../helpers/until.ts';

const LAUNCHER = fileURLToPath(new URL('../../apps/cli/bin/starling.js', import.meta.url));

/** The built program; its answer with --json. */
async function starling<T>(...args: readonly string[]): Promise<T> {
  const { stdout } = await promisify(execFile)(process.execPath, [LAUNCHER, ...args, '--json']);
  return JSON.parse(stdout) as T;
}

async function up(name: string, settings: object) {
  const state = join(await temporaryDirectory(), name);
  const config = `${state}.yaml`;
  const listen = ['/ip4/127.0.0.1/tcp/0'];
  await writeFile(config, JSON.stringify({ mdns: false, listen, ...settings }));
  const here = ['--state', state];
  const start = () => starling('up', '--detach', '--config', config, ...here);
  const stop = () => starling('stop', ...here);
  await start();
  onTestFinished(async () => void (await stop().catch(() => undefined)));
  const log = () => readFile(join(state, 'daemon.log'), 'utf8');
  return { here, start, stop, log, api: createControlClient(controlSocket(state)) };
}

interface Answer {
  readonly version: string;
  readonly outputs: readonly { readonly name: string; readonly data: readonly number[] }[];
}

test('a daemon answers by HTTP and to its swarm, swaps, and comes back with it', async () => {
  const token = 'a-secret-of-the-ward';
  const folder = await temporaryDirectory();
  const secret = join(folder, 'token');
  await writeFile(secret, `${token}\n`);
  const tokens = [{ name: 'ward', file: secret }];
  const serving = { listen: '127.0.0.1:0', tokens };
  const { here, api, start, stop, log } = await up('server', { serving });
  const models = [1, 2].map((seed) => writeModel(zooModel('mlp', seed)));
  const file = join(folder, 'first.onnx');
  await writeFile(file, models[0]!);
  const words = ['model', 'serve', 'digits', '--file', file, '--device', 'cpu', '--swarm'];
  const first = await starling<ServedView>(...words, ...here);
  expect(first).toMatchObject({ version: '1', isReady: true, unbatchable: null, device: 'cpu' });

  const pixels = join(folder, 'pixels.json');
  await writeFile(pixels, JSON.stringify([Array(784).fill(0.5), Array(784).fill(0.1)]));
  const asked = ['infer', 'digits', '--input', pixels];
  const ask = () => starling<Answer>(...asked, ...here, '--bearer', secret);
  const one = await ask();
  expect(one.version).toBe('1');
  expect(one.outputs[0]!.data).toHaveLength(20);
  await expect(starling(...asked, ...here)).rejects.toThrow(/serving\.tokens/);

  // A newer file of the name takes over.
  const { options } = first;
  const model = Buffer.from(models[1]!).toString('base64');
  const source = { kind: 'file', file: 'second.onnx', model } as const;
  expect((await api.serving.serve({ name: 'digits', source, options })).version).toBe('2');
  const two = await ask();
  expect(two.version).toBe('2');
  expect(two.outputs[0]!.data).not.toEqual(one.outputs[0]!.data);
  const slower = { ...options, maxDelayMs: 5 };
  await expect(api.serving.serve({ name: 'digits', source, options: slower })).rejects.toThrow(
    /other options.*unserve/,
  );

  // Another member asks over libp2p.
  const { peerId, addresses } = await api.status();
  const asker = await up('asker', { bootstrap: addresses });
  const peers = async () => (await asker.api.status()).peers;
  await until(async () => (await peers()).includes(peerId), 30_000, 'the peers are connected');
  const answer = await starling<Answer>(...asked, '--peer', peerId, ...asker.here);
  expect(answer.outputs[0]!.data).toEqual(two.outputs[0]!.data);

  // What cannot be served is refused with the next step.
  const refused = (...words: readonly string[]) =>
    expect(starling('model', 'serve', 'm', ...words, ...asker.here)).rejects;
  await refused('--file', file).toThrow(/nothing listens.*serving: \{listen/s);
  await refused('--job', 'none', '--swarm').toThrow(/no job is called "none"/);
  await refused().toThrow(/one of --job JOB, --file MODEL.onnx and --card CARD/);

  // What is served comes back after a restart, in its version.
  await stop();
  await start();
  const back = await until(async () => {
    const [served] = (await api.serving.list()).models;
    return served?.isReady ? served : undefined;
  });
  expect(back).toMatchObject({ name: 'digits', version: '2', from: 'second.onnx' });
  const { url } = await api.serving.list();
  const headers = { authorization: `Bearer ${token}` };
  const metadata = await fetch(`${url}/v2/models/digits`, { headers });
  expect(await metadata.json()).toMatchObject({ versions: ['2'] });

  await starling('model', 'unserve', 'digits', ...here);
  expect((await api.serving.list()).models).toEqual([]);
  expect(await log()).not.toContain(token);
});
