import { ROUND_PHASES, type ServedView } from '@starling/control';
import { bounded } from './reasons.ts';
import { type JobSample, REACHABILITIES, type TelemetryView } from './view.ts';

export type Labels = Readonly<Record<string, string>>;
export type Reading = number | readonly [labels: Labels, value: number];

/** One metric that is read off a view at the time of the scrape. */
export interface Family {
  readonly name: string;
  readonly help: string;
  readonly type: 'gauge' | 'counter';
  /** No reading, no line: what has no limit, say, has no metric of it. */
  readonly read: (view: TelemetryView) => readonly Reading[];
}

/** Jobs with series of their own; those that run come first, then the newest. */
export const JOBS_SHOWN_MAX = 64;
const JOB_ID_CHARS = 12;
/** Reasons of refusals are the program's own words; this holds if one is forgotten. */
const REASON = /^[a-z-]{1,40}$/;

export const STANDINGS = [
  ...['waiting-for-approval', 'refused', 'no-data', 'failed'],
  ...['budget-spent', 'participating'],
] as const;
const PAUSE_REASONS = ['hours', 'battery', 'busy', 'memory'] as const;
/** As in `status`, where the first is the only one that says so. */
const BOOTSTRAP_CONNECTED = 'connected';

type Read = Family['read'];
const gauge = (name: string, help: string, read: Read): Family => ({
  ...{ name, help, read },
  type: 'gauge',
});
const counter = (name: string, help: string, read: Read): Family => ({
  ...{ name, help, read },
  type: 'counter',
});
const known = (value: number | null | undefined): readonly number[] =>
  value == null ? [] : [value];
const states = (label: string, names: readonly string[], isOn: (name: string) => boolean) =>
  names.map((name): Reading => [{ [label]: name }, isOn(name) ? 1 : 0]);

/** Jobs that this peer takes part in: others' names do not get into the metrics. */
export function shownJobs({ jobs }: TelemetryView): readonly JobSample[] {
  const own = jobs.filter(({ standing }) => standing === 'participating').reverse();
  const running = own.filter(({ isRunning }) => isRunning);
  const ended = own.filter(({ isRunning }) => !isRunning);
  return [...running, ...ended].slice(0, JOBS_SHOWN_MAX);
}

type OfJob = (job: JobSample) => number | null | undefined;
const byJob =
  (value: OfJob, isShown: (job: JobSample) => boolean = () => true): Read =>
  (view) =>
    shownJobs(view).flatMap((job): Reading[] => {
      const read = isShown(job) ? value(job) : null;
      return read == null ? [] : [[labelsOf(job), read]];
    });
const labelsOf = ({ id, name }: JobSample): Labels => ({
  ...{ job_id: id.slice(0, JOB_ID_CHARS), job_name: name },
});
const isRunning = (job: JobSample): boolean => job.isRunning;

const peers: readonly Family[] = [
  gauge('starling_build_info', 'Version of Starling and of Node, always 1.', ({ status }) => [
    [{ version: status.version, node_version: process.version }, 1],
  ]),
  gauge('starling_time_seconds', "This machine's clock, seconds since 1970.", ({ now }) => [
    now / 1000,
  ]),
  gauge('starling_uptime_seconds', 'Time since the daemon came up.', ({ status }) => [
    status.uptimeSeconds,
  ]),
  gauge('starling_peers_connected', 'Connections to peers of the swarm, by link.', (view) => [
    [{ link: 'direct' }, view.swarm.direct],
    [{ link: 'relayed' }, view.swarm.relayed],
  ]),
  gauge('starling_peers_known', 'Peers of the swarm that this one has heard of.', (view) => [
    view.swarm.known,
  ]),
  gauge('starling_routing_table_peers', 'Peers in the routing table of the DHT.', (view) => [
    view.status.routingTable,
  ]),
  gauge('starling_reachability', 'How others can dial this peer: 1 for the state.', (view) =>
    states('state', REACHABILITIES, (name) => view.swarm.reachability === name),
  ),
  gauge('starling_bootstrap_addresses', 'Configured addresses to enter by, by state.', (view) => {
    const { bootstrap } = view.status;
    const up = bootstrap.filter(({ state }) => state === BOOTSTRAP_CONNECTED).length;
    return [
      [{ state: 'connected' }, up],
      [{ state: 'disconnected' }, bootstrap.length - up],
    ];
  }),
  counter('starling_peer_refusals_total', 'Requests of peers that were refused.', (view) => {
    const counts = new Map<string, number>();
    for (const [reason, count] of Object.entries(view.swarm.refused)) {
      const label = bounded(reason, REASON.test(reason) ? [reason] : []);
      counts.set(label, (counts.get(label) ?? 0) + count);
    }
    return [...counts].map(([reason, count]) => [{ reason }, count]);
  }),
  gauge('starling_refused_by_peers', 'Peers that do not let this one in.', (view) => [
    view.swarm.refusedBy,
  ]),
  gauge('starling_data_sets', 'Data sets that are offered here.', ({ status }) => [
    status.dataSets,
  ]),
];

