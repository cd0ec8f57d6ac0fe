import { type JobFile, type JobView, jobFileSchema } from '@starling/control';
import { readModel, writeModel } from '@starling/onnx';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { until } from '../helpers/until.ts';
import { Cluster } from './cluster.ts';
import { Rogue } from './rogue.ts';

let cluster: Cluster;
beforeAll(async () => {
  cluster = await Cluster.start(3);
});
afterAll(() => cluster?.stop());

const client = (peer = 0) => cluster.swarm.client(cluster.swarm.peers[peer]!);

const jobFile = (name: string, data: Partial<JobFile['data']> = {}): JobFile =>
  jobFileSchema.parse({
    name,
    model: 'zoo:mlp',
    data: { task: 'mnist', input: { shape: [784] }, classes: 10, ...data },
    aggregation: { phaseSeconds: 2 },
    admission: { joinWindowSeconds: 2 },
    stop: { rounds: 1 },
  });

/** Every daemon still answers, and is the process it was. */
async function expectAllAlive(): Promise<void> {
  const { alive } = cluster.swarm;
  expect(alive).toHaveLength(cluster.swarm.peers.length);
  const answers = await Promise.all(alive.map((peer) => cluster.swarm.client(peer).status()));
  expect(new Set(answers.map(({ peerId }) => peerId)).size).toBe(alive.length);
}

/** A job as every daemon shows it, once all stand where told. */
async function standing(job: string, wanted: JobView['standing']): Promise<readonly JobView[]> {
  return until(
    async () => {
      const asked = cluster.swarm.alive.map((peer) => cluster.swarm.client(peer).job(job));
      const views = (await Promise.allSettled(asked)).flatMap((answer) =>
        answer.status === 'fulfilled' ? [answer.value] : [],
      );
      const all = views.length === asked.length;
      return all && views.every((view) => view.standing === wanted) && views;
    },
    30_000,
    `${wanted} everywhere`,
  );
}

test('a corrupt ONNX file is refused with its cause, and the daemon lives on', async () => {
  const cut = cluster.model.subarray(0, cluster.model.length >> 1);
  const text = new TextEncoder().encode('this is no model at all');
  for (const model of [cut, text, new Uint8Array(0)]) {
    const launch = client().launch(jobFile('corrupt'), model);
    await expect(launch).rejects.toThrow(/model|ONNX|protobuf/i);
  }
  expect(await client().jobs()).toEqual([]);
  await expectAllAlive();
});

test('an operator that nobody knows is refused by its name and its node’s', async () => {
  const { graph } = readModel(cluster.model);
  const nodes = graph.nodes.map((node) =>
    node.op === 'Relu' ? { ...node, op: 'FancyRelu' } : node,
  );
  const fancy = nodes.find(({ op }) => op === 'FancyRelu')!;
  const model = writeModel({ graph: { ...graph, nodes } });
  const launch = client().launch(jobFile('unknown operator'), model);
  await expect(launch).rejects.toThrow('FancyRelu');
  await expect(client().launch(jobFile('again'), model)).rejects.toThrow(
    fancy.name || fancy.outputs[0],
  );
  expect(await client().jobs()).toEqual([]);
  await expectAllAlive();
});

test('a job of another task, shape or target stands at no-data and says what differs', async () => {
  const task = await client().launch(jobFile('another task', { task: 'cifar' }), cluster.model);
  for (const { detail } of await standing(task.job, 'no-data')) {
    expect(detail).toBe('task: the job wants cifar, data set "mine" has mnist');
  }
  const input = { dtype: 'float32' as const, shape: [3, 32] };
  const shape = await client().launch(jobFile('another shape', { input }), cluster.model);
  for (const { detail } of await standing(shape.job, 'no-data')) {
    expect(detail).toBe('shape: the job wants [3,32], data set "mine" has [28,28]');
  }
  const tokens = { classes: 80, input: { dtype: 'int32' as const, shape: [784] } };
  const language = await client().launch(jobFile('a language', tokens), cluster.model);
  for (const { detail } of await standing(language.job, 'no-data')) {
    expect(detail).toBe(
      'dtype: the job wants int32, data set "mine" has float32; ' +
        'targets: the job wants sequence, data set "mine" has classes',
    );
  }
  await expectAllAlive();
});

test('garbage on every topic and protocol does not keep a job from its end', async () => {
  const rogue = await Rogue.join(cluster.swarm.peers.flatMap(({ addresses }) => addresses));
  try {
    const job = await cluster.launch(3);
    const flood = rogue.flood(job);
    const views = await cluster.finished(job, 3, 200_000);
    const { published, asked } = await flood.stop();
    expect(views).toHaveLength(3);
    expect(new Set(views.map(({ stateHash }) => stateHash)).size).toBe(1);
    expect(views[0]!.rounds.every(({ survivors }) => survivors === 3)).toBe(true);
    expect(published).toBeGreaterThan(20);
    expect(asked).toBeGreaterThan(20);
    await expectAllAlive();
  } finally {
    await rogue.leave();
  }
});

test('below minPeers a job waits, says so, and goes on when one more comes', async () => {
  const job = await cluster.launch(1, { minPeers: 4 });
  const waiting = () =>
    cluster.notices.flatMap(({ message }) =>
      message.kind === 'notice' && message.job === job && message.notice.kind === 'waiting'
        ? [message.notice]
        : [],
    );
  await until(() => waiting().length >= 3, 60_000, 'a notice of waiting from everybody');
  expect(waiting().at(-1)).toEqual({ kind: 'waiting', round: 1, joined: 3, needed: 4 });
  expect((await client().job(job)).rounds).toEqual([]);
  await cluster.add(3);
  const views = await cluster.finished(job, 1);
  expect(views).toHaveLength(4);
  expect(views[0]!.rounds[0]!.participants).toBe(4);
});
