import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { changesOf, type Mark, NOTHING_TOLD, type SeenRound } from './from-job.ts';
import { seenJob, seenRound } from './testing/jobs.ts';

/** What a listener knows who follows events alone. */
function followed(known: string[], events: ReturnType<typeof changesOf>['events']): string[] {
  let chain = known;
  for (const { type, data } of events) {
    if (type === 'starling.job.rolled-back') chain = chain.slice(0, data.toRound);
    if (type === 'starling.round.certified') chain = [...chain, data.certificate];
  }
  return chain;
}

describe('events of a job', () => {
  test('tell each certificate once, and none twice', () => {
    const first = changesOf(NOTHING_TOLD, seenJob([seenRound(1), seenRound(2)]));
    expect(first.events.map(({ type }) => type)).toEqual([
      'starling.job.standing',
      'starling.round.certified',
      'starling.round.certified',
    ]);
    expect(changesOf(first.mark, seenJob([seenRound(1), seenRound(2)])).events).toEqual([]);
    const third = changesOf(first.mark, seenJob([1, 2, 3].map((round) => seenRound(round))));
    expect(third.events).toMatchObject([{ data: { round: 3 } }]);
  });

  test('tell the end once, after the last round', () => {
    const over = seenJob([seenRound(1)], { phase: 'finished' });
    const { events, mark } = changesOf(NOTHING_TOLD, over);
    expect(events.at(-1)).toMatchObject({ type: 'starling.job.finished', data: { rounds: 1 } });
    expect(changesOf(mark, over).events).toEqual([]);
  });

  test('tell a standing when it is known, and each change of it by a name of its own', () => {
    const unknown = changesOf(NOTHING_TOLD, seenJob([], { standing: null }));
    expect(unknown.events).toEqual([]);
    const told: unknown[] = [];
    let { mark } = unknown;
    for (const standing of ['waiting-for-approval', null, 'participating', 'refused', 'refused']) {
      const next = changesOf(mark, seenJob([], { standing }));
      mark = next.mark;
      told.push(...next.events.map(({ identity, data }) => [identity, data]));
    }
    expect(told).toMatchObject([
      [expect.stringMatching('/standing/0$'), { from: null, to: 'waiting-for-approval' }],
      [expect.stringMatching('/standing/1$'), { from: 'waiting-for-approval' }],
      [expect.stringMatching('/standing/2$'), { from: 'participating', to: 'refused' }],
    ]);
  });

  test('let a listener follow the chain through every fork', () => {
    const step = fc.record({ keep: fc.nat(200), add: fc.nat(90) });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 8 }), (steps) => {
        let chain: SeenRound[] = [];
        let mark: Mark = NOTHING_TOLD;
        let known: string[] = [];
        for (const [salt, { keep, add }] of steps.entries()) {
          const kept = Math.min(keep, chain.length);
          const fresh = Array.from({ length: add }, (_, i) => seenRound(kept + i + 1, `s${salt}`));
          chain = [...chain.slice(0, kept), ...fresh];
          const next = changesOf(mark, seenJob(chain));
          known = followed(known, next.events);
          mark = next.mark;
          expect(known).toEqual(chain.map(({ certificate }) => certificate));
        }
      }),
      { numRuns: 100, seed: 7 },
    );
  });
});
