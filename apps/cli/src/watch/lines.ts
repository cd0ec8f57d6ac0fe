import type { JobEvent, JobView, Round } from '@starling/control';
import { decimal, percent, shortHash } from '../output.ts';
import { oneLine } from '../table.ts';

/** What one event adds to the screen. */
export interface WatchStep {
  /** Lines that stay. */
  readonly lines: readonly string[];
  /** What goes on at the moment; the next one replaces it. */
  readonly live: string | undefined;
  readonly finished: boolean;
}

/** Turns a job's events into lines: one for each round, once, whoever certified it. */
export class Watcher {
  /** Certificates of the rounds that have been shown. */
  #shown: readonly string[] = [];

  next({ kind, text, view }: JobEvent): WatchStep {
    const lines: string[] = [];
    if (kind === 'now' && view !== undefined) lines.push(headline(view));
    if (LASTING.has(kind)) lines.push(oneLine(text));
    if (view !== undefined) lines.push(...this.#newRounds(view));
    const ended = END_KINDS.has(kind);
    const finished = ended || (view !== undefined && END_KINDS.has(view.phase));
    if (finished && !ended) lines.push(`${view!.phase} after ${view!.rounds.length} rounds`);
    // What a view brought stands in the lines already.
    const live = view === undefined && !LASTING.has(kind) ? oneLine(text) : undefined;
    return { lines, live, finished };
  }

  #newRounds({ rounds, roundsWanted }: JobView): readonly string[] {
    const chain = rounds.map(({ certificate }) => certificate);
    const same = chain.findIndex((hash, i) => hash !== this.#shown[i]);
    const from = same === -1 ? chain.length : same;
    this.#shown = chain;
    return rounds.slice(from).map((round) => roundLine(round, roundsWanted));
  }
}

/** Phases, and the notices of them, after which nothing comes. */
const END_KINDS: ReadonlySet<string> = new Set(['finished', 'cancelled']);

/** Kinds whose text is worth keeping on the screen. */
const LASTING: ReadonlySet<string> = new Set([
  'retry',
  'burnt',
  'rolled-back',
  'standing',
  'train-failed',
  ...END_KINDS,
]);

const headline = ({ name, id, standing, detail }: JobView): string =>
  oneLine(`${name} (${shortHash(id)}): ${standing}, ${detail}`);

function roundLine(round: Round, roundsWanted: number): string {
  const { survivors, participants, loss, accuracy } = round;
  return [
    `round ${String(round.round).padStart(String(roundsWanted).length)}/${roundsWanted}`,
    `loss before ${decimal(loss)}`,
    `accuracy before ${percent(accuracy)}`,
    ...metricsOf(round),
    `${survivors} of ${participants} peers`,
    `state ${shortHash(round.stateHash)}`,
    ...troublesOf(round),
  ].join('  ');
}

/** A certified round in words, for a screen that shows its job's other figures elsewhere. */
export function roundText(round: Round): string {
  const { survivors, participants, loss, accuracy } = round;
  const peers = `${survivors} of ${participants} peers`;
  const figures = `before it loss ${decimal(loss)}, accuracy ${percent(accuracy)}`;
  const words = [...metricsOf(round), ...troublesOf(round)];
  return [`round ${round.round}: ${peers}`, figures, ...words].join(', ');
}

/** The job's own, of the same model. */
const metricsOf = ({ metrics }: Round): readonly string[] =>
  Object.entries(metrics).map(([name, value]) => oneLine(`${name} ${decimal(value)}`));

const troublesOf = ({ attempt, restarts, settled }: Round): readonly string[] => [
  ...(attempt > 0 ? [`attempt ${attempt + 1}`] : []),
  ...(restarts > 0 ? [`restarted ${restarts}×`] : []),
  ...(settled ? [] : ['provisional']),
];
