import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createMetrics, type Metrics } from '../../packages/telemetry/src/metrics.ts';
import { REST, roundOf, SELF, tell, view } from '../../packages/telemetry/src/testing/run.ts';
import { until } from '../helpers/until.ts';
import {
  fullExposition,
  pathOf,
  queries,
  RULE_TESTS,
  RULES,
  rules,
  SCRAPES_MIN,
  substituted,
} from './artefacts.ts';
import { LoggedDaemon } from './daemon.ts';
import { missingPrometheus, Prometheus, promtool, serveMetrics } from './prometheus.ts';

const isFull = process.env['STARLING_TEST_SIZE'] === 'full';
const missing = isFull ? missingPrometheus() : 'skipped: at full size only';

describe.skipIf(missing !== undefined)(`a real Prometheus (${missing ?? 'here'})`, () => {
  let folder: string;
  let stopAll: (() => Promise<unknown>)[] = [];
  let prometheus: Prometheus;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'starling-prometheus-'));
    const metrics = createMetrics(SELF);
    const busy = await serveMetrics(() => nextText(metrics));
    stopAll = [busy.close];
    prometheus = await Prometheus.start(folder, { address: busy.target }, pathOf(RULES));
    stopAll.push(() => prometheus.stop());
    const scraped = async () =>
      (await prometheus.query(`count_over_time(starling_build_info[1m]) >= ${SCRAPES_MIN}`)).length;
    await until(async () => (await scraped()) > 0, 60_000, 'some scrapes');
  });
  afterAll(async () => {
    for (const stop of stopAll.reverse()) await stop();
    await rm(folder, { recursive: true, force: true });
  });

  /** Another round since the last scrape, so that every counter moves. */
  function nextText(metrics: Metrics): Promise<string> {
    tell([metrics.listener], [...roundOf(1), ...REST], metrics);
    return metrics.text(view({ now: Date.now() }));
  }

  test.each(queries)('$panel: $expr', async ({ expr }) => {
    const series = await prometheus.query(substituted(expr));
    expect(series.length).toBeGreaterThan(0);
  });

  test('evaluates every rule', async () => {
    const known = await until(async () => {
      const found = await prometheus.rules();
      return found.every(({ health }) => health !== 'unknown') ? found : undefined;
    }, 30_000);
    expect(known).toHaveLength(rules.length);
    expect(known.filter(({ health }) => health !== 'ok')).toEqual([]);
    for (const { record } of rules) {
      if (record !== undefined)
        expect((await prometheus.query(record)).length, record).toBeGreaterThan(0);
    }
  });

  test('finds no fault with the rules, and they pass their tests', () => {
    expect(promtool(['check', 'rules', pathOf(RULES)])).toMatchObject({ status: 0 });
    const tested = promtool(['test', 'rules', pathOf(RULE_TESTS)], '', dirname(pathOf(RULES)));
    expect(tested).toMatchObject({ status: 0, output: expect.stringContaining('SUCCESS') });
    const example = pathOf('deploy/prometheus/prometheus.yml');
    expect(promtool(['check', 'config', '--syntax-only', example])).toMatchObject({ status: 0 });
  });

  test('has nothing to say about the metrics, simulated or of a real daemon', async () => {
    const daemon = await LoggedDaemon.start({ resources: { memory: 2 ** 31 } });
    for (const text of [await fullExposition(), await daemon.get('/metrics')]) {
      expect(promtool(['check', 'metrics'], text)).toEqual({ status: 0, output: '' });
    }
  });

  test('scrapes a real daemon over TCP with its token, and is refused without', async () => {
    const daemon = await LoggedDaemon.start({ api: { listen: '127.0.0.1:0' } });
    const { apiUrl } = await daemon.client.status();
    const address = new URL(apiUrl!).host;
    expect((await fetch(`http://${address}/metrics`)).status).toBe(401);
    const target = { address, tokenFile: join(daemon.state, 'api-token') };
    const own = await mkdtemp(join(folder, 'real-'));
    const other = await Prometheus.start(own, target, pathOf(RULES));
    stopAll.push(() => other.stop());
    const seen = () => other.query('up == 1 and on() starling_peers_connected{link="direct"} == 0');
    await until(async () => (await seen()).length > 0, 30_000, 'a scrape of the daemon');
    await other.stop();
  });
});
