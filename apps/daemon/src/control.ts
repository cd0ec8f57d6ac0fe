import type { IntervalHistogram } from 'node:perf_hooks';
import type {
  ControlHandlers,
  JobEvent,
  JobView,
  PullOptions,
  ServingHandlers,
  SwarmHandlers,
} from '@starling/control';
import { ConfigError, type JobId, type PeerId } from '@starling/core';
import type { SinkStatus } from '@starling/events';
import type { Governor, JobReport, StarlingNode } from '@starling/node';
import type { Manifest, MembershipProof } from '@starling/protocol-rounds';
import type { Notice } from '@starling/rounds';
import type { FileBlobStore, StateDirectory } from '@starling/store';
import type { Swarm } from '@starling/swarm';
import type { PolicyBook } from './api-policy.ts';
import { ManifestViews, peersView } from './api-views.ts';
import type { CheckpointStatus } from './checkpoints.ts';
import { type Config, policyOf } from './config.ts';
import type { DataRegistry } from './data-registry.ts';
import { Inspections } from './inspections.ts';
import { launchJob, type RestrictedBy } from './launch.ts';
import type { LiveRounds } from './live-rounds.ts';
import { modelHandlers } from './model-service.ts';
import type { RunningModels } from './model-start.ts';
import { offerHandlers } from './offers-service.ts';
import { privacyView } from './privacy-view.ts';
import { assembleModel, gatherModel } from './pulled-model.ts';
import { VERSION } from './version.ts';
import { jobEvent, jobView, networkView, standingEvent } from './views.ts';

export interface ControlParts {
  readonly config: Config;
  readonly state: StateDirectory;
  readonly policy: PolicyBook;
  readonly node: StarlingNode;
  readonly swarm: Swarm;
  readonly swarmHandlers: SwarmHandlers;
  readonly servingHandlers: ServingHandlers;
  /** What tells outsiders who these peers are. */
  readonly proofOf: (peers: Iterable<PeerId>) => MembershipProof | null;
  readonly data: DataRegistry;
  readonly models: RunningModels;
  readonly watchers: Set<(job: JobId, notice: Notice) => void>;
  /** Told when a job is known first, or stands elsewhere than before. */
  readonly standings: Set<(job: JobId) => void>;
  readonly lives: LiveRounds;
  readonly stop: () => Promise<void>;
  /** Reading of `performance.now()` when the daemon came up. */
  readonly started: number;
  readonly loopDelay: IntervalHistogram;
  readonly governor: Governor;
  readonly blobs: FileBlobStore;
  /** How the sinks of events stand. */
  readonly events: () => readonly SinkStatus[];
  /** How the checkpoints stand; null where none are written. */
  readonly checkpoints: () => CheckpointStatus | null;
  /** Where the API listens over TCP, or null. */
  readonly apiUrl: () => string | null;
}

/** The control API over a running node. */
export function controlHandlers(parts: ControlParts): ControlHandlers {
  const { node, data, lives, policy } = parts;
  const manifests = new ManifestViews(parts);
  const inspections = new Inspections(new URL('./inspect-worker.js', import.meta.url));
  const shown = (report: JobReport): JobView => jobView(report, lives);
  const find = (id: string): JobView => shown(node.job(findJob(node, id))!);
  return {
    status: async () => status(parts),
    health: async () => ({ ok: true, status: 'alive' }),
    ready: () => readiness(parts),
    peers: async () => peersView(parts.swarm.status()),
    network: async () => networkView(await parts.swarm.diagnose()),
    stop: () => void parts.stop(),
    jobs: async () => node.jobs().map(shown),
    job: async (id) => find(id),
    manifest: async (id) => manifests.view(node.job(findJob(node, id))!),
    launch: (file, model) => launchJob(node, file, model, restrictedBy(parts)),
    approve: async (id, dataset) => shown(await node.approve(findJob(node, id), dataset)),
    refuse: async (id) => shown(await node.refuse(findJob(node, id))),
    cancel: async (id) => shown(await node.cancel(findJob(node, id))),
    watch: (listen) => watch(parts, listen),
    pull: async (id, options) => {
      const { round, model, proof } = await pull(parts, findJob(node, id), options);
      const base64 = (bytes: Uint8Array) => Buffer.from(bytes).toString('base64');
      return { round, model: base64(model), proof: base64(proof) };
    },
    addData: async (dataset) => {
      const added = await data.add(dataset);
      await node.reconsider();
      return added;
    },
    removeData: async (name) => {
      const user = node
        .jobs()
        .find(({ standing }) => standing.kind === 'participating' && standing.dataset === name);
      if (user === undefined) return data.remove(name);
      const hint = `Refuse the job first: \`starling jobs refuse ${user.job.id.slice(0, 12)}\``;
      throw new ConfigError('data', `job "${user.job.manifest.name}" trains on "${name}"`, hint);
    },
    listData: async () => data.views(),
    inspectData: (wanted) => inspections.inspect(wanted),
    policy: async () => policy.view(),
    changePolicy: async (change) => {
      await policy.change(change);
      await node.reconsider();
      return policy.view();
    },
    privacy: async () =>
      privacyView({
        spent: node.privacySpent(),
        policy: policyOf(policy),
        datasets: data.views().map(({ name }) => name),
        nameOf: (job) => node.job(job)?.job.manifest.name,
      }),
    serving: parts.servingHandlers,
    swarm: parts.swarmHandlers,
    models: modelHandlers({ ...parts.models, pull: (id) => certified(parts, id) }),
    offers: offerHandlers({ ...parts.models, ...parts.models.offers }),
  };
}

