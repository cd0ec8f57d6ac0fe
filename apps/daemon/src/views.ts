import type { JobEvent, JobView, LiveRound, NetworkView, Round } from '@starling/control';
import type { JobReport, JobStanding } from '@starling/node';
import { type Certificate, type Manifest, statementHash } from '@starling/protocol-rounds';
import {
  type Notice,
  namedMetricsOf,
  settledLength,
  signersOf,
  survivorCount,
  type TrainingProgress,
} from '@starling/rounds';
import type { NetworkReport } from '@starling/swarm';
import type { LiveRounds } from './live-rounds.ts';
import { guaranteeView } from './privacy-view.ts';

/** A job as the API shows it, with what its running round looks like. */
export function jobView(report: JobReport, lives: LiveRounds): JobView {
  const { job, standing, phase, progress, certificates, guarantee, suspects } = report;
  const settled = settledLength(certificates, certificates.length, rememberedSigners);
  const rounds = certificates.map((each, i): Round => {
    return { ...certificateView(each, job.manifest), settled: i < settled };
  });
  return {
    id: job.id,
    name: job.manifest.name,
    launcher: job.launcher,
    standing: standing.kind,
    detail: detailOf(standing),
    phase,
    progress: progress ?? null,
    privacy: guaranteeView(guarantee),
    live: liveView(report, lives),
    rounds,
    secondsPerRound: lives.secondsPerRound(job.id),
    roundsWanted: job.manifest.stop.rounds,
    suspects: [...suspects],
    stateHash: rounds.at(-1)?.stateHash ?? null,
  };
}

/** One certificate as the API shows it; how it stands in its chain is another matter. */
export function certificateView(
  { statement }: Certificate,
  manifest: Manifest,
): Omit<Round, 'settled'> {
  const { lossSum, correct, examples } = statement.metrics;
  return {
    round: statement.round,
    restarts: statement.restarts,
    attempt: statement.attempt,
    participants: statement.roster.length,
    survivors: survivorCount(statement),
    loss: examples === 0 ? null : lossSum / examples,
    accuracy: examples === 0 ? null : correct / examples,
    examples,
    metrics: { ...namedMetricsOf(statement, manifest) },
    stateHash: statement.stateHash,
    certificate: statementHash(statement),
  };
}

/**
 * A chain is shown after each of its rounds. Here and not below, where virtual peers share what
 * they read, and each is to check for itself.
 */
const knownSigners = new WeakMap<Certificate, ReturnType<typeof signersOf>>();

function rememberedSigners(certificate: Certificate): ReturnType<typeof signersOf> {
  const known = knownSigners.get(certificate) ?? signersOf(certificate);
  knownSigners.set(certificate, known);
  return known;
}

/** The round that goes on in a job, or null. */
export function liveView({ job, chunks }: JobReport, lives: LiveRounds): LiveRound | null {
  const live = lives.live(job.id);
  return live && { ...live, chunks: chunksOf(live, chunks) };
}

/** Those of an attempt before are none of this one. */
function chunksOf(
  { round, restarts, attempt, roster }: LiveRound,
  chunks: JobReport['chunks'],
): LiveRound['chunks'] {
  if (chunks === undefined || chunks.round !== round || roster.length === 0) return null;
  const { slot, total, sent, summed, fetched } = chunks;
  const isSame = slot.restarts === restarts && slot.attempt === attempt;
  return isSame ? { total, sent, summed, fetched } : null;
}

/** The network's report as the API shows it. */
export const networkView = (report: NetworkReport): NetworkView => ({
  ...report,
  bootstrap: [...report.bootstrap],
  listening: [...report.listening],
  announced: [...report.announced],
  seenBy: report.seenBy.map((seen) => ({ ...seen, dialled: [...seen.dialled] })),
  silent: [...report.silent],
  relay: {
    ...report.relay,
    reservations: [...report.relay.reservations],
    offering: [...report.relay.offering],
  },
  topics: [...report.topics],
  unreachable: [...report.unreachable],
  refusedBy: [...report.refusedBy],
  outdated: report.outdated.map((each) => ({ ...each })),
});

