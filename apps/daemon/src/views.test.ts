import type { JobId, PeerId } from '@starling/core';
import { signingKeyFromSeed, verifications } from '@starling/crypto';
import type { JobReport } from '@starling/node';
import { type Certificate, type Statement, signStatement } from '@starling/protocol-rounds';
import { expect, test } from 'vitest';
import { LiveRounds } from './live-rounds.ts';
import { jobEvent, jobView, liveView, standingEvent } from './views.ts';

const HASH = 'ab'.repeat(32);

/** A report of a job of so many rounds, of which three peers certified each. */
function reportOf(rounds: number): JobReport {
  const keys = [1, 2, 3].map((seed) => signingKeyFromSeed(new Uint8Array(32).fill(seed)));
  const certificates = Array.from({ length: rounds }, (_, i) => {
    const statement = {
      ...{ jobId: HASH, parent: HASH, stateHash: HASH, round: i + 1, restarts: 0, attempt: 0 },
      ...{ roster: keys.map(({ peerId }) => peerId), survivors: Uint8Array.of(0b111) },
      metrics: { lossSum: 5, correct: 3, examples: 10, seconds: 0 },
    } as unknown as Statement;
    const signatures = keys.map((key, member) => ({
      ...{ member, signature: signStatement(statement, key) },
    }));
    return { statement, signatures } as Certificate;
  });
  const manifest = { name: 'j', stop: { rounds: 99 }, training: { metrics: [] } };
  return {
    job: { id: HASH, launcher: keys[0]!.peerId, manifest },
    ...{ standing: { kind: 'participating', dataset: 'a' }, phase: 'training', certificates },
    suspects: [],
  } as unknown as JobReport;
}

test('rounds are shown as they were certified', () => {
  const { rounds } = jobView(reportOf(2), new LiveRounds());
  expect(rounds.map(({ round, settled }) => [round, settled])).toEqual([
    [1, true],
    [2, true],
  ]);
  expect(rounds[0]).toMatchObject({ participants: 3, survivors: 3, loss: 0.5, accuracy: 0.3 });
});

test('to show a job again, no signature is looked at again', () => {
  const report = reportOf(20);
  const first = jobView(report, new LiveRounds());
  const before = verifications();
  expect(jobView(report, new LiveRounds())).toEqual(first);
  expect(verifications()).toEqual(before);
});

test('an event tells of the round as it goes on', () => {
  const lives = new LiveRounds();
  const notice = { kind: 'training', round: 3 } as const;
  lives.take(HASH as JobId, notice, 1_000);
  const event = jobEvent(reportOf(2), notice, lives);
  expect(event).toMatchObject({ job: HASH, kind: 'training', round: 3 });
  expect(event.live).toMatchObject({ round: 3, phase: 'training', chunks: null });
  expect(event).not.toHaveProperty('view');
});

test('chunks are those of the attempt that goes on', () => {
  const lives = new LiveRounds();
  const slot = { restarts: 0, attempt: 1 };
  const roster = ['a', 'b', 'c'] as PeerId[];
  lives.take(HASH as JobId, { kind: 'session', round: 3, slot, roster, update: 'u' }, 1_000);
  const counts = { total: 4, sent: 4, summed: 2, fetched: 1 };
  const shown = (round: number, attempt: number) => {
    const chunks = { ...counts, round, slot: { restarts: 0, attempt } };
    return liveView({ ...reportOf(2), chunks }, lives)?.chunks;
  };
  expect(shown(3, 1)).toEqual(counts);
  expect(shown(3, 0)).toBeNull();
  expect(shown(2, 1)).toBeNull();
});

test('a standing that changed is told with the whole job', () => {
  const event = standingEvent(reportOf(2), new LiveRounds());
  expect(event).toMatchObject({ job: HASH, kind: 'standing', text: 'participating: data set a' });
  expect(event.view?.rounds).toHaveLength(2);
});
