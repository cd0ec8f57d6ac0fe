import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { InviteView } from '@starling/control';
import { decodeRecord } from '@starling/membership';
import { numbersOf, readModel } from '@starling/onnx';
import { expect, onTestFinished, test } from 'vitest';
import { Receiver } from '../../packages/telemetry/src/testing/receiver.ts';
import { traceIdOf } from '../../packages/telemetry/src/trace-id.ts';
import { until } from '../helpers/until.ts';
import { LoggedDaemon } from './daemon.ts';
import { addData, launch, MARKERS, trained } from './ward.ts';

/** The ways in which a program may print bytes. */
const formsOf = (bytes: Uint8Array): readonly string[] => [
  ...(['hex', 'base64', 'base64url'] as const).map((form) => Buffer.from(bytes).toString(form)),
  Buffer.from(bytes).toString('base64').replace(/=+$/, ''),
  [...bytes].join(','),
  [...bytes].join(', '),
];

/** Everything that must be in no line, by what it is. */
async function secretsOf(
  daemons: readonly LoggedDaemon[],
  invites: readonly InviteView[],
  models: readonly Uint8Array[],
): Promise<ReadonlyMap<string, readonly string[]>> {
  const { columns, labels, file, values } = MARKERS;
  const seeds = await Promise.all(daemons.map(({ state }) => readFile(join(state, 'identity'))));
  const record = decodeRecord(await readFile(join(daemons[0]!.state, 'swarm')));
  const tokens = daemons.map(({ state }) => join(state, 'api-token')).filter(existsSync);
  const weights = models.flatMap((model) =>
    [...readModel(model).graph.initializers.values()].flatMap((tensor) => [...numbersOf(tensor)]),
  );
  return new Map([
    ['invites', invites.map(({ invite }) => invite)],
    ['identity seeds', seeds.flatMap(formsOf)],
    ['the pre-shared key', formsOf(record.key!)],
    [
      'tokens',
      await Promise.all(tokens.map(async (path) => (await readFile(path, 'utf8')).trim())),
    ],
    ['the data', [...columns, ...labels, ...values, file]],
    ['weights', weights.map(String).filter((number) => number.length > 8)],
  ]);
}

/** A private swarm of three that trains a job on marked data, with all that it says about it. */
async function wholeLife() {
  const receiver = await Receiver.start();
  onTestFinished(() => receiver.stop());
  const telemetry = { otlp: { endpoint: receiver.endpoint } };
  const api = { listen: '127.0.0.1:0' };
  const admin = await LoggedDaemon.start({ logFormat: 'ecs', telemetry, api });
  const { peerId } = await admin.client.status();
  const policy = { trust: [peerId] };
  const others = [
    await LoggedDaemon.start({ logFormat: 'json', policy }),
    await LoggedDaemon.start({ logFormat: 'text', policy }),
  ];
  const daemons = [admin, ...others];
  await admin.client.swarm.create({ name: 'ward' });
  const invites: InviteView[] = [];
  for (const { client } of others) {
    const made = await admin.client.swarm.invite({});
    invites.push(made);
    await client.swarm.join(made.invite);
  }
  const wrong = `${invites[0]!.invite.slice(0, -4)}zzzz`;
  await expect(others[1]!.client.swarm.join(wrong)).rejects.toThrow();
  const isMet = async () => (await admin.client.status()).peers.length === 2;
  await until(isMet, 30_000, 'the mesh');
  for (const daemon of daemons) await addData(daemon);
  const { job, model } = await launch(admin, 2);
  await trained(daemons, job);
  const pulled = await admin.client.pull(job);
  const metrics = await Promise.all(daemons.map((daemon) => daemon.get('/metrics')));
  for (const daemon of daemons) await daemon.stop();
  const models = [model, Buffer.from(pulled.model, 'base64')];
  return { daemons, invites, receiver, metrics, models, job };
}

test('nothing secret and nothing of the data is in logs, metrics or traces', async () => {
  const { daemons, invites, receiver, metrics, models, job } = await wholeLife();
  const logs = daemons.map(({ log }) => log);
  const traces = JSON.stringify(receiver.bodies);
  const told = [...logs, ...metrics, traces];

  // What is looked through is what it should be: each has the job's end in it.
  for (const log of logs) expect(log).toMatch(/finished/);
  for (const text of metrics) expect(text).toContain('starling_jobs_finished_total 1');
  expect(metrics[0]).toMatch(/starling_job_rounds\{job_id="[0-9a-f]{12}",job_name="ward"\} 2/);
  expect(metrics[0]).toMatch(/starling_job_accuracy\{[^}]*job_name="ward"\} [01]/);
  expect(traces).toContain(job);

  const secrets = await secretsOf(daemons, invites, models);
  for (const [kind, texts] of secrets) {
    expect(texts.length, kind).toBeGreaterThan(0);
    for (const secret of texts) {
      for (const text of told) expect(text.includes(secret), `${kind} in a line`).toBe(false);
    }
  }

  // One trace for one round, whoever tells of it.
  for (const round of [1, 2]) {
    const trace = traceIdOf(job, round);
    expect(logs[0]).toContain(`"trace.id":"${trace}"`);
    expect(logs[1]).toContain(`"traceId":"${trace}"`);
    expect(receiver.spans.some(({ traceId }) => traceId === trace)).toBe(true);
  }
  expect(logs[0]).not.toMatch(/^\(node:.*$/m);
  const lines = logs[0]!
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as object);
  expect(lines.every((line) => '@timestamp' in line && 'service.name' in line)).toBe(true);
});
