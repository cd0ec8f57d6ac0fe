/** A swarm that is made up: the same for the same seed, and going on as time passes. */
import { createHash } from 'node:crypto';
import type { JobEvent, JobView, LiveRound, Round } from '@starling/control';
import { ROUND_PHASES } from '@starling/control';

export const hashOf = (...words: readonly (string | number)[]): string =>
  createHash('sha256').update(words.join('/')).digest('hex');

const ALPHABET = '123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz';
export const peerOf = (index: number): string =>
  `12D3KooW${[...Buffer.from(hashOf('peer', index) + hashOf('end', index).slice(0, 24), 'hex')]
    .map((byte) => ALPHABET[byte % ALPHABET.length])
    .join('')}`;

export const SELF = peerOf(0);
export const PEERS = Array.from({ length: 23 }, (_, i) => peerOf(i + 1));

/** From 0 to 1, a function of its words. */
export const chance = (...words: readonly (string | number)[]): number =>
  Number.parseInt(hashOf(...words).slice(0, 8), 16) / 2 ** 32;

const ROUND_SECONDS = 14;
const PHASE_SECONDS = ROUND_SECONDS / ROUND_PHASES.length;

function roundOf(name: string, number: number, roster: number): Round {
  const lost = chance(name, number, 'lost') > 0.7 ? 1 + Math.floor(2 * chance(name, number)) : 0;
  const loss = 0.08 + 2.2 * Math.exp(-number / 4) + 0.05 * chance(name, number, 'loss');
  return {
    ...{ round: number, restarts: lost > 1 ? 1 : 0, attempt: lost > 0 ? 1 : 0 },
    ...{ participants: roster, survivors: roster - lost, examples: 180 * roster, loss },
    accuracy: 0.98 - 0.88 * Math.exp(-number / 3.5) - 0.01 * chance(name, number, 'accuracy'),
    ...{ stateHash: hashOf(name, 'state', number), certificate: hashOf(name, 'cert', number) },
    ...{ metrics: {}, settled: true },
  };
}

function liveOf(round: number, seconds: number, now: number): LiveRound {
  const at = Math.min(ROUND_PHASES.length - 1, Math.floor(seconds / PHASE_SECONDS));
  const began = now - seconds * 1000;
  const roster = at < 2 ? [] : [SELF, ...PEERS.slice(0, 11)];
  const survivors = at < 5 ? null : roster.filter((_, i) => i !== 7);
  const share = (from: number) => Math.max(0, Math.min(48, Math.round(((at - from) / 2) * 48)));
  return {
    ...{ round, restarts: 0, attempt: 1, phase: ROUND_PHASES[at]!, roster, survivors },
    phases: ROUND_PHASES.slice(0, at + 1).map((phase, i) => ({
      ...{ phase, startedAt: began + i * PHASE_SECONDS * 1000 },
      seconds: i < at ? PHASE_SECONDS : null,
    })),
    joined: at === 1 ? { joined: 9, needed: 3 } : null,
    cells: survivors === null ? [] : [survivors.slice(0, 6), survivors.slice(6)],
    convicted: at < 4 ? [] : [{ peer: PEERS[8]!, reason: 'signed two survivor sets' }],
    chunks: at < 3 ? null : { total: 48, sent: share(2), summed: share(4), fetched: share(8) },
    lost: [{ attempt: 0, restarts: 0, reason: 'the proposer fell silent' }],
  };
}

const COMMON = {
  ...{ progress: null, privacy: null, live: null, secondsPerRound: null, suspects: [] },
} as const;

const GUARANTEE = {
  ...{ epsilon: 6.4, delta: 1e-5, noiseMultiplier: 1.1, updatesMax: 44, rho: 0.0134 },
};

const done = (name: string, wanted: number, roster: number): Round[] =>
  Array.from({ length: wanted }, (_, i) => roundOf(name, i + 1, roster));

