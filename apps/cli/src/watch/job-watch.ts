import type { JobEvent, JobView, PrivacyView, Status } from '@starling/control';
import { oneLine } from '../table.ts';
import { roundText } from './lines.ts';

export interface Notice {
  /** Milliseconds since 1970; undefined for what was before the watching began. */
  readonly at: number | undefined;
  readonly text: string;
  readonly tone: 'plain' | 'good' | 'bad';
}

/** Kinds that pass: the phases of the round show them. */
const PASSING: ReadonlySet<string> = new Set([
  ...['now', 'training', 'progress', 'joining', 'waiting', 'session', 'phase', 'sum'],
]);
const GOOD: ReadonlySet<string> = new Set(['certified', 'finished']);
const NOTICES_MAX = 100;

/** All that a screen of one job shows, as it comes in. */
export class JobWatch {
  view: JobView;
  /** Null before the daemon has answered. */
  status: Status | null = null;
  privacy: PrivacyView | null = null;
  #notices: readonly Notice[];

  constructor(view: JobView) {
    this.view = view;
    this.#notices = view.rounds.map((round) => ({
      ...{ at: undefined, text: roundText(round), tone: 'plain' as const },
    }));
  }

  /** The newest last. */
  get notices(): readonly Notice[] {
    return this.#notices;
  }

  get isFinished(): boolean {
    return this.view.phase === 'finished' || this.view.phase === 'cancelled';
  }

  /** @param now milliseconds since 1970 */
  take({ kind, text, view, live }: JobEvent, now: number): void {
    if (view !== undefined) this.view = view;
    if (live !== undefined) this.view = { ...this.view, live };
    if (PASSING.has(kind)) return;
    const newest = kind === 'certified' ? view?.rounds.at(-1) : undefined;
    const notice: Notice = {
      at: now,
      text: newest === undefined ? oneLine(text) : roundText(newest),
      tone: GOOD.has(kind) ? 'good' : 'bad',
    };
    this.#notices = [...this.#notices, notice].slice(-NOTICES_MAX);
  }
}