/** Tells what happens in all jobs. */
function watch(
  { node, watchers, standings, lives }: ControlParts,
  listen: (event: JobEvent) => void,
): () => void {
  const soon = (job: JobId, eventOf: (report: JobReport) => JobEvent) => {
    // It is told in the middle of a step: the report is up to date a moment later.
    setImmediate(() => {
      const report = node.job(job);
      if (report !== undefined) listen(eventOf(report));
    });
  };
  const onNotice = (job: JobId, notice: Notice) =>
    soon(job, (report) => jobEvent(report, notice, lives));
  const onStanding = (job: JobId) => soon(job, (report) => standingEvent(report, lives));
  watchers.add(onNotice);
  standings.add(onStanding);
  return () => {
    watchers.delete(onNotice);
    standings.delete(onStanding);
  };
}

/** Its swarm runs, and lets this peer in. */
async function readiness({ swarmHandlers }: ControlParts) {
  const { standing } = await swarmHandlers.show();
  const ok = standing === 'member';
  return { ok, status: ok ? 'ready' : 'not a member of its swarm' };
}

async function status(parts: ControlParts) {
  const { state, node, swarm, data, started, loopDelay } = parts;
  const now = swarm.status();
  return {
    peerId: swarm.self,
    version: VERSION,
    network: now.network,
    addresses: [...swarm.addresses()],
    peers: [...swarm.peers()],
    routingTable: now.routingTableSize,
    bootstrap: now.bootstrap.map(({ address, connected, lastError }) => ({
      address,
      state: connected ? 'connected' : 'not connected',
      ...(lastError !== undefined && { error: lastError }),
    })),
    warnings: (await parts.swarmHandlers.show()).warnings,
    jobs: node.jobs().length,
    dataSets: data.views().length,
    training: node.jobs().flatMap(({ job, progress }) => {
      return progress === undefined ? [] : [{ job: job.id, name: job.manifest.name, ...progress }];
    }),
    uptimeSeconds: (performance.now() - started) / 1000,
    eventLoopDelayMs: { p99: loopDelay.percentile(99) / 1e6, max: loopDelay.max / 1e6 },
    resources: resourcesView(parts),
    events: [...parts.events()],
    checkpoints: parts.checkpoints(),
    stateDirectory: state.path,
    apiUrl: parts.apiUrl(),
    pid: process.pid,
  };
}

function resourcesView({ config: { resources }, governor, blobs }: ControlParts) {
  const now = governor.status();
  const room = blobs.room();
  return {
    paused: [...now.paused],
    upload: { ...now.upload, max: resources.upload ?? null },
    download: { ...now.download, max: resources.download ?? null },
    disk: {
      ...{ bytes: room.bytes, max: resources.disk, pinned: room.pinnedBytes },
      ...{ blobs: room.blobs, evicted: room.evicted },
    },
    memory: { bytes: now.memoryUsed, max: now.memoryMax ?? null },
    hours: resources.hours,
    othersLoad: now.othersLoad ?? null,
    memoryPressure: now.memoryPressure ?? null,
    trainer: { cpuThreads: resources.trainer.cpuThreads, cpuShare: resources.trainer.cpuShare },
    container: {
      memory: now.container.memoryBytes ?? null,
      cpus: now.container.cpus ?? null,
    },
  };
}

/** A publisher may hand out its own as it likes. */
const restrictedBy =
  ({ models: { service }, swarm }: ControlParts): RestrictedBy =>
  (model) => {
    const id = service.restrictedAs(model);
    return id === undefined || service.book.get(id)?.publisher === swarm.self ? undefined : id;
  };

/** A job by its id, an unambiguous beginning of it, or its name. */
export function findJob(node: StarlingNode, wanted: string): JobId {
  const jobs = node.jobs().map(({ job }) => job);
  const exact = jobs.filter(({ id, manifest }) => id === wanted || manifest.name === wanted);
  const found = exact.length > 0 ? exact : jobs.filter(({ id }) => id.startsWith(wanted));
  if (found.length === 1) return found[0]!.id;
  const problem = found.length === 0 ? 'no job is called' : 'more than one job is called';
  throw new ConfigError('job', `${problem} "${wanted}"`, '`starling jobs` lists them');
}

/** A certified global model, with this peer's own weights if asked for, and its proof. */
async function pull(parts: ControlParts, id: JobId, { personal, round }: PullOptions) {
  if (personal && round !== undefined) {
    const what = 'a peer keeps its personal weights of its last training only';
    throw new ConfigError('round', what, 'Leave --round or --personal away');
  }
  const gathered = await gatherModel(parts, id, round);
  const own = personal ? await personalOf(parts.node, id, gathered.manifest) : undefined;
  return assembleModel(gathered, own);
}

/** The same for a card, once there is a round that somebody can vouch for. */
async function certified(parts: ControlParts, wanted: string) {
  const pulled = await pull(parts, findJob(parts.node, wanted), { personal: false });
  if (pulled.round > 0) return pulled;
  throw new ConfigError('job', `no round of "${wanted}" is certified yet`, 'Publish it after one');
}

/** @throws ConfigError where this peer has no weights of its own */
async function personalOf(node: StarlingNode, id: JobId, { name, training }: Manifest) {
  if (training.personal.length === 0) {
    const hint = 'Leave --personal away';
    throw new ConfigError('job', `job "${name}" has no personal weights`, hint);
  }
  const own = await node.personal(id);
  if (own !== undefined) return own;
  const hint = 'They are there after its first training; without --personal they are as launched';
  throw new ConfigError('job', `this peer has no weights of its own in "${name}" yet`, hint);
}