const jobs: readonly Family[] = [
  gauge('starling_jobs', 'Jobs that this peer knows, by where they stand here.', (view) =>
    STANDINGS.map((standing) => [
      { standing },
      view.jobs.filter((job) => job.standing === standing).length,
    ]),
  ),
  gauge(
    'starling_job_running',
    '1 while the job has rounds to go.',
    byJob((job) => (job.isRunning ? 1 : 0)),
  ),
  gauge(
    'starling_job_rounds',
    'Certified rounds in the chain.',
    byJob((job) => job.rounds),
  ),
  gauge(
    'starling_job_rounds_wanted',
    'Rounds after which the job ends at the latest.',
    byJob((job) => job.roundsWanted),
  ),
  gauge(
    'starling_job_roster_peers',
    'Roster of the last certified round.',
    byJob((job) => job.last?.roster),
  ),
  gauge(
    'starling_job_survivors',
    'Updates in the sum of the last certified round.',
    byJob((job) => job.last?.survivors),
  ),
  gauge(
    'starling_job_loss',
    'Validation loss that the last certificate shows.',
    byJob((job) => job.last?.loss),
  ),
  gauge(
    'starling_job_accuracy',
    'Validation accuracy that the last certificate shows.',
    byJob((job) => job.last?.accuracy),
  ),
  gauge(
    'starling_job_validation_examples',
    'Examples that these were measured on.',
    byJob((job) => job.last?.examples),
  ),
  gauge(
    'starling_job_since_certificate_seconds',
    'Time since the last certificate, or since the daemon took the job up, while it runs.',
    byJob((job) => job.secondsSinceCertificate, isRunning),
  ),
  gauge(
    'starling_job_round_pace_seconds',
    'Mean time of the last rounds.',
    byJob((job) => job.secondsPerRound),
  ),
  gauge(
    'starling_job_training_examples_per_second',
    'Speed of a training that goes on.',
    byJob((job) => job.progress?.examplesPerSecond),
  ),
  gauge(
    'starling_job_training_progress_ratio',
    'Part of its steps that is done.',
    byJob((job) => job.progress && job.progress.step / Math.max(1, job.progress.steps)),
  ),
  gauge('starling_job_phase', 'Phase of the round that goes on: 1 for the phase.', (view) =>
    shownJobs(view)
      .filter(isRunning)
      .flatMap((job) =>
        ROUND_PHASES.map(
          (phase): Reading => [{ ...labelsOf(job), phase }, job.phase === phase ? 1 : 0],
        ),
      ),
  ),
];

type Dataset = TelemetryView['privacy']['datasets'][number];
const byDataset =
  (value: (entry: Dataset) => number | null | undefined): Read =>
  (view) =>
    view.privacy.datasets.flatMap((entry): Reading[] => {
      const read = value(entry);
      return read == null ? [] : [[{ dataset: entry.dataset }, read]];
    });

const privacy: readonly Family[] = [
  gauge(
    'starling_privacy_epsilon_spent',
    'Epsilon given away by updates, at delta.',
    byDataset((entry) => entry.epsilon),
  ),
  gauge(
    'starling_privacy_epsilon_budget',
    'Epsilon that the owner allows.',
    byDataset((entry) => entry.budget?.epsilon),
  ),
  gauge(
    'starling_privacy_delta',
    'Delta at which epsilon is told.',
    byDataset((entry) => entry.delta),
  ),
  gauge(
    'starling_privacy_example_epsilon_spent',
    'Of single examples, by local DP-SGD.',
    byDataset((entry) => entry.examples?.epsilon),
  ),
];

type Resources = TelemetryView['status']['resources'];
const ofResources =
  (value: (resources: Resources) => number | null): Read =>
  (view) =>
    known(value(view.status.resources));

