import { describe, expect, test } from 'vitest';
import { FAMILIES, JOBS_SHOWN_MAX } from './families.ts';
import { createMetrics } from './metrics.ts';
import { JOB, job, REST, roundOf, SELF, tell, view } from './testing/run.ts';
import type { TelemetryView } from './view.ts';

/** The exposition after a run, as series and values. */
async function scrape(shown: TelemetryView = view(), notices = [...roundOf(1), ...REST]) {
  const metrics = createMetrics(SELF);
  tell([metrics.listener], notices, metrics);
  const text = await metrics.text(shown);
  const lines = text.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
  const series = new Map(
    lines.map((line) => {
      const cut = line.lastIndexOf(' ');
      return [line.slice(0, cut), Number(line.slice(cut + 1))];
    }),
  );
  return { text, series };
}

describe('the exposition', () => {
  test('shows what the node told', async () => {
    const { series } = await scrape();
    const shown = (name: string) => series.get(name);
    expect(shown('starling_attempts_total')).toBe(2);
    expect(shown('starling_attempts_burnt_total{reason="quorum-lost"}')).toBe(1);
    expect(shown('starling_attempts_retried_total{reason="abandoned"}')).toBe(1);
    expect(shown('starling_dropouts_total')).toBe(1);
    expect(shown('starling_rounds_certified_total{own="true"}')).toBe(1);
    expect(shown('starling_bans_total{self="true"}')).toBe(1);
    expect(shown('starling_bans_total{self="false"}')).toBe(1);
    expect(shown('starling_convictions_total{reason="wrong-sum"}')).toBe(1);
    expect(shown('starling_trainings_failed_total')).toBe(1);
    expect(shown('starling_round_phase_duration_seconds_count{phase="training"}')).toBe(2);
    expect(shown('starling_round_phase_duration_seconds_sum{phase="joining"}')).toBe(4);
    expect(shown('starling_round_duration_seconds_sum')).toBe(20);
  });

  test('shows the state of the moment', async () => {
    const { series } = await scrape();
    const of = 'job_id="abababababab",job_name="ward"';
    expect(series.get('starling_peers_connected{link="relayed"}')).toBe(1);
    expect(series.get('starling_reachability{state="local"}')).toBe(1);
    expect(series.get('starling_reachability{state="public"}')).toBe(0);
    expect(series.get(`starling_job_survivors{${of}}`)).toBe(3);
    expect(series.get(`starling_job_training_progress_ratio{${of}}`)).toBe(0.25);
    expect(series.get(`starling_job_phase{${of},phase="training"}`)).toBe(1);
    expect(series.get('starling_privacy_epsilon_spent{dataset="mine"}')).toBe(6);
    expect(series.get('starling_paused{reason="battery"}')).toBe(1);
    expect(series.get('starling_memory_limit_bytes')).toBe(2 ** 30);
    expect(series.get('starling_network_transmit_bytes_total')).toBe(5_000);
  });

  test('has every family once, with help and type', async () => {
    const { text } = await scrape();
    const helps = [...text.matchAll(/^# HELP (\S+) \S/gm)].map(([, name]) => name);
    expect(new Set(helps).size).toBe(helps.length);
    for (const { name } of FAMILIES) expect(helps).toContain(name);
  });

  test('leaves out what is not there: caps, budgets, rounds', async () => {
    const nothing = { serving: { url: null, models: [] }, privacy: { datasets: [] }, jobs: [] };
    const bare = view({ filesystem: null, ...nothing });
    const { text } = await scrape(bare);
    expect(text).not.toMatch(/starling_filesystem|starling_privacy|starling_job_/);
    expect(text).toContain('starling_jobs{standing="participating"} 0');
  });

  test('forgets a job that is gone at the next scrape', async () => {
    const metrics = createMetrics(SELF);
    expect(await metrics.text(view())).toContain('job_name="ward"');
    expect(await metrics.text(view({ jobs: [] }))).not.toContain('job_name="ward"');
  });
});

describe('served models', () => {
  test('are counted by outcome, timed, and forgotten when they are gone', async () => {
    const metrics = createMetrics(SELF);
    const { serving } = metrics;
    serving.answered('ward', 0.003);
    serving.failed('ward', 'quota');
    serving.failed('ward', 'a word of nobody');
    serving.batch('ward', 7);
    serving.swapped('ward');
    const text = await metrics.text(view());
    const of = (outcome: string) =>
      `starling_serving_requests_total{model="ward",outcome="${outcome}"} 1`;
    for (const outcome of ['answered', 'quota', 'other']) expect(text).toContain(of(outcome));
    expect(text).toContain('starling_serving_request_duration_seconds_sum{model="ward"} 0.003');
    expect(text).toContain('starling_serving_batch_rows_bucket{le="8",model="ward"} 1');
    expect(text).toContain('starling_serving_swaps_total{model="ward"} 1');
    expect(text).toContain('starling_serving_queue_requests{model="ward"} 2');
    serving.gone('ward');
    expect(await metrics.text(view({ serving: { url: null, models: [] } }))).not.toContain(
      'model="ward"',
    );
  });
});

describe('labels are bounded', () => {
  test('by jobs in which this peer takes part, running ones first', async () => {
    const own = Array.from({ length: 100 }, (_, i) =>
      job({ id: i.toString(16).padStart(64, '0'), name: `own-${i}`, isRunning: i === 0 }),
    );
    const foreign = job({ name: 'stranger', standing: 'waiting-for-approval' });
    const { text, series } = await scrape(view({ jobs: [...own, foreign] }));
    const rounds = [...series.keys()].filter((name) => name.startsWith('starling_job_rounds{'));
    expect(rounds).toHaveLength(JOBS_SHOWN_MAX);
    expect(rounds.some((name) => name.includes('"own-0"'))).toBe(true);
    expect(rounds.some((name) => name.includes('"own-99"'))).toBe(true);
    expect(text).not.toContain('stranger');
    expect(series.get('starling_jobs{standing="waiting-for-approval"}')).toBe(1);
  });

  test('by reasons of our own, whatever others say', async () => {
    const slot = { restarts: 0, attempt: 0 };
    const reason = 'a stranger says "hello"';
    const { series, text } = await scrape(view(), [
      { kind: 'burnt', round: 1, slot, reason, update: 'u' },
      { kind: 'retry', round: 1, slot, reason, proven: false },
    ]);
    expect(series.get('starling_attempts_burnt_total{reason="other"}')).toBe(1);
    expect(series.get('starling_attempts_retried_total{reason="other"}')).toBe(1);
    expect(text).not.toContain('hello');
  });

  test('and never have a peer id or a path in them', async () => {
    const { text } = await scrape();
    expect(text).not.toContain('peer-');
    expect(text).not.toContain('/state');
    expect(text).not.toContain(JOB);
  });

  test('a name with quotes and line breaks stays one label', async () => {
    const { text } = await scrape(view({ jobs: [job({ name: 'a"b\nc\\d' })] }));
    expect(text).toContain('job_name="a\\"b\\nc\\\\d"');
  });
});
