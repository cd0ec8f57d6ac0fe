import { expect, test } from 'vitest';
import { until } from '../helpers/until.ts';
import { Cluster } from './cluster.ts';

test('a job outlives its launcher, killed as soon as `launch` answers', async () => {
  const cluster = await Cluster.start(5);
  try {
    const job = await cluster.launch(2);
    await cluster.swarm.peers[0]!.end('SIGKILL');
    const views = await cluster.finished(job, 2);
    expect(views).toHaveLength(4);
    expect(new Set(views.map(({ stateHash }) => stateHash)).size).toBe(1);
  } finally {
    await cluster.stop();
  }
});

test('a killed peer comes back and a new one joins: all end on the same state', async () => {
  const cluster = await Cluster.start(4);
  try {
    const job = await cluster.launch(14, { joinWindowSeconds: 4 });
    const rounds = async (peer: number) =>
      (await cluster.swarm.client(cluster.swarm.peers[peer]!).job(job)).rounds.length;
    await until(async () => (await rounds(0)) >= 2, 60_000);
    await cluster.swarm.peers[2]!.end('SIGKILL');
    await until(async () => (await rounds(0)) >= 4, 60_000);
    await cluster.add(2);
    await cluster.add(4);
    const views = await cluster.finished(job, 14);
    expect(views).toHaveLength(5);
    expect(new Set(views.map(({ stateHash }) => stateHash)).size).toBe(1);
    const hashes = views.map((view) => view.rounds.map(({ certificate }) => certificate).join());
    expect(new Set(hashes).size).toBe(1);
    expect(Math.max(...views[0]!.rounds.map(({ participants }) => participants))).toBe(5);
  } finally {
    await cluster.stop();
  }
});
