import {
  type BlobHash,
  encodeCanonical,
  errorMessage,
  InvariantError,
  millis,
  type PeerId,
  ProtocolError,
  toHex,
} from '@starling/core';
import {
  type Certificate,
  cellTopic,
  type Envelope,
  gossipCodec,
  type Job,
  jobTopic,
} from '@starling/protocol-rounds';
import {
  createEngine,
  type EngineEffect,
  type EngineEvent,
  type EngineState,
  engineStep,
  type Notice,
  type OwnerVeto,
  type Policy,
  type PreparedJob,
  type RunningSession,
  stateHashOf,
  type TrainingProgress,
  verifyChain,
} from '@starling/rounds';
import type { BlobExchange } from './blobs/exchange.ts';
import { ControlVariates } from './control-variates.ts';
import { ErrorFeedback } from './error-feedback.ts';
import { holdOutFault } from './hold-out.ts';
import { JobJournal } from './job-journal.ts';
import { OwnVectors } from './own-vectors.ts';
import type { NodeOptions, NodeParts } from './parts.ts';
import type { PrivacyGate } from './privacy-gate.ts';
import { EventQueue } from './queue.ts';
import { RoundTimer } from './round-timer.ts';
import { SessionHost } from './session-host.ts';
import { SyncClient } from './sync-client.ts';
import { ThanksBook } from './thanks.ts';
import { PERSONAL, trainRound } from './training.ts';
import type { VectorStore } from './vectors.ts';

/** Whether this peer's role lets it train as a light peer only. */
const mustBeLight = ({ members, transport }: NodeParts): boolean =>
  members !== undefined && !members.may(transport.self, 'train');

const mayJoinIn = ({ members }: NodeParts) =>
  members && ((peer: PeerId, light: boolean) => members.may(peer, light ? 'train-light' : 'train'));

/** Events waiting for the engine; beyond that, what peers send is dropped. */
const QUEUE_MAX = 4_096;
/** Envelopes that the engine takes in one step: a turn of the loop stays short. */
const BATCH_MAX = 256;

export interface JobHostParts {
  readonly node: NodeParts;
  readonly options: NodeOptions;
  readonly job: Job;
  readonly blobs: BlobExchange;
  readonly vectors: VectorStore;
  readonly privacy: PrivacyGate;
  /** Told why no further update may leave: consent is to be taken back. */
  readonly onBudgetSpent: (reason: string) => void;
  /** Called when the host ends by a bug of ours: the daemon must not go on. */
  readonly onFatal: (error: unknown) => void;
}

function vetoOf({ minPeers, company }: Policy): OwnerVeto {
  const { peers = [], least = 0 } = company ?? {};
  return { survivorsMin: minPeers, trusted: peers, trustedMin: least };
}

/** Whether no round of the job will follow. */
const isLast = ({ kind }: Notice): boolean => kind === 'cancelled' || kind === 'finished';

/** What this peer takes part with. */
export interface Participation {
  readonly prepared: PreparedJob;
  readonly dataset: string;
}

/** What peers send unasked; when the queue is full it is dropped, and pulled again later. */
const DROPPABLE: ReadonlySet<EngineEvent['kind']> = new Set(['head', 'envelopes', 'evidence']);

/**
 * Runs one job's engine: one event at a time, its effects in order, nothing sent before it is on
 * disk.
 */
export class JobHost {
  readonly job: Job;
  readonly #parts: JobHostParts;
  readonly #queue = new EventQueue<EngineEvent>(QUEUE_MAX);
  readonly #timers = new Map<string, () => void>();
  readonly #journal: JobJournal;
  readonly #own: OwnVectors;
  readonly #variates: ControlVariates | undefined;
  readonly #sync: SyncClient;
  readonly #feedback: ErrorFeedback | undefined;
  readonly #session: SessionHost;
  readonly #timer: RoundTimer;
  readonly thanks: ThanksBook;
  readonly #loop: Promise<void>;
  #state: EngineState;
  #part: Participation | undefined;
  #progress: TrainingProgress | undefined;
  /** Stops hearing the cell that this peer is in. */
  #cell: (() => void) | undefined;
  #training = 0;
  /** Who waits for a `cancel` to be taken in. */
  #cancelling: (() => void)[] = [];
  #isPaused = false;
  #isRecovered = false;
  #stopped = false;