/** Jobs that do not change unless their owner says so. */
const STILL: readonly JobView[] = [
  {
    ...{ ...COMMON, id: hashOf('job', 'xray'), name: 'chest-xray-resnet', launcher: PEERS[3]! },
    ...{ standing: 'waiting-for-approval', phase: 'watching', rounds: done('xray', 3, 7) },
    ...{ detail: `its launcher ${PEERS[3]} is not in policy.trust`, roundsWanted: 60 },
    ...{ privacy: GUARANTEE, stateHash: null },
  },
  {
    ...{ ...COMMON, id: hashOf('job', 'gpt'), name: 'plays-gpt', launcher: PEERS[1]! },
    ...{ standing: 'no-data', phase: 'watching', rounds: done('gpt', 12, 9), roundsWanted: 200 },
    detail: 'data set mnist-share: task is mnist, the job wants plays',
    ...{ secondsPerRound: 41, stateHash: hashOf('gpt', 'state', 12) },
  },
  {
    ...{ ...COMMON, id: hashOf('job', 'sensors'), name: 'wsn-anomalies', launcher: PEERS[6]! },
    ...{ standing: 'budget-spent', phase: 'watching', rounds: done('sensors', 22, 5) },
    ...{ detail: 'the budget of motes has 0.02 left, and an update costs 0.31', roundsWanted: 40 },
    ...{ privacy: GUARANTEE, secondsPerRound: 9, stateHash: hashOf('sensors', 'state', 22) },
  },
  {
    ...{ ...COMMON, id: hashOf('job', 'digits'), name: 'digits-logistic', launcher: SELF },
    ...{ standing: 'participating', phase: 'finished', rounds: done('digits', 20, 6) },
    ...{ detail: 'data set mnist-share', roundsWanted: 20 },
    ...{ secondsPerRound: 4, stateHash: hashOf('digits', 'state', 20) },
  },
];

const LONG_ROUNDS = 2_000;
/** One that has gone on for long. */
const LONG: JobView = {
  ...{ ...COMMON, id: hashOf('job', 'long'), name: 'long-runner', launcher: PEERS[5]! },
  ...{ standing: 'no-data', phase: 'watching', rounds: done('long', LONG_ROUNDS, 8) },
  ...{ detail: 'no data set fits', roundsWanted: 10_000, stateHash: null, secondsPerRound: 30 },
};

const RUNNING = hashOf('job', 'mnist');
const WANTED = 40;
/** Rounds that are there when the world begins. */
const HEAD_START = 17;

/** The running job, so many seconds after the world began. */
function running(seconds: number, now: number): JobView {
  const rounds = Math.min(WANTED, HEAD_START + Math.floor(seconds / ROUND_SECONDS));
  const isOver = rounds === WANTED;
  const certified = done('mnist', rounds, 12);
  const last = certified.at(-1)!;
  return {
    ...{ ...COMMON, id: RUNNING, name: 'mnist-mlp', launcher: SELF, standing: 'participating' },
    ...{ detail: 'data set mnist-share', phase: isOver ? 'finished' : 'session' },
    live: isOver ? null : liveOf(rounds + 1, seconds % ROUND_SECONDS, now),
    rounds: [...certified.slice(0, -1), { ...last, settled: false }],
    ...{ roundsWanted: WANTED, secondsPerRound: ROUND_SECONDS, stateHash: last.stateHash },
    suspects: [
      { peer: PEERS[8]!, rounds: 14, spoilt: 2 },
      { peer: PEERS[2]!, rounds: 15, spoilt: 1 },
    ],
  };
}

export class World {
  readonly #began: number;
  readonly #changed = new Map<string, Partial<JobView>>();
  readonly #launched: JobView[] = [];

  /** @param now milliseconds since 1970 */
  constructor(now: number) {
    this.#began = now;
  }

  jobs(now: number): readonly JobView[] {
    const all = [running((now - this.#began) / 1000, now), ...STILL, LONG, ...this.#launched];
    return all.map((job) => ({ ...job, ...this.#changed.get(job.id) }));
  }

  job(id: string, now: number): JobView | undefined {
    return this.jobs(now).find((job) => job.id === id || job.name === id);
  }

  change(id: string, change: Partial<JobView>): void {
    this.#changed.set(id, { ...this.#changed.get(id), ...change });
  }

  launch(name: string, rounds: number): string {
    const id = hashOf('job', name, this.#launched.length);
    this.#launched.push({
      ...{ ...COMMON, id, name, launcher: SELF, standing: 'participating', phase: 'training' },
      ...{ detail: 'data set mnist-share', rounds: [], roundsWanted: rounds, stateHash: null },
    });
    return id;
  }

  /** What the running job's watchers are told at this moment. */
  event(now: number): JobEvent & { live: LiveRound | null } {
    const view = this.job(RUNNING, now)!;
    const { live } = view;
    const isNew = live === null || live.phase === 'training';
    const kind = isNew ? 'certified' : 'phase';
    const round = view.rounds.length;
    const text = isNew
      ? `round ${round} certified: ${view.rounds.at(-1)!.survivors} survivors`
      : `round ${live.round}: ${live.phase}`;
    return { job: RUNNING, kind, text, live, ...(isNew && { view }) };
  }
}
