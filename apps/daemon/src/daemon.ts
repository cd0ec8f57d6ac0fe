import { join } from 'node:path';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { type ControlServer, createControlServer } from '@starling/control';
import { errorMessage, type JobId, type Log, type PeerId } from '@starling/core';
import { type SigningKey, signingKeyFromSeed } from '@starling/crypto';
import {
  createComputePool,
  Governor,
  type InputObserver,
  metered,
  type NodeOptions,
  type NodeParts,
  plainWire,
  StarlingNode,
  type Traffic,
} from '@starling/node';
import type { Notice } from '@starling/rounds';
import {
  FileBlobStore,
  LevelJournal,
  openStateDirectory,
  type StateDirectory,
} from '@starling/store';
import type { Swarm } from '@starling/swarm';
import { noticeFields } from '@starling/telemetry';
import {
  createInference,
  createTrainer,
  dataOffers,
  type Inference,
  type ProcessTrainer,
} from '@starling/trainer';
import { apiOptions } from './api.ts';
import { PolicyBook } from './api-policy.ts';
import { Checkpoints } from './checkpoints.ts';
import { type Config, limitsOf, policyOf } from './config.ts';
import { type ControlParts, controlHandlers, findJob } from './control.ts';
import { DataRegistry } from './data-registry.ts';
import { isDiskFull } from './disk-full.ts';
import { type Events, startEvents } from './event-bridge.ts';
import { inThread } from './in-thread.ts';
import { LiveRounds } from './live-rounds.ts';
import { type RunningModels, startModels } from './model-start.ts';
import { memoryOf, minuteOfDay, systemClock, systemFiles, systemRandom } from './ports.ts';
import { gatherModel, type PullParts } from './pulled-model.ts';
import { ServingService, type ServingServiceParts } from './serving.ts';
import { SwarmService } from './swarm-service.ts';
import { DaemonTelemetry } from './telemetry.ts';
import { unwind } from './unwind.ts';

export interface DaemonOptions {
  readonly config: Config;
  readonly stateDirectory: string;
  readonly log: Log;
  /** Told as soon as the peer is known. */
  readonly onIdentity?: (peer: PeerId) => void;
}

/** What only the demo's entry passes; `main.ts` has no way to. */
export interface DaemonHooks {
  readonly observer?: InputObserver;
  readonly onNotice?: (job: JobId, notice: Notice) => void;
}

/** One running node with everything around it. */
export interface Daemon {
  readonly node: StarlingNode;
  readonly swarm: Swarm;
  readonly data: DataRegistry;
  readonly socket: string;
  readonly traffic: () => Traffic;
  /** Resolves when the daemon has stopped, whoever asked for it. */
  readonly stopped: Promise<void>;
  stop(): Promise<void>;
}

/** Bundled entries that run in processes or threads of their own. */
const entry = (name: string): URL => new URL(`./${name}.js`, import.meta.url);

/** The one place that wires disk, network, trainer and node together, and serves the API. */
export async function startDaemon(
  { config, stateDirectory, log, onIdentity = () => {} }: DaemonOptions,
  hooks: DaemonHooks = {},
): Promise<Daemon> {
  const undo: (() => Promise<void>)[] = [];
  const stopAll = () => unwind(undo, log);
  try {
    const state = await openStateDirectory(stateDirectory, systemRandom);
    undo.push(() => state.close());
    const key = signingKeyFromSeed(state.identitySeed);
    onIdentity(key.peerId);
    const policy = await PolicyBook.open(state.path, config.policy);
    return await assemble({ config, policy, log, state, key, hooks, undo, stopAll });
  } catch (error) {
    await stopAll();
    throw error;
  }
}

interface Assembly {
  readonly config: Config;
  readonly policy: PolicyBook;
  readonly log: Log;
  readonly state: StateDirectory;
  readonly key: SigningKey;
  readonly hooks: DaemonHooks;
  readonly undo: (() => Promise<void>)[];
  readonly stopAll: () => Promise<void>;
}

