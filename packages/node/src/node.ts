import {
  type BlobHash,
  ConfigError,
  errorMessage,
  InvariantError,
  type JobId,
  type Parcel,
  type PeerId,
  ProtocolError,
} from '@starling/core';
import { encodeState, initialState } from '@starling/federation';
import {
  type Certificate,
  type Job,
  jobsTopic,
  jobTopic,
  type Manifest,
  readJob,
  SYNC_PROTOCOL,
  signCancel,
  signManifest,
} from '@starling/protocol-rounds';
import { CHUNK_PROTOCOL, OPEN_PROTOCOL } from '@starling/protocol-secagg';
import {
  codecOf,
  consentTo,
  type DataOffers,
  guaranteeOf,
  layoutFault,
  type ModelDescription,
  manifestFault,
  stateHashOf,
  vectorLengthOf,
  type WeightPatterns,
} from '@starling/rounds';
import { type BlobExchange, createBlobExchange } from './blobs/exchange.ts';
import { Catalogue, type Decision, keptJob } from './catalogue.ts';
import { openChunk, takeChunk } from './chunk-server.ts';
import { gatherThanks } from './gather-thanks.ts';
import { handOut } from './hand-out.ts';
import { JobFiles } from './job-files.ts';
import { JobHost } from './job-host.ts';
import { type JobModel, type JobReport, type Launched, NOT_LOOKED_AT } from './job-report.ts';
import { type KnownJob, report, stand } from './known-job.ts';
import type { NodeOptions, NodeParts } from './parts.ts';
import { PrivacyAccounts, type PrivacySpent } from './privacy-accounts.ts';
import { privacyGate } from './privacy-gate.ts';
import { askSync } from './sync-client.ts';
import { answerSync } from './sync-server.ts';
import { schemaOf, trainerJob } from './trainer-job.ts';
import { VectorStore } from './vectors.ts';

/** Jobs one node keeps track of. */
const JOBS_MAX = 256;
/**
 * One peer: its jobs, and what it says to others. The same code in the daemon and the simulator.
 */
export class StarlingNode {
  readonly #parts: NodeParts;
  readonly #options: NodeOptions;
  readonly #offers: DataOffers;
  readonly #catalogue: Catalogue;
  readonly #vectors = new VectorStore();
  readonly #accounts: PrivacyAccounts;
  /** Moves blobs between peers, also for what runs beside the jobs. */
  readonly exchange: BlobExchange;
  readonly #files: JobFiles;
  readonly #jobs = new Map<JobId, KnownJob>();
  readonly #leave: (() => void)[] = [];
  #stopped = false;
  #isPaused = false;

  constructor(parts: NodeParts, options: NodeOptions, offers: DataOffers) {
    this.#parts = parts;
    this.#options = options;
    this.#offers = offers;
    this.#catalogue = new Catalogue(parts.journal);
    this.#accounts = new PrivacyAccounts(parts.journal);
    const extra = (hash: BlobHash) => this.#vectors.byHash(hash);
    this.exchange = createBlobExchange({
      ...{ transport: parts.transport, store: parts.blobs, clock: parts.clock, extra },
    });
    this.#files = new JobFiles(parts, this.exchange);
  }

