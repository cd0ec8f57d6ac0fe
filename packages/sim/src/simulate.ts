import { createHash } from 'node:crypto';
import type { BlobHash, PeerId } from '@starling/core';
import { verifications } from '@starling/crypto';
import { type Notice, survivorCount } from '@starling/rounds';
import { BEHAVIOURS, type Behaviour } from './adversaries/index.ts';
import {
  agreement,
  belowThreshold,
  type Checker,
  exactSum,
  neverBoth,
  noEquivocation,
  type Observation,
  Rosters,
  updateOnce,
} from './checkers/index.ts';
import { Coverage, PHASES } from './coverage.ts';
import { fakeModel } from './fake-trainer.ts';
import { drawFaults, type FaultKind, type FaultMix } from './faults.ts';
import type { JournalStage } from './journal-watch.ts';
import { manifestOf, ringBitsOf } from './manifest.ts';
import { SimNetwork } from './network.ts';
import { Prng } from './prng.ts';
import { sharedWire } from './shared-wire.ts';
import type { SimOptions, SimReport, SimRound } from './types.ts';
import { type CountedCpu, verificationSeconds } from './unit-costs.ts';
import { VirtualTime } from './virtual-time.ts';
import { SimPeer, type WorldParts } from './world.ts';

const TIME_LIMIT_MS = 30 * 60 * 1000;
/** Larger swarms are not fully connected: a peer has this many connections, about. */
const FULLY_CONNECTED_MAX = 128;
const DEGREE = 64;
/** How long a peer that was killed at a journal write stays away. */
const JOURNAL_RESTART_MS = 1_000;
/** How long a write that never gets to the disk is under way before its writer dies. */
const SLOW_DISK_MS = 50;
/** Runs one job on a virtual swarm. Two runs of the same options give the same `traceHash`. */
export async function simulate(options: SimOptions): Promise<SimReport> {
  return new Simulation(options).run();
}

class Simulation {
  readonly #options: SimOptions;
  readonly #started = process.hrtime.bigint();
  readonly #cpu = process.cpuUsage();
  readonly #rememberedBefore = verifications().remembered;
  readonly #wire = sharedWire();
  readonly #time = new VirtualTime();
  readonly #prng: Prng;
  readonly #faults: FaultMix;
  readonly #network: SimNetwork;
  readonly #peers: readonly SimPeer[];
  readonly #adversaries: ReadonlyMap<number, Behaviour>;
  readonly #rosters: Rosters;
  readonly #sums: ReturnType<typeof exactSum>;
  readonly #checkers: readonly Checker[];
  readonly #trace = createHash('sha256');
  readonly #violations: string[] = [];
  readonly #aborts = new Map<string, number>();
  readonly #injected = new Map<string, number>();
  readonly #coverage = new Coverage();
  readonly #convictions = new Map<string, number>();
  readonly #convicted = new Set<PeerId>();
  readonly #banned = new Set<PeerId>();
  #misdeeds = 0;
  /** Round → slots in which an aggregation began. */
  readonly #attempts = new Map<number, Set<string>>();
  readonly #survivors = new Map<number, number>();
  readonly #crash: Prng;
  /** `peer/round` → boundary at which it dies, or undefined when it lives. */
  readonly #fates = new Map<string, string | undefined>();
  /** Dying at a journal write, not back yet: what they do then is what such a run is for. */
  readonly #awaited = new Set<SimPeer>();
  #fatal: unknown;
  /** Whether somebody got further, or died, since the last look. */
  #isNews = true;
  #launched = false;
  /** Whether `job.onState` has seen enough. */
  #isStopped = false;
  readonly #shown = new Set<number>();
  #peak = 0;

