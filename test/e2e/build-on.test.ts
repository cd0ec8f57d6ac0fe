import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Cluster } from '../interop/cluster.ts';

const LAUNCHER = fileURLToPath(new URL('../../apps/cli/bin/starling.js', import.meta.url));
const ROUNDS = 3;

let cluster: Cluster;
let job: string;
beforeAll(async () => {
  cluster = await Cluster.start(3);
  job = await cluster.launch(ROUNDS, { joinWindowSeconds: 1 });
  await cluster.finished(job, ROUNDS);
});
afterAll(() => cluster.stop());

/** A command at the first peer, with `--json`; its object. */
function starling(...words: readonly string[]): Promise<Record<string, unknown>> {
  const { stateDirectory } = cluster.swarm.peers[0]!.start;
  const args = [LAUNCHER, ...words, '--json'];
  const options = {
    cwd: cluster.directory,
    env: { ...process.env, STARLING_STATE: stateDirectory },
  };
  return new Promise((resolve, reject) => {
    execFile(process.execPath, args, options, (error, stdout, stderr) => {
      if (stdout === '') reject(new Error(stderr, { cause: error }));
      else resolve(JSON.parse(stdout) as Record<string, unknown>);
    });
  });
}

test('the model after each round is pulled with what proves it, the launched one too', async () => {
  for (let round = 0; round <= ROUNDS; round++) {
    const file = `round-${round}.onnx`;
    expect(await starling('model', 'pull', job, '--round', `${round}`, '-o', file)).toMatchObject({
      round,
    });
    const { ok, rounds } = await starling('model', 'verify', file);
    expect([ok, (rounds as unknown[]).length]).toEqual([true, round]);
  }
  const launched = await readFile(join(cluster.directory, 'round-0.onnx'));
  expect(launched.equals(cluster.model)).toBe(true);
});

test('a fork of an earlier round trains on from there, and the lineage tells', async () => {
  const fork = ['model', 'fork', job, '--round', '1', '--rounds', '1', '--freeze', 'fc1.*'];
  const made = await starling(...fork, '--name', 'branch', '-o', 'branch');
  expect(made).toEqual({ file: join('branch', 'job.yaml'), job, round: 1 });
  const { job: branch } = await starling('launch', 'branch/job.yaml');
  await cluster.finished(String(branch), 1);
  await starling('model', 'pull', 'branch', '-o', 'branch.onnx');
  const { relation, weights } = await starling('model', 'diff', 'branch/model.onnx', 'branch.onnx');
  expect(relation).toEqual({ kind: 'launched-from', job: branch, round: 1 });
  const moved = (weights as { name: string; norm: number }[]).filter(({ norm }) => norm > 0);
  expect(moved.map(({ name }) => name.split('.')[0])).not.toContain('fc1');
  expect(moved.length).toBeGreaterThan(0);
});

test('two models are joined, and the joined one is scored', async () => {
  const files = ['round-2.onnx', 'round-3.onnx'];
  await starling('model', 'average', ...files, '--weights', '1,3', '-o', 'both.onnx');
  const { norm } = await starling('model', 'diff', 'round-2.onnx', 'round-3.onnx');
  const { norm: rest } = await starling('model', 'diff', 'both.onnx', 'round-3.onnx');
  expect(Number(rest) / Number(norm)).toBeCloseTo(0.25, 3);
});

test('a finished job is run again with virtual clients, and on the swarm', async () => {
  const data = ['--data', 'data-1', '--clients', '3', '--out', 'again', '--tolerance', '1'];
  const here = await starling('reproduce', job, ...data);
  expect(here).toMatchObject({ ok: true, job, settings: { clients: 3, stop: { rounds: ROUNDS } } });
  for (const model of ['certified', 'again']) {
    const { accuracy } = here[model] as { accuracy: number };
    expect(accuracy).toBeGreaterThan(0.2);
  }
  const there = await starling('reproduce', 'round-2.onnx', '--swarm', '--tolerance', '1');
  expect(there).toMatchObject({ ok: true });
  expect((there.rounds as unknown[]).length).toBe(2);
  expect(await cluster.finished(String(there.job), 2)).toHaveLength(3);
});
