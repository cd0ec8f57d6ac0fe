import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { initialVector } from '@starling/autodiff';
import { type JobFile, jobFileSchema } from '@starling/control';
import { type BlobHash, errorMessage, ProtocolError } from '@starling/core';
import { hashHex } from '@starling/crypto';
import type { KillPlan } from '@starling/daemon';
import { writeModel } from '@starling/onnx';
import { evaluateModel, zooModel } from '@starling/trainer';
import { trainAlone } from './alone.ts';
import { type DemoData, splitMnist } from './data.ts';
import type { PeerProcess } from './peer-process.ts';
import { PlainFedAvg } from './plain.ts';
import { type DemoOptions, planKills } from './plan.ts';
import { type DemoRound, RoundBook } from './rounds.ts';
import { DemoSwarm } from './swarm.ts';

export interface DemoReport {
  readonly seed: number;
  readonly model: string;
  readonly peers: number;
  /** Of the launched model on the test images. */
  readonly accuracyBefore: number;
  readonly accuracy: number;
  readonly rounds: readonly DemoRound[];
  readonly killed: readonly {
    readonly peer: number;
    readonly launcher: boolean;
    readonly round: number;
    readonly phase: string;
    readonly signal: string | null;
  }[];
  readonly alone: readonly number[];
  readonly plain: {
    readonly accuracy: number;
    readonly maxAbsDifference: number;
    readonly quantisationStep: number;
    readonly integerSumsEqual: boolean;
  };
  readonly stateHashes: Readonly<Record<string, string>>;
  readonly modelHashesEqual: boolean;
  readonly examplesPerPeer: readonly number[];
  readonly seconds: number;
}

export type Progress = (line: string) => void;

const bundled = (name: string): URL => new URL(`./${name}.js`, import.meta.url);

/** A job as the demo launches it; the README shows the same. */
export const demoJob = ({ model, rounds }: DemoOptions): JobFile =>
  jobFileSchema.parse({
    name: `mnist-${model}`,
    model: `zoo:${model}`,
    data: { task: 'mnist', input: { shape: [784] }, classes: 10 },
    training: { epochs: 1, batchSize: 32, learningRate: 0.1 },
    aggregation: { clippingNorm: 10, ringBits: 24, phaseSeconds: 4 },
    admission: { minPeers: 3, joinWindowSeconds: 4 },
    stop: { rounds },
  });

/**
 * The demo from nothing to the report. Whatever happens, no process stays behind; files only to
 * explain a failure.
 */
export async function runDemo(options: DemoOptions, progress: Progress): Promise<DemoReport> {
  const kills = planKills(options);
  const directory = await mkdtemp(join(tmpdir(), 'starling-demo-'));
  const demo = new Demo(options, kills, directory, progress);
  const interrupted = () => void demo.swarm.stop().finally(() => process.exit(130));
  process.once('SIGINT', interrupted);
  try {
    const report = await demo.run();
    await rm(directory, { recursive: true, force: true });
    return report;
  } catch (error) {
    progress(`the daemons' logs are kept in ${directory}`);
    throw error;
  } finally {
    process.off('SIGINT', interrupted);
    await demo.swarm.stop();
  }
}

class Demo {
  readonly #options: DemoOptions;
  readonly #kills: ReadonlyMap<number, KillPlan>;
  readonly #directory: string;
  readonly #progress: Progress;
  readonly #started = performance.now();
  readonly #job: JobFile;
  readonly #model: Uint8Array;
  readonly #plain: PlainFedAvg;
  readonly #book: RoundBook;
  readonly swarm: DemoSwarm;
  /** Scoring of certified models, one after the other. */
  #scoring: Promise<void> = Promise.resolve();
  #data: DemoData | undefined;

  constructor(
    options: DemoOptions,
    kills: ReadonlyMap<number, KillPlan>,
    directory: string,
    progress: Progress,
  ) {
    this.#options = options;
    this.#kills = kills;
    this.#directory = directory;
    this.#progress = progress;
    this.#job = demoJob(options);
    const model = zooModel(options.model, options.seed);
    this.#model = writeModel(model);
    this.#plain = new PlainFedAvg(initialVector(model), this.#ring());
    this.#book = new RoundBook(this.#plain, (round, reporter) => this.#onRound(round, reporter));
    this.swarm = new DemoSwarm({
      directory,
      entry: bundled('demo-daemon'),
      task: 'mnist',
      capture: options.capture,
      onMessage: (peer, message) => this.#book.take(peer, message),
    });
  }

  async run(): Promise<DemoReport> {
    const { peers, model, seed } = this.#options;
    this.#progress('reading MNIST and splitting it by Dirichlet(0.5) among the peers');
    this.#data = await splitMnist(this.#directory, peers, model, seed);
    const { folders, test, sizes } = this.#data;
    for (const [i, folder] of folders.entries()) {
      await this.swarm.start(i, folder, this.#kills.get(i));
      this.#progress(`peer ${i} is up with ${sizes[i]} images`);
    }
    await this.swarm.connected();
    const before = await evaluateModel(this.#model, test);
    const launched = await this.swarm.client(this.swarm.peers[0]!).launch(this.#job, this.#model);
    this.#progress(
      `peer 0 launched ${this.#job.name}; ${launched.copies} other peers hold it durably`,
    );
    await this.#untilFinished(launched.job);
    await this.#scoring;
    const stateHashes = await this.#stateHashes(launched.job);
    const final = await this.#finalModel(launched.job);
    await this.swarm.stop();
    const alone = await this.#alone();
    return this.#report({ before: before.accuracy, stateHashes, final, alone });
  }

  #onRound(round: DemoRound, reporter: PeerProcess): void {
    this.#scoring = this.#scoring.then(async () => {
      try {
        const pulled = await this.swarm.client(reporter).pull(this.#job.name);
        const { accuracy } = await evaluateModel(
          Buffer.from(pulled.model, 'base64'),
          this.#data!.test,
        );
        if (pulled.round === round.round) round.accuracy = accuracy;
      } catch (error) {
        // The reporter may be the next to be killed; the round is certified all the same.
        this.#progress(`round ${round.round} could not be scored: ${errorMessage(error)}`);
      }
      this.#progress(lineOf(round, this.#options.rounds));
    });
  }