  constructor(options: SimOptions) {
    this.#options = options;
    this.#prng = new Prng(BigInt(options.seed));
    const network = this.#prng.fork();
    this.#crash = this.#prng.fork();
    this.#faults = options.faults ?? faultsOf(options.seed);
    const drawn = drawAdversaries(options, this.#prng.fork());
    this.#adversaries = options.adversaries ?? drawn;
    // A wide roster is one cell, however large.
    const cellSize = options.graph === 'wide' ? Number.POSITIVE_INFINITY : options.cellSize || 64;
    this.#rosters = new Rosters(cellSize);
    const { job } = options;
    this.#sums = exactSum(job?.manifest.aggregation.ringBits ?? ringBitsOf(options));
    this.#checkers = [
      neverBoth(this.#rosters),
      this.#sums,
      agreement(),
      belowThreshold(this.#rosters, (peer) => this.#isDishonest(peer)),
      updateOnce(),
      noEquivocation(),
    ];
    this.#network = new SimNetwork({
      time: this.#time,
      prng: network,
      faults: this.#faults,
      burstMs: burstOf(options.peers),
      degree: options.peers > FULLY_CONNECTED_MAX ? DEGREE : undefined,
      onFault: (kind, peer) => this.#count(kind, peer),
      onDelivery: (line) => void this.#trace.update(`${line}\n`),
    });
    const parts = {
      seed: options.seed,
      peers: options.peers,
      prng: this.#prng.fork(),
      time: this.#time,
      network: this.#network,
      wire: this.#wire,
      protection: options.protection ?? 'double-masking',
      canary: options.canary,
      trainer: options.job?.trainer,
      adversaries: this.#adversaries,
      observe: (observation: Observation) => this.#observe(observation),
      onNotice: (peer: SimPeer, notice: Notice) => this.#onNotice(peer, notice),
      onDeed: () => {
        this.#misdeeds += 1;
      },
      onFatal: (error: unknown) => {
        this.#fatal ??= error;
      },
      ...this.#journalHook(),
    };
    this.#peers = Array.from({ length: options.peers }, (_, index) => new SimPeer(parts, index));
  }