const resources: readonly Family[] = [
  counter(
    'starling_network_transmit_bytes_total',
    'Sent to peers since the start.',
    ofResources(({ upload }) => upload.total),
  ),
  counter(
    'starling_network_receive_bytes_total',
    'Received from peers.',
    ofResources(({ download }) => download.total),
  ),
  gauge(
    'starling_network_transmit_limit_bytes',
    'Cap on sending, bytes a second.',
    ofResources(({ upload }) => upload.max),
  ),
  gauge(
    'starling_network_receive_limit_bytes',
    'Cap on receiving, bytes a second.',
    ofResources(({ download }) => download.max),
  ),
  gauge(
    'starling_disk_used_bytes',
    'Models, states and the like on disk.',
    ofResources(({ disk }) => disk.bytes),
  ),
  gauge(
    'starling_disk_pinned_bytes',
    'Of these, what jobs need and nothing evicts.',
    ofResources(({ disk }) => disk.pinned),
  ),
  gauge(
    'starling_disk_limit_bytes',
    'What they may take.',
    ofResources(({ disk }) => disk.max),
  ),
  gauge(
    'starling_blobs',
    'Blobs on disk.',
    ofResources(({ disk }) => disk.blobs),
  ),
  counter(
    'starling_blobs_evicted_total',
    'Blobs that went to make room.',
    ofResources(({ disk }) => disk.evicted),
  ),
  gauge('starling_filesystem_free_bytes', 'Free where the state directory is.', (view) =>
    known(view.filesystem?.freeBytes),
  ),
  gauge('starling_filesystem_size_bytes', 'Size of that file system.', (view) =>
    known(view.filesystem?.sizeBytes),
  ),
  gauge(
    'starling_memory_used_bytes',
    'Held by the daemon and its trainer.',
    ofResources(({ memory }) => memory.bytes),
  ),
  gauge(
    'starling_memory_limit_bytes',
    'From which on it pauses.',
    ofResources(({ memory }) => memory.max),
  ),
  gauge(
    'starling_container_memory_limit_bytes',
    'Limit of the control group.',
    ofResources(({ container }) => container.memory),
  ),
  gauge(
    'starling_others_load_ratio',
    'Part of the CPUs that others use.',
    ofResources(({ othersLoad }) => othersLoad),
  ),
  gauge('starling_paused', 'Whether it stays out of new rounds, by reason.', ({ status }) =>
    states('reason', PAUSE_REASONS, (name) =>
      (status.resources.paused as readonly string[]).includes(name),
    ),
  ),
];

type Checkpoints = NonNullable<TelemetryView['status']['checkpoints']>;
const ofCheckpoints =
  (value: (checkpoints: Checkpoints) => number | undefined): Read =>
  ({ status: { checkpoints } }) =>
    known(checkpoints === null ? undefined : value(checkpoints));

const checkpoints: readonly Family[] = [
  counter(
    'starling_checkpoint_written_total',
    'Models brought to the target since the start.',
    ofCheckpoints(({ written }) => written),
  ),
  counter(
    'starling_checkpoint_found_total',
    'Models that another peer had brought there.',
    ofCheckpoints(({ found }) => found),
  ),
  counter(
    'starling_checkpoint_failures_total',
    'Attempts that failed, and are made again.',
    ofCheckpoints(({ failed }) => failed),
  ),
  counter(
    'starling_checkpoint_skipped_total',
    'Models overtaken by newer ones, or not to be had.',
    ofCheckpoints(({ skipped }) => skipped),
  ),
  counter(
    'starling_checkpoint_deleted_total',
    'Models deleted as too old.',
    ofCheckpoints(({ deleted }) => deleted),
  ),
  counter(
    'starling_checkpoint_written_bytes_total',
    'Bytes of models and proofs written.',
    ofCheckpoints(({ bytes }) => bytes),
  ),
  gauge(
    'starling_checkpoint_pending',
    'Models that wait for the target.',
    ofCheckpoints(({ pending }) => pending),
  ),
  gauge(
    'starling_checkpoint_age_seconds',
    'Time since the last model got there.',
    ofCheckpoints(({ last }) => last?.secondsAgo),
  ),
];

type OfModel = (model: ServedView) => number;
const byModel =
  (value: OfModel): Read =>
  ({ serving }) =>
    serving.models.map((model): Reading => [{ model: model.name }, value(model)]);

const serving: readonly Family[] = [
  gauge(
    'starling_serving_ready',
    'Whether a served model answers.',
    byModel(({ isReady }) => (isReady ? 1 : 0)),
  ),
  gauge(
    'starling_serving_queue_requests',
    'Requests that wait for a served model.',
    byModel(({ waiting }) => waiting),
  ),
];

/** What a scrape reads off the state of the daemon. */
export const FAMILIES: readonly Family[] = [
  ...[...peers, ...jobs, ...privacy, ...resources],
  ...[...serving, ...checkpoints],
];
