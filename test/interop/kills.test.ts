import type { KillPlan } from '@starling/daemon';
import { expect, test } from 'vitest';
import { Cluster } from './cluster.ts';

const agree = (views: readonly { stateHash: string | null }[]) =>
  new Set(views.map(({ stateHash }) => stateHash)).size === 1;

/** A busy machine must not pass for one more dead peer. */
const PATIENT = { aggregation: { phaseSeconds: 4 } };

test('SIGKILL in every phase, one a round, the launcher first: no round starts again', async () => {
  // 7 peers lose one a round: 7, 6, 5 and 4 peers each survive one death (design decision 9a).
  const phases = ['shares', 'chunks', 'decide', 'unmask'] as const;
  const kills = new Map(phases.map((phase, i): [number, KillPlan] => [i, { round: 2 + i, phase }]));
  const cluster = await Cluster.start(7, kills);
  try {
    const job = await cluster.launch(6, {}, PATIENT);
    const views = await cluster.finished(job, 6);
    for (const [i] of phases.entries()) {
      expect(cluster.swarm.peers[i]!.exit?.signal).toBe('SIGKILL');
      expect(cluster.attempts(2 + i)).toBe(1);
    }
    expect(views).toHaveLength(3);
    expect(agree(views)).toBe(true);
  } finally {
    await cluster.stop();
  }
});

test('two of six at once are too many: the round starts again and the job goes on', async () => {
  const kills = new Map<number, KillPlan>([
    [0, { round: 2, phase: 'decide' }],
    [3, { round: 2, phase: 'unmask' }],
  ]);
  const cluster = await Cluster.start(6, kills);
  try {
    const job = await cluster.launch(3, {}, PATIENT);
    const views = await cluster.finished(job, 3);
    expect(views).toHaveLength(4);
    expect(agree(views)).toBe(true);
    expect(views[0]!.rounds[1]!.participants).toBe(4);
    expect(cluster.attempts(2)).toBeGreaterThan(1);
  } finally {
    await cluster.stop();
  }
});