async function assemble(assembly: Assembly): Promise<Daemon> {
  const { config, log, state, key, undo, stopAll } = assembly;
  const journal = await LevelJournal.open(state.journal);
  undo.push(() => journal.close());
  let node: StarlingNode | undefined;
  let models: RunningModels | undefined;
  let serving: ServingService | undefined;
  const blobs = await FileBlobStore.open(state.blobs, {
    bytesMax: () => config.resources.disk,
    pinned: () => [node, models?.service, serving].flatMap((each) => [...(each?.pinned() ?? [])]),
  });
  const data = new DataRegistry(journal);
  for (const problem of await data.load()) log.warn(problem);
  const trainer = trainerOf(config, data, log);
  undo.push(() => trainer.close());
  const inference = inferenceOf(config, trainer, log);
  undo.push(() => inference.close());
  const children = () => [...trainer.pids, ...inference.pids];
  const governor = governorOf(config, { log, children, pause: (on) => node?.pause(on) });
  undo.push(async () => governor.stop());
  const service = await SwarmService.open({
    bandwidth: governor.bandwidth,
    ...{ config, journal, key, log, file: state.swarm },
    ...{ seed: state.identitySeed, peers: state.peers },
  });
  const { swarm } = service;
  undo.push(() => swarm.stop());
  const { transport, traffic } = metered(swarm);

  const { stopped, stop } = once(stopAll);
  const telemetry = await DaemonTelemetry.open({ config, log, self: key.peerId });
  undo.push(() => telemetry.stop());
  const { lives, watchers, standings } = watching(telemetry);
  const running = new StarlingNode(
    { ...nodeParts({ transport, blobs, journal, trainer }, assembly), members: service.membership },
    optionsOf(assembly, key.peerId, { watchers, standings }),
    dataOffers(data),
  );
  node = running;
  // Before jobs take room: its blobs are pinned then.
  models = await startModels({
    ...{ journal, transport, blobs, key, log, undo, service },
    ...{ exchange: running.exchange, worker: entry('model-worker'), offers: config.offers },
    onFatal: (error) => endByBug(log, error),
  });
  await running.start();
  undo.push(() => running.stop());
  const events = await eventsOf(assembly, running, watchers);
  const proofOf = (peers: Iterable<PeerId>) => service.proofOf(peers);
  const checkpoints = checkpointsOf(assembly, { node: running, proofOf }, watchers);
  // What it pauses must be there; a cap lowered since the last run counts now.
  governor.start();
  serving = await servingOf(assembly, watchers, {
    ...{ journal, blobs, node: running, inference, transport, models: models.service },
    admits: (card, peer) => models?.offers.desk.admits(card, peer) ?? false,
    ...{ membership: service.membership, observer: telemetry.serving },
  });
  await blobs.trim();
  const socket = await serve(assembly, {
    ...{ governor, blobs, swarm, data, watchers, standings, lives, stop, telemetry, journal },
    ...{ node: running, models, swarmHandlers: service, events: () => events.status() },
    ...{ proofOf, checkpoints: () => checkpoints?.status() ?? null },
    servingHandlers: serving.handlers,
  });
  return { node: running, swarm, data, socket, traffic, stopped, stop };
}

type Made = Pick<NodeParts, 'transport' | 'blobs' | 'journal' | 'trainer'>;

/** What a node works with, but for who may speak to it. */
const nodeParts = (made: Made, { log, key, hooks }: Assembly): NodeParts => ({
  ...made,
  ...{ clock: systemClock, random: systemRandom, log, wire: plainWire, key },
  compute: createComputePool(entry('kernel-worker')),
  ...(hooks.observer && { observer: hooks.observer }),
});

type Watcher = (job: JobId, notice: Notice) => void;

/** Who is told what happens in jobs, from the start on. */
function watching(telemetry: DaemonTelemetry) {
  const lives = new LiveRounds();
  const toLives: Watcher = (job, notice) => lives.take(job, notice, Date.now());
  return {
    ...{ lives, watchers: new Set<Watcher>([toLives, telemetry.take]) },
    standings: new Set<(job: JobId) => void>(),
  };
}

type Served = { readonly telemetry: DaemonTelemetry; readonly journal: LevelJournal } & Omit<
  ControlParts,
  'apiUrl' | 'config' | 'policy' | 'state' | 'started' | 'loopDelay'
>;

/** Opens the API, last of all: whoever gets an answer gets it from a daemon that is up. */
async function serve(assembly: Assembly, served: Served): Promise<string> {
  const { config, policy, state, log, undo } = assembly;
  const socket = join(state.path, 'control.sock');
  const loopDelay = monitorEventLoopDelay({ resolution: 10 });
  loopDelay.enable();
  let server: ControlServer | undefined;
  const parts = {
    ...{ ...served, config, policy, state, loopDelay, started: performance.now() },
    apiUrl: () => server?.url ?? null,
  };
  const handlers = served.telemetry.withTelemetry(controlHandlers(parts), parts);
  server = await createControlServer(socket, handlers, await apiOptions(config, state.path));
  undo.push(async () => server?.close());
  const { swarm } = served;
  const where = { addresses: swarm.addresses(), socket, api: server.url };
  log.info('daemon is up', { peerId: swarm.self, ...where });
  return socket;
}

async function servingOf(
  { config: { serving: config }, log, undo }: Assembly,
  watchers: Set<Watcher>,
  parts: Omit<ServingServiceParts, 'config' | 'log' | 'findJob'>,
): Promise<ServingService> {
  const known = (wanted: string) => findJob(parts.node, wanted);
  const serving = await ServingService.open({ ...parts, config, log, findJob: known });
  undo.push(() => serving.close());
  watchers.add(serving.take);
  return serving;
}

