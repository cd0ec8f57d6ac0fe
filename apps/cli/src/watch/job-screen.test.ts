import { describe, expect, test } from 'vitest';
import { lengthOf } from '../table.ts';
import { jobScreen } from './job-screen.ts';
import { JobWatch } from './job-watch.ts';
import { ID, job, LOOK, live, rounds, status } from './testing.ts';

const NOW = 3750;

function watchOf(view: ReturnType<typeof job>): JobWatch {
  const watch = new JobWatch(view);
  watch.status = status();
  return watch;
}

const full = job({
  rounds: rounds(12),
  live: live(),
  progress: { step: 30, steps: 120, examplesPerSecond: 5210, secondsLeft: 12 },
});

describe('the screen of a job', () => {
  const text = jobScreen(watchOf(full), NOW, LOOK).join('\n');

  test.each([
    ['its name and standing', /^scans {2}abababababab +participating, data set a/],
    ['rounds with pace and what is left', /rounds 12\/30 ━+─+ 40 % {2}3\.2 s a round, 58 s left/],
    ['the newest loss and accuracy', /loss 0\.1667 before round 12 .*accuracy 92\.50 % before/],
    ['the phases, done and to come', /✓ training 1\.5s {2}✓ joining 0\.3s {2}▶ shares 1\.0s {2}· /],
    ['who is in the round', /roster 3 peers {2}chunks 3\/8 sent, 2 summed, 1 fetched/],
    ['how far training is', /training ━+─+ 25 % {2}5,210 examples\/s {2}12 s left/],
    ['bytes', /2 peers connected {2}up 2\.0 KiB\/s \(4\.0 KiB\) {2}down 1\.0 KiB\/s/],
    ['the last rounds', /round 12: 4 of 5 peers, before it loss 0\.1667/],
  ])('shows %s', (_, pattern) => {
    expect(text).toMatch(pattern);
  });

  test('takes no more room than there is, whatever its size', () => {
    for (const columns of [1, 10, 25, 40, 63, 64, 80, 140]) {
      for (const rows of [1, 2, 3, 5, 8, 12, 16, 21, 22, 24, 45, 60]) {
        const lines = jobScreen(watchOf(full), NOW, { ...LOOK, columns, rows });
        expect(lines.length).toBeLessThanOrEqual(rows);
        expect(lines[0]).toMatch(/^scans/);
      }
    }
  });

  test('at 80 by 24 and larger no line is cut off', () => {
    for (const size of [
      { columns: 80, rows: 24 },
      { columns: 140, rows: 45 },
    ]) {
      const lines = jobScreen(watchOf(full), NOW, { ...LOOK, ...size });
      expect(Math.max(...lines.map(lengthOf))).toBeLessThanOrEqual(size.columns);
    }
  });

  test('is ASCII where the terminal knows no more', () => {
    const restarted = { ...full, live: live({ restarts: 2 }), name: 'größe' };
    const lines = jobScreen(watchOf(restarted), NOW, { ...LOOK, unicode: false });
    expect(lines.join('')).toMatch(/^\p{ASCII}*$/u);
    expect(lines.join('\n')).toContain('> shares');
  });

  test('says so when no round goes on, and what hinders', () => {
    const waiting = job({ standing: 'waiting-for-approval', detail: 'approve it', phase: 'idle' });
    const watch = new JobWatch(waiting);
    watch.status = status({ paused: ['hours', 'battery'] });
    const shown = jobScreen(watch, NOW, LOOK).join('\n');
    expect(shown).toContain('waiting for approval, approve it');
    expect(shown).toContain('no round goes on here (idle)');
    expect(shown).toContain('takes part in no new rounds: hours, battery');
    expect(shown).not.toContain('loss');
  });

  test('shows attempts, restarts, liars and cells', () => {
    const again = live({
      ...{ attempt: 1, restarts: 2, survivors: ['a', 'b'], cells: [['a'], ['b']] },
      convicted: [{ peer: 'c', reason: 'sums' }],
    });
    const shown = jobScreen(watchOf({ ...full, live: again }), NOW, LOOK).join('\n');
    expect(shown).toContain('round 13, attempt 2, restarted 2×');
    expect(shown).toMatch(/2 cells {2}2 survivors/);
    expect(shown).toContain('1 proven liar');
  });

  test('shows what the data have given away, of the sets that this job uses', () => {
    const watch = watchOf(full);
    const charged = { job: ID, name: 'scans', updates: 3, epsilon: 1.5, rho: 0.1 };
    const set = { budget: { epsilon: 4, delta: 1e-5 }, epsilon: 1.5, delta: 1e-5, rho: 0.1 };
    watch.privacy = {
      datasets: [
        { ...set, dataset: 'a', left: null, jobs: [charged], examples: null },
        { ...set, dataset: 'other', left: null, jobs: [], examples: null },
      ],
    };
    const shown = jobScreen(watch, NOW, LOOK).join('\n');
    expect(shown).toContain('privacy: a gave away epsilon 1.50 of 4 at delta 0.00001');
    expect(shown).not.toContain('other');
  });

  test('a job without figures has no curves, one without accuracy has one', () => {
    const blind = rounds(3).map((each) => ({ ...each, loss: null, accuracy: null }));
    expect(jobScreen(watchOf(job({ rounds: blind })), NOW, LOOK).join('')).not.toContain('│');
    const numbers = rounds(3).map((each) => ({ ...each, accuracy: null }));
    const lines = jobScreen(watchOf(job({ rounds: numbers })), NOW, LOOK);
    expect(lines.filter((line) => line.split('│').length === 2).length).toBeGreaterThan(3);
  });

  test('a name from elsewhere cannot steer the terminal', () => {
    const evil = watchOf(job({ name: 'x\x1b[2Jy', detail: 'a\nb' }));
    expect(jobScreen(evil, NOW, LOOK).join('')).not.toContain('\x1b');
  });
});

describe('what is kept of events', () => {
  const event = (kind: string, text = kind) => ({ job: ID, kind, text });

  test('trouble and certified rounds are notices, phases are not', () => {
    const watch = watchOf(job());
    watch.take({ ...event('phase'), live: live() }, NOW);
    watch.take(event('burnt', 'attempt lost'), NOW);
    watch.take({ ...event('certified'), view: job({ rounds: rounds(1) }) }, NOW);
    expect(watch.notices.map(({ text, tone }) => [text, tone])).toEqual([
      ['attempt lost', 'bad'],
      ['round 1: 4 of 5 peers, before it loss 2.0000, accuracy 10.00 %', 'good'],
    ]);
  });

  test('the round that goes on is followed from event to event', () => {
    const watch = watchOf(job());
    watch.take({ ...event('phase'), live: live() }, NOW);
    expect(watch.view.live?.round).toBe(13);
    watch.take({ ...event('certified'), view: job({ rounds: rounds(13) }), live: null }, NOW);
    expect(watch.view.live).toBeNull();
    expect(watch.isFinished).toBe(false);
    watch.take({ ...event('finished'), view: job({ phase: 'finished' }) }, NOW);
    expect(watch.isFinished).toBe(true);
  });

  test('only the newest notices are kept', () => {
    const watch = watchOf(job());
    for (let i = 0; i < 1000; i++) watch.take(event('retry', `n${i}`), NOW);
    expect(watch.notices.length).toBe(100);
    expect(watch.notices.at(-1)?.text).toBe('n999');
  });
});