  constructor(parts: JobHostParts) {
    const { node, options, job } = parts;
    this.job = job;
    this.#parts = parts;
    this.#state = createEngine({
      job,
      key: node.key,
      weight: mustBeLight(node) ? 0 : options.weight,
      mayJoin: mayJoinIn(node),
      mayHaveJoined: node.members && ((peer) => node.members!.mayHaveTrained(peer)),
      protection: options.protection,
      veto: vetoOf(options.policy()),
      canary: options.canary,
    });
    const enqueue = (event: EngineEvent) => this.enqueue(event);
    this.#journal = new JobJournal(node.journal, job.id);
    this.#own = new OwnVectors({ ...node, job: job.id });
    if (job.manifest.aggregation.algorithm === 'scaffold') {
      const { self } = node.transport;
      this.#variates = new ControlVariates({
        ...{ job, self, own: this.#own, journal: this.#journal },
      });
    }
    if (job.manifest.aggregation.errorFeedback) {
      this.#feedback = new ErrorFeedback({ ...node, job, self: node.transport.self });
    }
    this.thanks = new ThanksBook({
      ...{ ...node, job: job.id, chain: () => this.#state.chain },
      inBackground: (work) => this.#inBackground(work),
    });
    const onReceived = this.thanks.counter('blobs');
    this.#sync = new SyncClient({ node, job, blobs: parts.blobs, enqueue, onReceived });
    this.#timer = new RoundTimer(parts.node.clock);
    this.#session = new SessionHost({
      ...{ ...parts, enqueue, onReceived: this.thanks.counter('sums') },
      judge: (before, after) => this.#judge(before, after),
      isCurrent: ({ roundId, attempt }) => this.running(roundId, attempt) !== undefined,
    });
    this.#loop = this.#run();
  }

  get state(): EngineState {
    return this.#state;
  }

  /** Whether the chain on disk has been read: before, the state has none. */
  get isRecovered(): boolean {
    return this.#isRecovered;
  }

  get session(): SessionHost {
    return this.#session;
  }

  get queueLength(): number {
    return this.#queue.length;
  }

  /** How far the training is that goes on, once it takes longer than seconds. */
  get progress(): TrainingProgress | undefined {
    return this.#progress;
  }

  /** The model is ready on this machine, with local data (`prepared`) or only to follow the job. */
  prepare(layout: { vectorLength: number; stateHash: BlobHash }): void {
    this.enqueue({ kind: 'prepared', ...layout });
  }

  /** Gives or takes away consent and data. */
  participate(part: Participation | undefined): void {
    const before = this.#part;
    this.#part = part;
    this.#feedback?.withdraw();
    if (before !== undefined) this.#inBackground(before.prepared.close());
    this.enqueue({ kind: 'participate', on: part !== undefined && !this.#isPaused });
  }

  /** Calls the job off; resolves when the engine has taken it in, and it is on disk. */
  async cancel(signature: Uint8Array): Promise<void> {
    const done = new Promise<void>((resolve) => this.#cancelling.push(resolve));
    this.enqueue({ kind: 'cancel', signature, spread: true });
    await done;
  }

  /** Stays out of new rounds until it goes on; what it is in is finished. */
  pause(on: boolean): void {
    if (this.#isPaused === on) return;
    this.#isPaused = on;
    if (this.#part !== undefined) this.enqueue({ kind: 'participate', on: !on });
  }

  /** Takes what came on one of the job's topics. @throws DecodeError */
  hear(message: Uint8Array, from: PeerId): void {
    const heard = this.#parts.node.wire.gossip(message);
    if (heard?.kind === 'head') {
      const { round, certificate } = heard;
      this.enqueue({ kind: 'head', from, round, certificate });
    }
    if (heard?.kind === 'envelope') this.receive(heard.envelope);
    if (heard?.kind === 'thanks') this.thanks.take(heard.thanks);
    if (heard?.kind === 'cancel') {
      this.#queue.push({ kind: 'cancel', signature: heard.signature }, { droppable: true });
    }
    if (heard?.kind === 'evidence') this.enqueue({ kind: 'evidence', bytes: heard.bytes });
  }

  receive(envelope: Envelope): void {
    this.#queue.push({ kind: 'envelopes', envelopes: [envelope] }, { droppable: true });
  }

  enqueue(event: EngineEvent): void {
    this.#queue.push(event, { droppable: DROPPABLE.has(event.kind) });
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    this.#queue.close();
    for (const cancel of this.#timers.values()) cancel();
    this.#timers.clear();
    this.#leaveCells();
    await this.#loop;
    this.#tellCancelled();
    await this.#part?.prepared.close();
  }

  /** Blobs of what this peer keeps for itself. */
  ownBlobs(): readonly BlobHash[] {
    return this.#own.hashes();
  }

  /** Weights that this peer trains for itself; undefined before its first training. */
  personal(): Promise<Float32Array | undefined> {
    return this.#own.get(PERSONAL);
  }

  /** Certificates of the job from round `from` on. */
  certificates(from: number): readonly Certificate[] {
    return this.#state.chain.slice(Math.max(0, from - 1));
  }

  async #run(): Promise<void> {
    try {
      await this.#own.load();
      const { certificates, ...kept } = await this.#journal.recover();
      const sound = this.#soundPart(certificates);
      await this.#take({ kind: 'start', certificates: sound, ...kept });
      this.#isRecovered = true;
      for (;;) {
        const event = await this.#queue.next();
        if (event === undefined) return;
        await this.#take(event.kind === 'envelopes' ? this.#withFollowing(event) : event);
      }
    } catch (error) {
      if (!this.#stopped) this.#parts.onFatal(error);
    }
  }

  /** All envelopes that wait right behind this one: the engine takes them in one step. */
  #withFollowing(first: Extract<EngineEvent, { kind: 'envelopes' }>): EngineEvent {
    const envelopes = [...first.envelopes];
    while (envelopes.length < BATCH_MAX) {
      const next = this.#queue.takeIf((event) => event.kind === 'envelopes');
      if (next?.kind !== 'envelopes') break;
      envelopes.push(...next.envelopes);
    }
    return { kind: 'envelopes', envelopes };
  }

  /** A crash between two writes may leave the tail of another chain: it is cut off. */
  #soundPart(chain: readonly Certificate[]): readonly Certificate[] {
    const { id: jobId, manifest } = this.job;
    const verdict = verifyChain(chain, { jobId, manifest });
    return verdict.ok ? chain : chain.slice(0, verdict.round - 1);
  }

  async #take(event: EngineEvent): Promise<void> {
    const { state, effects } = engineStep(this.#state, { at: this.#parts.node.clock.now(), event });
    this.#state = state;
    for (const effect of effects) {
      if (this.#stopped) return;
      await this.#perform(effect);
    }
    if (event.kind === 'cancel') this.#tellCancelled();
  }

  #tellCancelled(): void {
    for (const resolve of this.#cancelling.splice(0)) resolve();
  }

  async #perform(effect: EngineEffect): Promise<void> {
    const { node, job } = this.#parts;
    switch (effect.kind) {
      case 'journal':
        await this.#journal.note(effect.key, effect.value);
        if (effect.key.endsWith('/masked')) this.#feedback?.masked(effect.value);
        return;
      case 'store-chain':
        await this.#feedback?.settle(effect.certificates);
        await this.#journal.storeChain(effect.from, effect.certificates);
        return;
      case 'gossip': {
        const bytes = encodeCanonical(gossipCodec, effect.message);
        const topic = effect.cell ? cellTopic(job.id, effect.cell) : jobTopic(job.id);
        this.#inBackground(node.transport.publish(topic, bytes));
        return;
      }
      case 'listen':
        this.#listen(cellTopic(job.id, effect.cell));
        return;
      case 'set-timer':
        this.#setTimer(effect.timer, effect.afterMs);
        return;
      case 'train':
        this.#inBackground(this.#train(effect.stateHash, effect.round));
        return;
      case 'session':
        this.#inBackground(this.#session.perform(effect));
        return;
      case 'fetch-cell':
        this.#inBackground(this.#session.fetchCell(effect));
        return;
      case 'apply':
        this.#inBackground(this.#session.apply(effect));
        return;
      case 'release':
        this.#leaveCells();
        this.#parts.vectors.release(job.id, `${job.id}/${effect.roundId}/`);
        return;
      case 'notice':
        if (effect.notice.kind === 'cancelled') this.#endTraining();
        if (effect.notice.kind === 'certified') this.thanks.certified();
        if (isLast(effect.notice)) await this.#feedback?.clear();
        this.#parts.options.onNotice?.(job.id, effect.notice);
        return;
      default:
        this.#inBackground(this.#sync.perform(effect));
    }
  }

  /** No round will come: the trainer's memory is free for other jobs. */
  #endTraining(): void {
    const part = this.#part;
    this.#part = undefined;
    this.#training += 1;
    if (part !== undefined) this.#inBackground(part.prepared.close());
  }

  /** A failure of something under way is logged; a bug of ours ends the node. */
  #inBackground(work: Promise<void>): void {
    work.catch((error: unknown) => {
      if (this.#stopped) return;
      if (error instanceof InvariantError) this.#parts.onFatal(error);
      else this.#parts.node.log.warn('effect failed', { error: errorMessage(error) });
    });
  }

  /** Hears one cell of the running attempt, and none of those before. */
  #listen(topic: string): void {
    this.#leaveCells();
    const { transport } = this.#parts.node;
    this.#cell = transport.subscribe(topic, (message, from) => this.hear(message, from));
  }

  #leaveCells(): void {
    this.#cell?.();
    this.#cell = undefined;
  }

  #setTimer(timer: string, afterMs: number): void {
    this.#timers.get(timer)?.();
    const cancel = this.#parts.node.clock.setTimer(millis(afterMs), () => {
      this.#timers.delete(timer);
      this.enqueue({ kind: 'timer', timer });
    });
    this.#timers.set(timer, cancel);
  }

  async #train(stateHash: BlobHash, round: number): Promise<void> {
    const turn = ++this.#training;
    const { chain } = this.#state;
    if (this.#part === undefined) return;
    const { prepared, dataset } = this.#part;
    const { node, job, vectors, options, privacy } = this.#parts;
    const { exampleCost: cost } = prepared;
    const refusal = privacy.refusal(dataset, cost !== undefined);
    if (refusal !== undefined) return this.#endByBudget(round, refusal);
    const onProgress = (progress: TrainingProgress) => {
      if (turn !== this.#training) return;
      this.#progress = progress;
      options.onNotice?.(job.id, { kind: 'progress', round, ...progress });
    };
    this.#timer.begins(round);
    try {
      // Before the training: what it leaves behind may tell of examples though it is never sent.
      const name = `${round}-${toHex(node.random.bytes(8))}`;
      const unpaid = cost && (await privacy.begin(dataset, cost, name));
      if (unpaid !== undefined) return this.#endByBudget(round, unpaid);
      if (turn !== this.#training) return;
      const feedback = this.#feedback;
      const leftOver = async () => feedback?.leftOver(dataset);
      const variates = this.#variates;
      const trained = await trainRound({
        ...{ node, job, vectors, prepared, stateHash, round, onProgress, chain, variates },
        ...{ own: this.#own, leftOver, seconds: () => this.#timer.measure(round) },
      });
      const { update } = trained;
      const offer = { trained, dataset, stateHash };
      // A newer round has begun meanwhile: its own training follows.
      if (turn !== this.#training) {
        const isLate = this.#part?.prepared === prepared && stateHashOf(this.#state) !== stateHash;
        if (isLate) await feedback?.late(offer);
        return;
      }
      // On disk before the engine has the update: no JOIN can be sent without it.
      const refused = await privacy.spend(dataset, update.id, cost !== undefined);
      if (refused !== undefined) return this.#endByBudget(round, refused);
      await feedback?.offer(offer);
      if (turn !== this.#training) return;
      vectors.keepOnly(`${job.id}/update/`, update.handle);
      this.enqueue({ kind: 'trained', stateHash, update, entropy: node.random.bytes(32) });
    } catch (error) {
      if (error instanceof InvariantError) throw error;
      if (turn === this.#training)
        this.enqueue({ kind: 'train-failed', stateHash, reason: errorMessage(error) });
    } finally {
      if (turn === this.#training) this.#progress = undefined;
    }
  }

  /** The owner's rule about new models, if there is one and this peer has data to judge by. */
  async #judge(before: BlobHash, after: BlobHash): Promise<string | undefined> {
    const { node, options, job } = this.#parts;
    const { worseMax } = options.policy();
    // With noise even that a peer does not sign would say something about its data.
    const isPrivate = job.manifest.privacy.mechanism !== 'none';
    if (worseMax === undefined || this.#part === undefined || isPrivate) return undefined;
    const { prepared } = this.#part;
    if (prepared.exampleCost !== undefined) return undefined;
    try {
      const personal = await this.#own.get(PERSONAL);
      const look = { before, after, worseMax, personal };
      return await holdOutFault(prepared, look, async (hash) => {
        const state = await node.blobs.get(hash);
        if (state === undefined) throw new ProtocolError('state-missing', `state ${hash}`);
        return (await node.compute.run('decode', { state })).model;
      });
    } catch (error) {
      if (error instanceof InvariantError) throw error;
      node.log.warn('a new model could not be judged', {
        job: job.id,
        reason: errorMessage(error),
      });
      return undefined;
    }
  }

  #endByBudget(round: number, reason: string): void {
    const { job, options, onBudgetSpent } = this.#parts;
    onBudgetSpent(reason);
    options.onNotice?.(job.id, { kind: 'budget-spent', round, reason });
  }

  /** The last attempt, running or over but for its certificate, if it is this one. */
  lastSession(roundId: string, attempt: number): RunningSession | undefined {
    const { phase } = this.#state;
    if (!('session' in phase)) return undefined;
    const { session } = phase;
    return session.roundId === roundId && session.slot.attempt === attempt ? session : undefined;
  }

  /** The running attempt, if it is this one. */
  running(roundId: string, attempt: number): RunningSession | undefined {
    return this.#state.phase.name === 'session' ? this.lastSession(roundId, attempt) : undefined;
  }
}
