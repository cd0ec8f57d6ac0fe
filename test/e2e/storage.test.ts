import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { createControlClient } from '@starling/control';
import { openTarget } from '@starling/storage';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { type S3Server, startS3Server } from '../helpers/s3-server.ts';
import { until } from '../helpers/until.ts';
import { Cluster } from '../interop/cluster.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const LAUNCHER = join(ROOT, 'apps/cli/bin/starling.js');
const ROUNDS = 3;
const KEEP = 2;

/** Of a command that must succeed; what it prints as JSON. */
function starling<T>(...args: readonly string[]): Promise<T> {
  const options = { cwd: ROOT, maxBuffer: 2 ** 26 };
  return new Promise((resolve, reject) => {
    execFile(process.execPath, [LAUNCHER, ...args, '--json'], options, (error, stdout, stderr) => {
      if (error !== null) reject(new Error(`${args.join(' ')}: ${stderr}`));
      else resolve(JSON.parse(stdout) as T);
    });
  });
}

describe('models and checkpoints on shared storage', () => {
  let server: S3Server;
  let cluster: Cluster;
  let folder: string;
  let state: string;
  let job: string;

  beforeAll(async () => {
    server = await startS3Server('writer');
    server.buckets.names.add('lake');
    vi.stubEnv('AWS_ENDPOINT_URL', server.endpoint);
    vi.stubEnv('AWS_ACCESS_KEY_ID', 'writer');
    vi.stubEnv('AWS_SECRET_ACCESS_KEY', 'secret');
    // Two daemons share a bucket, the third writes to a folder that is not there yet.
    const configOf = (index: number) => ({
      checkpoints: { to: index < 2 ? 's3://lake/runs' : folder, keep: KEEP },
    });
    folder = join(await mkdtemp(join(tmpdir(), 'starling-storage-')), 'share');
    cluster = await Cluster.start(3, new Map(), { configOf });
    state = cluster.swarm.peers[0]!.start.stateDirectory;
  });
  afterAll(async () => {
    vi.unstubAllEnvs();
    await cluster?.stop();
    await server.close();
    await rm(join(folder, '..'), { recursive: true, force: true });
  });

  const client = (index: number) => createControlClient(cluster.swarm.peers[index]!.socket);
  const checkpointsOf = async (index: number) => (await client(index).status()).checkpoints!;

  test('a job is launched with a model from a bucket', async () => {
    await starling('model', 'export', 'zoo:mlp', '-o', 's3://lake/models/start.onnx');
    expect(server.objects.has('lake/models/start.onnx')).toBe(true);
    const file = join(cluster.directory, 'job.yaml');
    await writeFile(
      file,
      [
        'name: stored',
        'model: s3://lake/models/start.onnx',
        'data: {task: mnist, input: {shape: [784]}, classes: 10}',
        'loss: softmax-cross-entropy',
        'aggregation: {phaseSeconds: 2}',
        'admission: {joinWindowSeconds: 1}',
        `stop: {rounds: ${ROUNDS}}`,
      ].join('\n'),
    );
    const launched = await starling<{ job: string }>('launch', file, '--state', state);
    job = launched.job;
    await cluster.finished(job, ROUNDS);
  });

  test('two daemons share a bucket: each round is there once, the newest are kept', async () => {
    const statuses = await until(
      async () => {
        const both = await Promise.all([0, 1].map(checkpointsOf));
        return both.every(({ pending, last }) => pending === 0 && last?.round === ROUNDS) && both;
      },
      60_000,
      'both daemons done',
    );
    const rounds = [ROUNDS - 1, ROUNDS].flatMap((round) => [
      `lake/runs/${job}/round-00000${round}.onnx`,
      `lake/runs/${job}/round-00000${round}.onnx.proof`,
    ]);
    const stored = [...server.objects.keys()].filter((key) => key.startsWith('lake/runs'));
    expect(stored.sort()).toEqual(rounds);
    for (const status of statuses) {
      expect(status).toMatchObject({ state: 'waiting', failed: 0, skipped: 0, lastError: null });
      expect(status.written + status.found).toBeGreaterThanOrEqual(KEEP);
    }
  });

  test('a checkpoint is what `model pull` gives, and is verified like it', async () => {
    const newest = `s3://lake/runs/${job}/round-00000${ROUNDS}.onnx`;
    const verified = await starling('model', 'verify', newest, '--job', job);
    expect(verified).toMatchObject({ ok: true, job });
    const pulled = 's3://lake/models/pulled.onnx';
    await starling('model', 'pull', job, '-o', pulled, '--state', state);
    expect(await starling('model', 'verify', pulled)).toMatchObject({ ok: true });
    const model = server.objects.get('lake/models/pulled.onnx')!;
    const checkpoint = server.objects.get(newest.slice('s3://'.length))!;
    expect(Buffer.compare(model, checkpoint)).toBe(0);
    const compared = await starling('model', 'diff', pulled, newest);
    expect(compared).toMatchObject({ identical: true, relation: { kind: 'same-round' } });
    server.requests.length = 0;
    await starling('model', 'pull', job, '-o', pulled, '--state', state);
    const sent = server.requests.filter((line) => line.startsWith('PUT'));
    expect(sent.filter((line) => !line.includes('.proof'))).toEqual([]);
    await starling('model', 'fork', newest, '-o', 's3://lake/fork');
    expect(server.objects.has('lake/fork/job.yaml')).toBe(true);
  });

  test('a folder that is away holds nothing up, and gets what is kept when it comes', async () => {
    const away = await checkpointsOf(2);
    expect(away).toMatchObject({ written: 0, state: 'retrying' });
    expect(away.lastError).toBe(
      `checkpoints.to: there is no folder ${folder}. Make the folder, or mount what it is on`,
    );
    await mkdir(folder);
    await until(async () => (await checkpointsOf(2)).pending === 0, 60_000, 'nothing pending');
    const target = await openTarget('checkpoints.to', folder);
    const rounds = [ROUNDS - 1, ROUNDS].map((round) => `round-00000${round}.onnx`);
    expect(await target.list(job)).toEqual(rounds.flatMap((name) => [name, `${name}.proof`]));
    const file = join(folder, job, rounds.at(-1)!);
    expect(await starling('model', 'verify', file)).toMatchObject({ ok: true });
    const inBucket = server.objects.get(`lake/runs/${job}/${rounds.at(-1)}`)!;
    expect(Buffer.compare(await readFile(file), inBucket)).toBe(0);
  });
});