/** Why a job stands as it does, in words. */
export function detailOf(standing: JobStanding): string {
  switch (standing.kind) {
    case 'participating':
      return `data set ${standing.dataset}`;
    case 'no-data':
      return standing.reasons.length === 0
        ? 'no data set is offered here; add one with `starling data add`'
        : standing.reasons.join('; ');
    default:
      return standing.reason;
  }
}

/** A notice in words, with the job's new view when it changed. */
export function jobEvent(report: JobReport, notice: Notice, lives: LiveRounds): JobEvent {
  const round = 'round' in notice ? notice.round : undefined;
  const event = {
    job: report.job.id,
    kind: notice.kind,
    text: textOf(notice),
    live: liveView(report, lives),
    ...(round !== undefined && { round }),
  };
  const changed = ['certified', 'finished', 'cancelled'].includes(notice.kind);
  return changed ? { ...event, view: jobView(report, lives) } : event;
}

/** Where a job stands, when that is news. */
export function standingEvent(report: JobReport, lives: LiveRounds): JobEvent {
  const view = jobView(report, lives);
  const text = `${view.standing}: ${view.detail}`;
  return { job: view.id, kind: 'standing', text, view, live: view.live };
}

/** For instance: training, 40 % (120 of 300 steps), 5,210 examples/s, 12 s left. */
function trainingText(progress: TrainingProgress): string {
  const { step, steps, examplesPerSecond, secondsLeft } = progress;
  const speed = examplesPerSecond < 10 ? examplesPerSecond.toFixed(1) : examplesPerSecond.toFixed();
  const part = `${Math.floor((100 * step) / steps)} % (${step} of ${steps} steps)`;
  return `training, ${part}, ${speed} examples/s, ${Math.ceil(secondsLeft)} s left`;
}

function textOf(notice: Notice): string {
  switch (notice.kind) {
    case 'training':
      return `round ${notice.round}: training`;
    case 'progress':
      return `round ${notice.round}: ${trainingText(notice)}`;
    case 'joining':
      return `round ${notice.round}: update is ready, looking for a roster`;
    case 'waiting':
      return `round ${notice.round}: ${notice.joined} of at least ${notice.needed} peers joined`;
    case 'session':
      return `round ${notice.round}: adding up with ${notice.roster.length} peers`;
    case 'phase':
      return `round ${notice.round}: ${notice.phase}`;
    case 'sum':
      return `round ${notice.round}: sum of ${notice.survivors.length} updates is open`;
    case 'retry':
      return `round ${notice.round}: attempt given up (${notice.reason}), trying again`;
    case 'burnt':
      return `round ${notice.round}: attempt lost (${notice.reason}), training anew`;
    case 'withheld':
      return `round ${notice.round}: the new model is not signed here: ${notice.reason}`;
    case 'certified': {
      const { statement } = notice.certificate;
      return `round ${statement.round} certified: ${survivorCount(statement)} survivors`;
    }
    case 'rolled-back':
      return `rolled back to round ${notice.toRound}: a better chain exists`;
    case 'refused':
      return `refused from ${notice.peer}: ${notice.reason}`;
    case 'convicted':
      return `round ${notice.round}: ${notice.peer} lied (${notice.reason})`;
    case 'banned':
      return `${notice.peer} lied (${notice.reason}): left out until round ${notice.until}`;
    case 'budget-spent':
      return `round ${notice.round}: only watching, since ${notice.reason}`;
    case 'train-failed':
      return `training failed: ${notice.reason}`;
    case 'cancelled':
      return `cancelled by its launcher after ${notice.round} rounds`;
    case 'finished':
      return `finished after ${notice.round} rounds`;
    default:
      return '';
  }
}
