import { execFile } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { CardView, FoundModels } from '@starling/control';
import { expect, test } from 'vitest';
import { temporaryDirectory } from '../helpers/temporary.ts';
import { until } from '../helpers/until.ts';
import { Cluster } from '../interop/cluster.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const LAUNCHER = join(ROOT, 'apps/cli/bin/starling.js');
const ROUNDS = 1;

interface Outcome {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

function starling(...args: readonly string[]): Promise<Outcome> {
  return new Promise((resolve) => {
    execFile(process.execPath, [LAUNCHER, ...args], { cwd: ROOT }, (error, stdout, stderr) => {
      const code = error === null ? 0 : typeof error.code === 'number' ? error.code : -1;
      resolve({ code, stdout, stderr });
    });
  });
}

/** The command line of one daemon; JSON of what must succeed. */
const at =
  (state: string) =>
  async <T>(...args: readonly string[]): Promise<T> => {
    const { code, stdout, stderr } = await starling(...args, '--state', state, '--json');
    expect({ args, code, stderr: code === 0 ? '' : stderr }).toEqual({ args, code: 0, stderr: '' });
    return JSON.parse(stdout) as T;
  };

interface Verified {
  readonly ok: boolean;
  readonly error?: string;
  readonly checks: readonly { readonly link: string; readonly standing: string }[];
}

/** Offline: no daemon is asked. */
async function verify(file: string): Promise<Verified & { readonly code: number }> {
  const { code, stdout } = await starling('model', 'verify', file, '--json');
  return { ...(JSON.parse(stdout) as Verified), code };
}

/** One byte of each file, which then is put right again. */
async function expectForgeriesNamed(file: string): Promise<void> {
  for (const [path, fault] of [
    [file, /^the model: the file's SHA-256 is/],
    [`${file}.proof`, /^the proof: the file's SHA-256 is/],
    [`${file}.card`, /^the card: /],
  ] as const) {
    const bytes = await readFile(path);
    const forged = Buffer.from(bytes);
    forged[forged.length - 1]! ^= 1;
    await writeFile(path, forged);
    const { code, ok, error } = await verify(file);
    expect({ code, ok }).toEqual({ code: 1, ok: false });
    expect(error).toMatch(fault);
    await writeFile(path, bytes);
  }
}

test('trained, published, found by one that came later, fetched, verified, judged', async () => {
  const folder = await temporaryDirectory();
  const cluster = await Cluster.start(3);
  try {
    const job = await cluster.launch(ROUNDS, { joinWindowSeconds: 1 });
    await cluster.finished(job, ROUNDS);
    const [a, b] = cluster.swarm.peers.map(({ start }) => at(start.stateDirectory));
    const card = join(folder, 'card.yaml');
    await writeFile(card, 'summary: Handwritten digits\ntags: [digits, mlp]\nlicence: MIT\n');
    const published = await a!<CardView>(
      'model',
      'publish',
      'test',
      '--card',
      card,
      '--tag',
      'mnist',
    );
    expect(published).toMatchObject({
      ...{ name: 'test', version: 1, task: 'mnist', tags: ['mnist'], licence: 'MIT' },
      lineage: { job, round: ROUNDS },
      inputs: [{ type: 'float32', shape: [0, 784] }],
      metrics: [
        { name: 'accuracy', certified: ROUNDS },
        { name: 'loss', certified: ROUNDS },
      ],
    });

    const late = await cluster.add(3);
    const c = at(late.start.stateDirectory);
    const client = cluster.swarm.client(late);
    await until(async () => (await client.peers()).connected.length > 0, 60_000, 'a connection');
    const found = await c<FoundModels>('model', 'search', 'handwritten', '--input', '784');
    expect(found.models.map((each) => each.card.id)).toEqual([published.id]);

    const file = join(folder, 'fetched.onnx');
    expect(await c('model', 'fetch', 'test@1', '-o', file)).toMatchObject({
      verification: { ok: true, card: { id: published.id } },
    });
    const verified = await verify(file);
    expect(verified).toMatchObject({ code: 0, ok: true });
    const held = verified.checks.filter(({ standing }) => standing === 'holds');
    expect(held.map(({ link }) => link)).toEqual([
      ...['signature', 'model', 'values', 'lineage', 'metrics'],
    ]);
    await expectForgeriesNamed(file);

    await c('model', 'vouch', 'test', '--verified');
    await a!('model', 'deprecate', 'test@1', '--reason', 'one round is little');
    const other = cluster.swarm.client(cluster.swarm.peers[1]!).models;
    await until(
      async () => {
        const { deprecated, vouches } = await other.show(published.id);
        return deprecated !== null && vouches.length === 1;
      },
      60_000,
      'both statements',
    );
    expect(await b!('model', 'show', published.id.slice(0, 12))).toMatchObject({
      deprecated: { reason: 'one round is little', successor: null },
      vouches: [{ what: 'verified', metric: null }],
    });
  } finally {
    await cluster.stop();
  }
});