  /** Resolves when every living peer has the last round's certificate. */
  async #untilFinished(job: string): Promise<void> {
    const { rounds } = this.#options;
    const finished = async (peer: PeerProcess) => {
      const view = await this.swarm.client(peer).job(job);
      return view.rounds.length >= rounds;
    };
    for (let quiet = 0; ; ) {
      const before = this.#book.rounds.length;
      await new Promise((resolve) => setTimeout(resolve, 250));
      const states = await Promise.allSettled(this.swarm.alive.map(finished));
      if (states.every((state) => state.status === 'fulfilled' && state.value)) return;
      quiet = this.#book.rounds.length > before ? 0 : quiet + 1;
      if (quiet > 4 * STUCK_SECONDS) {
        const hint = `after round ${this.#book.rounds.length} of ${rounds}`;
        throw new ProtocolError('stuck', `no round was certified for ${STUCK_SECONDS} s ${hint}`);
      }
    }
  }

  async #stateHashes(job: string): Promise<Record<string, string>> {
    const hashes: Record<string, string> = {};
    for (const peer of this.swarm.alive) {
      hashes[peer.peer!] = (await this.swarm.client(peer).job(job)).stateHash ?? '';
    }
    return hashes;
  }

  async #finalModel(job: string): Promise<Uint8Array> {
    const { model } = await this.swarm.client(this.swarm.alive[0]!).pull(job);
    return Buffer.from(model, 'base64');
  }

  #alone(): Promise<readonly number[]> {
    const { folders, test } = this.#data!;
    const { training, loss, data, aggregation } = this.#job;
    return trainAlone({
      job: {
        modelHash: hashHex(this.#model) as BlobHash,
        model: this.#model,
        loss,
        training,
        clippingNorm: aggregation.clippingNorm * 1_000,
        data: { task: data.task, input: data.input, target: 'classes', classes: data.classes },
      },
      folders,
      test,
      rounds: this.#options.rounds,
      seed: this.#options.seed,
      childEntry: bundled('trainer-child'),
      onPeer: (i, accuracy) =>
        this.#progress(`peer ${i} alone reaches ${(100 * accuracy).toFixed(2)} %`),
    });
  }

  async #report(parts: {
    before: number;
    stateHashes: Record<string, string>;
    final: Uint8Array;
    alone: readonly number[];
  }): Promise<DemoReport> {
    const { seed, model, peers } = this.#options;
    const { test, sizes } = this.#data!;
    const { readModel } = await import('@starling/onnx');
    const vector = initialVector(readModel(parts.final));
    const [secure, plain] = await Promise.all([
      evaluateModel(parts.final, test),
      evaluateModel(this.#model, test, this.#plain.model),
    ]);
    const hashes = new Set(Object.values(parts.stateHashes));
    const rounds = [...this.#book.rounds].sort((a, b) => a.round - b.round);
    const { bits, peersMax, clippingNorm } = this.#ring();
    const valueBits = Math.min(18, bits - Math.ceil(Math.log2(peersMax)));
    return {
      seed,
      model,
      peers,
      accuracyBefore: parts.before,
      accuracy: secure.accuracy,
      rounds: rounds.map((round) => ({
        ...round,
        bytesPerPeer: this.#book.bytesPerPeer(round.round),
      })),
      killed: this.#killed(),
      alone: parts.alone,
      plain: {
        accuracy: plain.accuracy,
        maxAbsDifference: this.#plain.maxAbsDifference(vector),
        quantisationStep: (2 * clippingNorm) / (2 ** valueBits - 1),
        integerSumsEqual: this.#plain.integerSumsEqual,
      },
      stateHashes: parts.stateHashes,
      modelHashesEqual: hashes.size === 1 && !hashes.has(''),
      examplesPerPeer: sizes,
      seconds: (performance.now() - this.#started) / 1000,
    };
  }

  #killed(): DemoReport['killed'] {
    return [...this.#kills]
      .map(([peer, { round, phase }]) => {
        const signal = this.swarm.peers[peer]?.exit?.signal ?? null;
        return { peer, launcher: peer === 0, round, phase, signal };
      })
      .filter(({ signal }) => signal === 'SIGKILL');
  }

  #ring() {
    const { aggregation, admission } = this.#job;
    return {
      bits: aggregation.ringBits,
      peersMax: admission.maxPeers,
      clippingNorm: aggregation.clippingNorm,
    };
  }
}

/** A demo that certifies nothing for so long has failed, and says so. */
const STUCK_SECONDS = 90;

export function lineOf(round: DemoRound, of: number): string {
  const accuracy = round.accuracy === null ? '–' : `${(100 * round.accuracy).toFixed(2)} %`;
  const again = round.restarted ? `, restarted (${round.attempts} attempts)` : '';
  const peers = `${round.survivors} of ${round.participants} peers`;
  const seconds = Object.values(round.phaseSeconds).reduce((sum, s) => sum + s, 0);
  const took = `${seconds.toFixed(1)} s${again}`;
  return `round ${round.round}/${of}: accuracy ${accuracy}, ${peers}, ${took}`;
}