  async run(): Promise<SimReport> {
    const verifiedBefore = verifications().performed;
    for (const peer of this.#peers) await peer.boot();
    const { job, dim } = this.#options;
    const model = job?.model ?? fakeModel(dim);
    const manifest = job?.manifest ?? manifestOf(this.#options, model);
    // Launching waits for others' answers, which come only while virtual time moves.
    const launched = this.#peers[0]!.node!.launch(manifest, model);
    launched.then(
      () => {
        this.#launched = true;
      },
      (error: unknown) => {
        this.#fatal ??= error;
      },
    );
    this.#planPartitions();
    await this.#untilFinished();
    if (this.#fatal !== undefined) throw this.#fatal;
    // A canary stops the run when it is caught, with peers at different places.
    if (this.#options.canary === undefined && !this.#isStopped) this.#checkConvergence();
    return this.#report(verifications().performed - verifiedBefore);
  }

  async #untilFinished(): Promise<void> {
    const limit = this.#options.timeLimitMs ?? TIME_LIMIT_MS;
    for (let steps = 0; ; steps++) {
      if (!(await this.#time.step()) || this.#fatal !== undefined) return;
      if (steps % 256 === 0) this.#peak = Math.max(this.#peak, process.memoryUsage.rss());
      // Looking at a thousand peers after every event would cost more than the events.
      if (this.#isStopped) return;
      const isNews = this.#isNews || steps % 256 === 0;
      this.#isNews = false;
      if ((isNews && this.#isFinished()) || this.#time.now > limit) return;
      if (this.#violations.length > 0 && this.#options.canary !== undefined) return;
    }
  }

  /** Everybody honest and alive holds the whole chain, and all hold the same. */
  #isFinished(): boolean {
    if (this.#awaited.size > 0) return false;
    const chains = this.#honestAlive().map(headOf);
    const done = chains.every((head) => head?.length === this.#options.rounds);
    return done && new Set(chains.map((head) => head?.hash)).size === 1;
  }

  #isDishonest(peer: PeerId): boolean {
    return this.#peers.some((other) => other.peer === peer && !other.isHonest);
  }

  #honestAlive(): readonly SimPeer[] {
    return this.#peers.filter((peer) => peer.isAlive && peer.isHonest);
  }

  #checkConvergence(): void {
    const heads = new Set(this.#honestAlive().map((peer) => headOf(peer)?.hash));
    if (heads.size > 1) this.#violations.push(`convergence: ${heads.size} different chains`);
  }

  #observe(observation: Observation): void {
    if (observation.kind === 'sent') this.#rosters.learn(observation.envelope);
    if (observation.kind === 'input' && this.#options.onInput !== undefined) {
      const index = this.#peers.findIndex(({ peer }) => peer === observation.by);
      this.#options.onInput(index, observation.round, observation.words);
    }
    for (const checker of this.#checkers) {
      const fault = checker.observe(observation);
      if (fault !== undefined) this.#violations.push(`${checker.name}: ${fault}`);
    }
  }

  #onNotice(peer: SimPeer, notice: Notice): void {
    const { kind } = notice;
    this.#options.onNotice?.(peer.index, notice, this.#time.now);
    this.#coverage.take(peer.peer, notice);
    if (kind === 'session') {
      const slots = this.#attempts.get(notice.round) ?? new Set();
      this.#attempts.set(notice.round, slots.add(`${notice.slot.restarts}/${notice.slot.attempt}`));
    }
    if (kind === 'retry' || kind === 'burnt') this.#abort(`${kind}: ${notice.reason}`);
    if (kind === 'convicted' && peer.isHonest) {
      const { reason } = notice;
      this.#convictions.set(reason, (this.#convictions.get(reason) ?? 0) + 1);
      this.#convicted.add(notice.peer);
    }
    if (kind === 'banned' && peer.isHonest) {
      this.#banned.add(notice.peer);
      if (!this.#isDishonest(notice.peer)) {
        this.#violations.push(`framed: an honest peer is banned (${notice.reason})`);
      }
    }
    if (kind === 'certified') {
      this.#isNews = true;
      const { statement } = notice.certificate;
      if (!this.#survivors.has(statement.round)) {
        const survivors = survivorCount(statement);
        this.#options.onProgress?.(`round ${statement.round}: ${survivors} survivors`);
      }
      this.#survivors.set(statement.round, survivorCount(statement));
      this.#show(peer, statement.round, statement.stateHash);
    }
    if (kind === 'joining') this.#maybeDie(peer, notice.round, 'joining');
    if (kind === 'phase') this.#maybeDie(peer, notice.round, notice.phase);
  }

  /** A peer may have a certificate before it has the state: the first that has both shows it. */
  #show(peer: SimPeer, round: number, hash: BlobHash): void {
    const { job } = this.#options;
    if (job === undefined || this.#shown.has(round)) return;
    const show = async () => {
      const state = await peer.blob(hash);
      if (state === undefined || this.#shown.has(round)) return;
      this.#shown.add(round);
      const bytesPerPeer = mean(this.#peers.map((each) => this.#network.bytesOut(each.peer)));
      const survivors = this.#survivors.get(round) ?? 0;
      const answer = await job.onState({ round, state: state.slice(), survivors, bytesPerPeer });
      if (answer === 'stop') this.#isStopped = true;
    };
    this.#time.hold(show()).catch((error: unknown) => {
      this.#fatal ??= error;
    });
  }

  #journalHook(): Pick<WorldParts, 'onJournalWrite'> {
    const { onJournalWrite } = this.#options;
    if (onJournalWrite === undefined) return {};
    return {
      onJournalWrite: (peer: SimPeer, count: number, stage: JournalStage) => {
        if (onJournalWrite({ peer: peer.index, count, stage }) !== 'kill') return false;
        this.#awaited.add(peer);
        const die = () => this.#crashAndRestart(peer, JOURNAL_RESTART_MS);
        // What does not wait for the disk, as it should, gets the time to go out.
        if (stage === 'before') this.#time.after(SLOW_DISK_MS, die);
        else die();
        return true;
      },
    };
  }

  #crashAndRestart(peer: SimPeer, afterMs: number | undefined): void {
    this.#isNews = true;
    this.#count('crash', peer.peer);
    peer.kill();
    this.#coverage.forget(peer.peer);
    if (afterMs === undefined) return;
    this.#time.after(afterMs, () => {
      this.#awaited.delete(peer);
      this.#count('restart');
      peer.boot().catch((error: unknown) => {
        this.#fatal ??= error;
      });
    });
  }

  /** Draws once a round whether and where a peer dies; the launcher is as mortal as any. */
  #maybeDie(peer: SimPeer, round: number, boundary: string): void {
    // A job that its launcher told nobody of dies with it, rightly.
    if (!this.#launched) return;
    const key = `${peer.index}/${round}`;
    if (!this.#fates.has(key)) {
      const dies = this.#crash.chance(this.#options.dropout);
      this.#fates.set(key, dies ? this.#crash.pick(PHASES) : undefined);
    }
    if (this.#fates.get(key) !== boundary) return;
    this.#fates.set(key, undefined);
    // A swarm below three can do nothing but wait, for ever if nobody comes back.
    if (this.#honestAlive().length <= 4 && this.#faults.restart < 1) return;
    const returns = this.#crash.chance(this.#faults.restart);
    this.#crashAndRestart(peer, returns ? 2_000 + this.#crash.below(20_000) : undefined);
  }

  #planPartitions(): void {
    const prng = this.#prng.fork();
    for (let i = 0; i < this.#faults.partitions; i++) {
      const start = 2_000 + prng.below(20_000);
      this.#time.after(start, () => {
        const sides = new Map<PeerId, number>();
        for (const { peer } of this.#peers) sides.set(peer, prng.chance(0.7) ? 0 : 1);
        this.#network.split(sides);
        this.#time.after(this.#faults.partitionMs, () => this.#network.split(undefined));
      });
    }
  }

  /** What virtual peers share, and real ones each do for themselves. */
  #counted(): CountedCpu {
    const { repeated, secondsEach } = this.#wire.saved();
    return {
      readings: repeated,
      secondsPerReading: secondsEach,
      verifications: verifications().remembered - this.#rememberedBefore,
      secondsPerVerification: verificationSeconds(),
    };
  }

  /** @param peer whom it befell; all who live, when absent */
  #count(kind: FaultKind, peer?: PeerId): void {
    const befallen = peer === undefined ? this.#peers.filter(({ isAlive }) => isAlive) : [{ peer }];
    this.#coverage.count(
      kind,
      befallen.map((each) => each.peer),
    );
    this.#injected.set(kind, (this.#injected.get(kind) ?? 0) + 1);
  }

  #abort(reason: string): void {
    this.#aborts.set(reason, (this.#aborts.get(reason) ?? 0) + 1);
  }

  #report(signaturesVerified: number): SimReport {
    const best = Math.max(0, ...this.#honestAlive().map((peer) => headOf(peer)?.length ?? 0));
    const rounds = Array.from({ length: best }, (_, i): SimRound => {
      const round = i + 1;
      return {
        sumExact: this.#sums.isExact(round),
        survivors: this.#survivors.get(round) ?? 0,
        attempts: this.#attempts.get(round)?.size ?? 0,
        decision: 'survivors',
      };
    });
    const bytes = this.#peers.map(({ peer }) => this.#network.bytesOut(peer));
    const { user, system } = process.cpuUsage(this.#cpu);
    const counted = this.#counted();
    const { readings, secondsPerReading, verifications: checks, secondsPerVerification } = counted;
    const saved = readings * secondsPerReading + checks * secondsPerVerification;
    const cpu = ((user + system) / 1e6 + saved) / this.#peers.length;
    return {
      seed: this.#options.seed,
      roundsFinished: best,
      rounds,
      aborts: Object.fromEntries([...this.#aborts].sort()),
      coverage: this.#coverage.table(),
      faultsInjected: Object.fromEntries([...this.#injected].sort()),
      adversaries: [...this.#adversaries.values()],
      misdeeds: this.#misdeeds,
      convictions: Object.fromEntries([...this.#convictions].sort()),
      convicted: this.#peers.filter((p) => this.#convicted.has(p.peer)).map((p) => p.index),
      banned: this.#peers.filter((p) => this.#banned.has(p.peer)).map((p) => p.index),
      updatesCharged: this.#peers.map(chargedIn),
      violations: this.#violations,
      traceHash: this.#trace.digest('hex'),
      signaturesVerified,
      bytesPerPeer: { mean: mean(bytes), max: Math.max(...bytes) },
      cpuSecondsPerPeer: { mean: cpu, max: cpu },
      cpuCounted: counted,
      virtualSeconds: this.#time.now / 1000,
      wallSeconds: Number(process.hrtime.bigint() - this.#started) / 1e9,
      peakMemoryBytes: Math.max(this.#peak, process.memoryUsage.rss()),
    };
  }
}

/** In a larger swarm each peer wakes up less often for more messages. */
function burstOf(peers: number): number {
  if (peers > 256) return 100;
  return peers > 32 ? 20 : 2;
}

/** The fault mix that a seed draws. */
export const faultsOf = (seed: number): FaultMix => drawFaults(new Prng(~BigInt(seed)));

const mean = (values: readonly number[]): number =>
  values.reduce((sum, value) => sum + value, 0) / Math.max(1, values.length);

const chargedIn = ({ node }: SimPeer): number =>
  (node?.privacySpent().updates ?? []).reduce((sum, { updates }) => sum + updates, 0);

function headOf({ node }: SimPeer): { length: number; hash: string } | undefined {
  const job = node?.jobs()[0];
  if (job === undefined) return undefined;
  const { certificates } = job;
  const last = certificates.at(-1)?.statement;
  return { length: certificates.length, hash: `${last?.parent}/${last?.stateHash}` };
}

function drawAdversaries(
  { peers, byzantine }: SimOptions,
  prng: Prng,
): ReadonlyMap<number, Behaviour> {
  const chosen = new Map<number, Behaviour>();
  // Peer 0 launches the job; a liar there would test nothing but the launch.
  const candidates = Array.from({ length: peers - 1 }, (_, i) => i + 1);
  for (let i = 0; i < Math.floor(byzantine * peers); i++) {
    const [peer] = candidates.splice(prng.below(candidates.length), 1);
    chosen.set(peer!, prng.pick(BEHAVIOURS));
  }
  return chosen;
}
