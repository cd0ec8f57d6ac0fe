import { expect, onTestFinished, test } from 'vitest';
import { temporaryDirectory } from '../helpers/temporary.ts';
import { until } from '../helpers/until.ts';
import { pathOf, queries, RULES, SCRAPES_MIN, substituted } from './artefacts.ts';
import { LoggedDaemon } from './daemon.ts';
import { missingPrometheus, Prometheus, serveMetrics } from './prometheus.ts';
import { addData, launch } from './ward.ts';

const isFull = process.env['STARLING_TEST_SIZE'] === 'full';
const missing = isFull ? missingPrometheus() : 'skipped: at full size only';

/** Panels of what did not happen: trainings of seconds, local DP-SGD, refusals. */
const ABSENT = ['Training', 'Training progress', 'Epsilon of single examples', 'Refusals'];
/** Certificates of a job with noise show neither. */
const HIDDEN = ['Accuracy', 'Loss'];
const QUIET = [...ABSENT, ...HIDDEN];
/** More than are trained before the test has looked. */
const ROUNDS = 50;
/** A budget takes part only where there is noise. */
const privacy = { mechanism: 'distributed-gaussian', noiseMultiplier: 2 } as const;

const resources = { memory: '2 GiB', upload: '100 MiB/s', download: '100 MiB/s' };

/** Three daemons with caps and budgets, in the middle of a job. */
async function busySwarm(): Promise<readonly LoggedDaemon[]> {
  const privacyBudget = { mine: { epsilon: 100 } };
  const first = await LoggedDaemon.start({ resources, policy: { privacyBudget } });
  const { peerId, addresses } = await first.client.status();
  const policy = { privacyBudget, trust: [peerId] };
  const bootstrap = [...addresses];
  const others = [
    await LoggedDaemon.start({ resources, policy, bootstrap }),
    await LoggedDaemon.start({ resources, policy, bootstrap }),
  ];
  const isMet = async () => (await first.client.status()).peers.length === 2;
  await until(isMet, 30_000, 'the mesh');
  return [first, ...others];
}

test.skipIf(missing !== undefined)(
  `the dashboard shows a job that real daemons train (${missing ?? 'here'})`,
  async () => {
    const daemons = await busySwarm();
    const [first, second] = daemons as [LoggedDaemon, LoggedDaemon];
    for (const daemon of daemons) await addData(daemon);
    const { job } = await launch(first, ROUNDS, { privacy });
    // The second: it enters by an address, and so has one to show.
    const served = await serveMetrics(() => second.get('/metrics'));
    onTestFinished(() => served.close());
    const folder = await temporaryDirectory();
    const prometheus = await Prometheus.start(folder, { address: served.target }, pathOf(RULES));
    onTestFinished(() => prometheus.stop());
    const rounds = async () => (await second.client.job(job)).rounds.length;
    await until(async () => (await rounds()) >= 3, 120_000, 'three rounds');
    // Rates need some samples, the last of them after the rounds.
    const seen = 'starling_rounds_certified_total{own="true"}';
    const enough = `${seen} >= 3 and count_over_time(${seen}[5m]) >= ${SCRAPES_MIN}`;
    const scraped = async () => (await prometheus.query(enough)).length > 0;
    await until(scraped, 60_000, 'some scrapes');
    const empty: string[] = [];
    for (const { panel, expr } of queries) {
      const series = await prometheus.query(substituted(expr));
      if (series.length === 0) empty.push(`${panel}: ${expr}`);
    }
    const unforeseen = empty.filter((each) => !QUIET.includes(each.split(':', 1)[0]!));
    expect(unforeseen.filter((each) => !each.includes('container'))).toEqual([]);
  },
);