async function eventsOf(
  { config, state, log, undo }: Assembly,
  node: StarlingNode,
  watchers: Set<Watcher>,
): Promise<Events> {
  const { identitySeed, path } = state;
  const self = signingKeyFromSeed(identitySeed).peerId;
  const events = await startEvents({
    ...{ config: config.events, stateDirectory: path, self, log, node },
  });
  undo.push(() => events.stop());
  watchers.add((job, notice) => events.take(job, notice));
  return events;
}

/** Nothing is done where none are wanted. */
function checkpointsOf(
  { config, key, log, undo }: Assembly,
  parts: PullParts & { readonly node: StarlingNode },
  watchers: Set<Watcher>,
): Checkpoints | undefined {
  if (config.checkpoints === undefined) return undefined;
  const checkpoints = new Checkpoints({
    ...{ config: config.checkpoints, self: key.peerId, clock: systemClock, log },
    jobs: () => parts.node.jobs(),
    gather: (job, round) => gatherModel(parts, job, round),
    write: (task) => inThread(entry('checkpoint-worker'), task),
    chance: () => Math.random(),
  });
  checkpoints.start();
  undo.push(async () => checkpoints.stop());
  watchers.add((job, notice) => checkpoints.take(job, notice));
  return checkpoints;
}

function trainerOf(config: Config, datasets: DataRegistry, log: Log): ProcessTrainer {
  const { trainer: limits } = config.resources;
  const childEntry = entry('trainer-child');
  const { device, precision } = limits;
  return createTrainer({ childEntry, datasets, log, limits, device, precision });
}

function inferenceOf({ serving }: Config, trainer: ProcessTrainer, log: Log): Inference {
  const { memory, cpuThreads } = serving;
  const childEntry = entry('inference-child');
  const support = () => trainer.support();
  return createInference({ childEntry, log, support, limits: { memory, cpuThreads } });
}

interface Governed {
  readonly log: Log;
  /** Process ids of trainers and of served models. */
  readonly children: () => readonly number[];
  readonly pause: (on: boolean) => void;
}

function governorOf(config: Config, { log, children, pause }: Governed): Governor {
  return new Governor({
    ...{ clock: systemClock, files: systemFiles, limits: () => limitsOf(config), minuteOfDay },
    memoryUsed: () => memoryOf(children()),
    processes: () => [process.pid, ...children()],
    onChange: (reasons) => {
      if (reasons.length > 0) log.info('stays out of new rounds', { reasons });
      else log.info('takes part in rounds again');
      pause(reasons.length > 0);
    },
  });
}

function optionsOf(
  { config, policy, log, hooks }: Assembly,
  self: PeerId,
  { watchers, standings }: Pick<ControlParts, 'watchers' | 'standings'>,
): NodeOptions {
  const logNotice = noticeLog(log, self);
  return {
    weight: config.light ? 0 : config.resources.weight,
    protection: 'double-masking',
    launchCopies: 3,
    policy: () => policyOf(policy),
    onFatal: (error) => endByBug(log, error),
    onNotice: (job, notice) => {
      logNotice(job, notice);
      hooks.onNotice?.(job, notice);
      for (const watcher of watchers) watcher(job, notice);
    },
    onStanding: (job) => {
      for (const each of standings) each(job);
    },
  };
}

/** `work` done once, however often it is asked for, and a promise of its end. */
function once(work: () => Promise<void>) {
  let finish: () => void = () => {};
  const stopped = new Promise<void>((resolve) => {
    finish = resolve;
  });
  let stopping: Promise<void> | undefined;
  const stop = (): Promise<void> => {
    stopping ??= work().finally(finish);
    return stopping;
  };
  return { stopped, stop };
}

/** Between two lines of a training's progress. */
const PROGRESS_MS = 30_000;

/** What happens in a job, a line each; certificates only by what identifies them. */
function noticeLog(log: Log, self: PeerId): (job: JobId, notice: Notice) => void {
  let lastProgress = Number.NEGATIVE_INFINITY;
  return (job, notice) => {
    if (notice.kind === 'progress') {
      const now = performance.now();
      if (now - lastProgress < PROGRESS_MS) return;
      lastProgress = now;
    }
    log.info(notice.kind, noticeFields(job, notice));
    if (notice.kind !== 'banned' || notice.peer !== self) return;
    const remedy = 'does another daemon run with a copy of this state directory? Stop it';
    log.warn('the others leave this peer out: its own messages contradict each other', { remedy });
  };
}

/** `EX_IOERR`: nothing is lost, since what could not be written was not promised either. */
const EXIT_DISK_FULL = 74;

/** A state nobody understands must not go on: the supervisor starts us again from the journal. */
function endByBug(log: Log, error: unknown): void {
  if (isDiskFull(error)) {
    const remedy = 'make room on the disk of the state directory and start the daemon again';
    log.error('the daemon ends: its disk is full', { error: errorMessage(error), remedy });
    process.exit(EXIT_DISK_FULL);
  }
  const stack = error instanceof Error ? error.stack : undefined;
  log.error('the daemon ends by a bug of its own', { error: errorMessage(error), stack });
  process.exit(70);
}