  /** Takes up the jobs on disk, and starts to listen. */
  async start(): Promise<void> {
    const { transport } = this.#parts;
    const hosts = () => [...this.#jobs.values()].map(({ host }) => host);
    transport.handle(SYNC_PROTOCOL, (parcel, from) => this.#answerSync(parcel, from));
    transport.handle(CHUNK_PROTOCOL, async (parcel, from) => takeChunk(hosts(), parcel, from));
    transport.handle(OPEN_PROTOCOL, async (parcel, from) => openChunk(hosts(), parcel, from));
    await this.#accounts.load();
    for (const entry of await this.#catalogue.all()) {
      const job = keptJob(entry, this.#parts.log);
      if (job !== undefined) await this.#open(job, entry.manifest, entry.decision);
    }
    this.#leave.push(
      transport.subscribe(jobsTopic, (manifest, from) => this.#hear(manifest, from)),
      transport.onPeerChange((peer, connected) => this.#peerChanged(peer, connected)),
    );
    for (const peer of transport.peers()) this.#peerChanged(peer, true);
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    for (const leave of this.#leave) leave();
    for (const { host, leave } of this.#jobs.values()) {
      leave();
      await host.stop();
    }
    await this.#parts.compute.close();
  }

  jobs(): readonly JobReport[] {
    return [...this.#jobs.values()].map((known) => report(known));
  }

  job(id: JobId): JobReport | undefined {
    const known = this.#jobs.get(id);
    return known && report(known);
  }

  /** What can be said of a model without data. @throws ProtocolError */
  describe(model: Uint8Array, weights: WeightPatterns): Promise<ModelDescription> {
    return this.#parts.trainer.describe(model, weights);
  }

  /** What this peer's data sets have given away. */
  privacySpent(): PrivacySpent {
    return this.#accounts.spent();
  }

  /**
   * Signs and keeps a job, and hands it to other peers. Resolves when `launchCopies` of them, or
   * all if there are fewer, hold it durably: from then on the launcher may die (design decision
   * 14c).
   */
  async launch(manifest: Manifest, model: Uint8Array): Promise<Launched> {
    const fault = manifestFault(manifest);
    if (fault !== undefined) throw new ConfigError('job', fault);
    this.#demandLauncher();
    const { layout } = await this.describe(model, manifest.training);
    const unfit = layoutFault(manifest, layout);
    if (unfit !== undefined) throw new ConfigError('job.privacy', unfit);
    const hash = await this.#parts.blobs.put(model);
    if (hash !== manifest.model) throw new ConfigError('job.model', 'is not the model given');
    const signed = signManifest(manifest, this.#parts.key);
    const job = readJob(signed)!;
    await this.#catalogue.add(job.id, signed);
    await this.#open(job, signed, undefined);
    const copies = await handOut(this.#parts, signed, this.#options.launchCopies);
    await this.#parts.transport.publish(jobsTopic, signed);
    const guarantee = guaranteeOf(manifest, layout.parameters);
    return { job: job.id, copies, peers: this.#parts.transport.peers().length, guarantee };
  }

  /** The owner of this machine agrees to a job, with a data set or the one that fits. */
  async approve(id: JobId, dataset?: string): Promise<JobReport> {
    const known = this.#known(id);
    const consent = consentTo(known.job, this.#options.policy(), this.#parts.transport.self);
    if (consent.verdict === 'refuse') {
      throw new ConfigError('policy.minPeers', consent.reason, 'Lower it to take part');
    }
    await known.ready;
    await this.#catalogue.decide(id, { kind: 'approved', dataset });
    await this.#participate(known, dataset);
    return report(known);
  }

  async refuse(id: JobId): Promise<JobReport> {
    const known = this.#known(id);
    await known.ready;
    await this.#catalogue.decide(id, { kind: 'refused' });
    known.turn += 1;
    known.host.participate(undefined);
    this.#stand(known, { kind: 'refused', reason: 'refused by you' });
    return report(known);
  }

  /** Calls a job off, for everybody. @throws ConfigError when another peer launched it */
  async cancel(id: JobId): Promise<JobReport> {
    const known = this.#known(id);
    const { job, host } = known;
    const { key } = this.#parts;
    if (job.launcher !== key.peerId) {
      const what = `${job.launcher} launched it, and only it can cancel it`;
      throw new ConfigError('job', what, '`starling jobs refuse` ends this node’s part in it');
    }
    await known.ready;
    await host.cancel(signCancel(job, key));
    return report(known);
  }

  /** A data set came, or the policy changed: jobs that lacked one or the other look again. */
  async reconsider(): Promise<void> {
    for (const known of this.#jobs.values()) {
      const { kind } = known.standing;
      if (kind === 'no-data') await this.#participate(known, undefined);
      if (kind === 'waiting-for-approval') await this.#askConsent(known);
    }
  }

  /** Whether this peer stays out of new rounds, in all jobs. */
  pause(on: boolean): void {
    this.#isPaused = on;
    for (const { host } of this.#jobs.values()) host.pause(on);
  }

  /** Blobs that must stay: models and newest states of the jobs launched or taken part in here. */
  *pinned(): Iterable<BlobHash> {
    for (const { job, host, standing } of this.#jobs.values()) {
      const isOurs = job.launcher === this.#parts.transport.self;
      const isWanted = standing.kind === 'participating' || standing === NOT_LOOKED_AT;
      if (!isOurs && !isWanted) continue;
      yield job.manifest.model;
      yield* host.ownBlobs();
      const stateHash = stateHashOf(host.state);
      if (stateHash !== undefined) yield stateHash;
    }
  }

  /**
   * The launched model and a certified state of a job.
   * @param round the newest unless told; an older one is fetched from others where it is gone here
   */
  async model(id: JobId, round?: number): Promise<JobModel> {
    const known = this.#known(id);
    const certificates = known.host.state.chain.slice(0, round);
    if (round !== undefined && certificates.length < round) {
      const what = `"${known.job.manifest.name}" has ${certificates.length} certified rounds here`;
      throw new ConfigError('round', what, 'Choose one of these, or wait');
    }
    const model = await this.#files.model(known.job);
    const hash = certificates.at(-1)?.statement.stateHash ?? known.host.state.genesis;
    if (hash === undefined) {
      throw new ProtocolError('not-ready', 'the model is still on its way, try again in a moment');
    }
    const state = await this.#files.state(hash, known.job.id, certificates.length);
    return { model, state, certificates, signed: known.manifest, report: report(known) };
  }

  /**
   * Signed receipts for what peers served each other in a job's rounds, as many as its proof takes.
   * @param chain only those for its rounds; all of the job unless told
   */
  thanks(id: JobId, chain?: readonly Certificate[]): Promise<readonly Uint8Array[]> {
    const { job, host } = this.#known(id);
    return gatherThanks(this.#parts, job, host, chain);
  }

  /** This peer's own weights of a job; undefined where it has trained none. */
  personal(id: JobId): Promise<Float32Array | undefined> {
    return this.#known(id).host.personal();
  }

  #known(id: JobId): KnownJob {
    const known = this.#jobs.get(id);
    if (known !== undefined) return known;
    throw new ConfigError('job', `no job ${id}`, '`starling jobs` lists those this node knows');
  }

  /** @throws ConfigError when this peer's role does not let it launch */
  #demandLauncher(): void {
    const { members, transport } = this.#parts;
    if (members === undefined || members.may(transport.self, 'launch')) return;
    const reason = members.refusal(transport.self) ?? 'this peer’s role does not let it launch';
    throw new ConfigError('swarm', reason, 'Ask an admin for an invite with --role launcher');
  }

  #hear(manifest: Uint8Array, from: PeerId): void {
    this.#inBackground(this.#learn(manifest, from));
  }

  /** A job from elsewhere: checked, fetched, kept. */
  async #learn(signed: Uint8Array, from: PeerId): Promise<void> {
    const job = readJob(signed);
    if (job === undefined)
      throw new ProtocolError('signature', 'manifest is not signed by its launcher');
    if (this.#jobs.has(job.id)) return;
    const fault = manifestFault(job.manifest);
    if (fault !== undefined) throw new ProtocolError('manifest', fault);
    if (this.#parts.members?.mayHaveLaunched(job.launcher) === false) {
      const reason = `${job.launcher}, who launched "${job.manifest.name}", may not launch here`;
      throw new ProtocolError('not-a-launcher', reason);
    }
    if (this.#jobs.size >= JOBS_MAX)
      throw new ProtocolError('full', `keeps ${JOBS_MAX} jobs already`);
    const sent = await this.#files.obtainModel(job, from);
    if (this.#jobs.has(job.id) || this.#stopped) return;
    await this.#catalogue.add(job.id, signed);
    await this.#open(job, signed, undefined);
    const count = this.#jobs.get(job.id)?.host.thanks.counter('blobs');
    for (const [peer, bytes] of sent) count?.(peer, bytes);
  }

  async #open(job: Job, manifest: Uint8Array, decision: Decision | undefined): Promise<void> {
    if (this.#jobs.has(job.id)) return;
    const { transport } = this.#parts;
    const privacy = privacyGate({
      ...{ job, accounts: this.#accounts, policy: this.#options.policy },
      guarantee: () => this.#jobs.get(job.id)?.guarantee,
    });
    const host = new JobHost({
      node: this.#parts,
      options: this.#options,
      ...{ job, privacy },
      onBudgetSpent: (reason) => this.#budgetSpent(job.id, reason),
      blobs: this.exchange,
      vectors: this.#vectors,
      onFatal: (error) => this.#onFatal(error),
    });
    const leave = transport.subscribe(jobTopic(job.id), (bytes, from) => {
      host.hear(bytes, from);
    });
    const standing = NOT_LOOKED_AT;
    const ready = Promise.resolve();
    const known: KnownJob = {
      ...{ job, manifest, host, leave, privacy, guarantee: undefined, ready, turn: 0, standing },
    };
    this.#jobs.set(job.id, known);
    this.#options.onStanding?.(job.id);
    host.pause(this.#isPaused);
    for (const peer of transport.peers())
      host.enqueue({ kind: 'reachable', peer, reachable: true });
    known.ready = this.#getReady(known, decision).catch((error: unknown) => this.#fail(error));
    this.#files.announce(job.id);
  }

  async #getReady(known: KnownJob, decision: Decision | undefined): Promise<void> {
    const { trainer, blobs } = this.#parts;
    const { job, host } = known;
    try {
      const model = await this.#files.model(job);
      const { layout, initial } = await trainer.describe(model, job.manifest.training);
      const unfit = layoutFault(job.manifest, layout);
      if (unfit !== undefined) throw new ProtocolError('privacy', unfit);
      known.guarantee = guaranteeOf(job.manifest, layout.parameters);
      const { optimizer } = codecOf(job.manifest);
      const state = encodeState(initialState(initial, layout.parameters, optimizer));
      const stateHash = await blobs.put(state);
      host.prepare({ vectorLength: vectorLengthOf(job.manifest, layout), stateHash });
    } catch (error) {
      this.#stand(known, { kind: 'failed', reason: errorMessage(error) });
      throw error;
    }
    if (decision?.kind === 'approved') await this.#participate(known, decision.dataset);
    else if (decision?.kind === 'refused') {
      this.#stand(known, { kind: 'refused', reason: 'refused by you' });
    } else await this.#askConsent(known);
  }

  async #askConsent(known: KnownJob): Promise<void> {
    const consent = consentTo(known.job, this.#options.policy(), this.#parts.transport.self);
    if (consent.verdict === 'start') await this.#participate(known, undefined);
    else if (consent.verdict === 'refuse')
      this.#stand(known, { kind: 'refused', reason: consent.reason });
    else this.#stand(known, { kind: 'waiting-for-approval', reason: consent.reason });
  }

  async #participate(known: KnownJob, wanted: string | undefined): Promise<void> {
    const { trainer, members, transport } = this.#parts;
    const { job, host } = known;
    if (members?.may(transport.self, 'train-light') === false) {
      const reason = members.refusal(transport.self) ?? 'your role in this swarm does not train';
      this.#stand(known, { kind: 'refused', reason });
      return;
    }
    const match =
      wanted === undefined
        ? await this.#offers.match(schemaOf(job.manifest))
        : { ok: true as const, dataset: wanted };
    if (!match.ok) {
      this.#stand(known, { kind: 'no-data', reasons: match.reasons });
      return;
    }
    const { dataset } = match;
    const exampleNoise = this.#options.policy().exampleNoise?.get(dataset);
    const place = { dataset, exampleNoise };
    const refusal = known.privacy.refusal(dataset, exampleNoise !== undefined);
    if (refusal !== undefined) {
      this.#budgetSpent(job.id, refusal);
      return;
    }
    const model = await this.#files.model(job);
    const turn = ++known.turn;
    try {
      const prepared = await trainer.prepare(trainerJob(job.manifest, model, place));
      if (known.turn !== turn) {
        await prepared.close();
        return;
      }
      this.#stand(known, { kind: 'participating', dataset });
      host.participate({ prepared, dataset });
    } catch (error) {
      if (!(error instanceof ProtocolError || error instanceof ConfigError)) throw error;
      this.#stand(known, { kind: 'failed', reason: errorMessage(error) });
      this.#parts.log.warn('cannot take part', { job: job.id, reason: errorMessage(error) });
    }
  }

  #stand(known: KnownJob, standing: KnownJob['standing']): void {
    if (stand(known, standing)) this.#options.onStanding?.(known.job.id);
  }

  #budgetSpent(id: JobId, reason: string): void {
    const known = this.#known(id);
    known.turn += 1;
    this.#stand(known, { kind: 'budget-spent', reason });
    known.host.participate(undefined);
  }

  #answerSync(parcel: Parcel, from: PeerId): Promise<Parcel> {
    return answerSync(parcel, from, {
      host: (job) => this.#jobs.get(job)?.host,
      random: this.#parts.random,
      manifests: () => [...this.#jobs.values()].map(({ manifest }) => manifest),
      hold: (manifest, holder) => this.#learn(manifest, holder),
    });
  }

  #peerChanged(peer: PeerId, connected: boolean): void {
    for (const { host } of this.#jobs.values()) {
      host.enqueue({ kind: 'reachable', peer, reachable: connected });
    }
    if (connected) this.#inBackground(this.#askForJobs(peer));
  }

  async #askForJobs(peer: PeerId): Promise<void> {
    const answer = await askSync(this.#parts, peer, { kind: 'jobs' });
    if (answer.kind !== 'jobs') return;
    for (const manifest of answer.manifests) {
      // One that this peer refuses, or cannot fetch, says nothing about the next.
      await this.#learn(manifest, peer).catch((error: unknown) => this.#fail(error));
    }
  }

  #inBackground(work: Promise<void>): void {
    work.catch((error: unknown) => this.#fail(error));
  }

  /** What others or the owner got wrong is noted; a bug of ours ends the node. */
  #fail(error: unknown): void {
    if (this.#stopped) return;
    // A full disk or a lost file is no bug: it is told, and the daemon lives on.
    if (error instanceof InvariantError) this.#onFatal(error);
    else if (error instanceof ProtocolError || error instanceof ConfigError) {
      this.#parts.log.debug('refused', { error: errorMessage(error) });
    } else this.#parts.log.error('failed', { error: errorMessage(error) });
  }

  #onFatal(error: unknown): void {
    this.#parts.log.error('the node cannot go on', { error: errorMessage(error) });
    this.#options.onFatal(error);
  }
}
