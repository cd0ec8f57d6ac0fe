import { ROUND_PHASES } from '@starling/control';
import type { JobId, PeerId } from '@starling/core';
import type { Notice } from '@starling/rounds';
import { Counter, Histogram, type Registry } from 'prom-client';
import { BURN_REASONS, bounded, CONVICTION_REASONS, OTHER, RETRY_REASONS } from './reasons.ts';
import type { TimelineListener } from './timeline.ts';

/** From a phase among loopback peers to a training of a day. */
const SECONDS = [0.01, 0.05, 0.1, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900, 3_600, 14_400, 86_400];

/** What a node tells, counted. No series has a job or a peer in its labels: they stay few. */
export class NoticeCounters implements TimelineListener {
  readonly #self: PeerId;
  readonly #rosters = new Map<JobId, number>();
  readonly #certified;
  readonly #attempts;
  readonly #retried;
  readonly #burnt;
  readonly #dropouts;
  readonly #convictions;
  readonly #bans;
  readonly #plain: ReadonlyMap<Notice['kind'], Counter>;
  readonly #phaseSeconds;
  readonly #roundSeconds;

  constructor(registry: Registry, self: PeerId) {
    this.#self = self;
    const counted = new Counted(registry);
    this.#certified = counted.by(
      ...([
        'starling_rounds_certified_total',
        'Certificates, by whether it worked on them.',
      ] as const),
      ...(['own', ['true', 'false']] as const),
    );
    this.#attempts = counted.plain('starling_attempts_total', 'Rosters that it was in.');
    this.#retried = counted.by(
      ...(['starling_attempts_retried_total', 'Attempts given up, with the update kept.'] as const),
      ...(['reason', [...RETRY_REASONS, OTHER]] as const),
    );
    this.#burnt = counted.by(
      ...(['starling_attempts_burnt_total', 'Attempts lost together with the update.'] as const),
      ...(['reason', [...BURN_REASONS, OTHER]] as const),
    );
    this.#dropouts = counted.plain(
      ...(['starling_dropouts_total', 'Members of rosters that were not in the sum.'] as const),
    );
    this.#convictions = counted.by(
      ...(['starling_convictions_total', 'Members that provably broke the rules.'] as const),
      ...(['reason', [...CONVICTION_REASONS, OTHER]] as const),
    );
    this.#bans = counted.by(
      ...(['starling_bans_total', 'Bans by evidence, by whether it is this peer.'] as const),
      ...(['self', ['true', 'false']] as const),
    );
    this.#plain = plainCounters(counted);
    const seconds = { registers: [registry], buckets: SECONDS };
    this.#phaseSeconds = new Histogram({
      name: 'starling_round_phase_duration_seconds',
      help: 'How long phases of rounds took here.',
      labelNames: ['phase'],
      ...seconds,
    });
    for (const phase of ROUND_PHASES) this.#phaseSeconds.zero({ phase });
    this.#roundSeconds = new Histogram({
      name: 'starling_round_duration_seconds',
      help: 'How long certified rounds took here, training included.',
      ...seconds,
    });
  }

  readonly onPhase: NonNullable<TimelineListener['onPhase']> = ({ name, startMs, endMs }) => {
    const phase = bounded(name, ROUND_PHASES);
    this.#phaseSeconds.observe({ phase }, Math.max(0, endMs - startMs) / 1000);
  };

  readonly onRound: NonNullable<TimelineListener['onRound']> = (round) => {
    if (round.outcome !== 'certified') return;
    this.#roundSeconds.observe(Math.max(0, round.endMs - round.startMs) / 1000);
  };

  take(job: JobId, notice: Notice): void {
    this.#plain.get(notice.kind)?.inc();
    switch (notice.kind) {
      case 'session':
        this.#rosters.set(job, notice.roster.length);
        this.#attempts.inc();
        return;
      case 'sum': {
        const roster = this.#rosters.get(job) ?? notice.survivors.length;
        this.#dropouts.inc(Math.max(0, roster - notice.survivors.length));
        return;
      }
      case 'retry':
        this.#retried.inc({ reason: bounded(notice.reason, RETRY_REASONS) });
        return;
      case 'burnt':
        this.#burnt.inc({ reason: bounded(notice.reason, BURN_REASONS) });
        return;
      case 'certified':
        this.#rosters.delete(job);
        this.#certified.inc({ own: String(notice.own) });
        return;
      case 'convicted':
        this.#convictions.inc({ reason: bounded(notice.reason, CONVICTION_REASONS) });
        return;
      case 'banned':
        this.#bans.inc({ self: String(notice.peer === this.#self) });
        return;
      default:
    }
  }
}

/** Kinds of which only the number matters. */
function plainCounters(counted: Counted): ReadonlyMap<Notice['kind'], Counter> {
  return new Map<Notice['kind'], Counter>([
    ['training', counted.plain('starling_trainings_total', 'Trainings begun.')],
    ['train-failed', counted.plain('starling_trainings_failed_total', 'Trainings that failed.')],
    ['withheld', counted.plain('starling_states_withheld_total', 'New states not signed here.')],
    ['rolled-back', counted.plain('starling_rollbacks_total', 'Changes to a better chain.')],
    ['refused', counted.plain('starling_messages_refused_total', 'Messages against the rules.')],
    ['finished', counted.plain('starling_jobs_finished_total', 'Jobs that came to their end.')],
    ['cancelled', counted.plain('starling_jobs_cancelled_total', 'Jobs that were called off.')],
    [
      'budget-spent',
      counted.plain('starling_budgets_spent_total', 'Jobs left, the budget being spent.'),
    ],
  ]);
}

class Counted {
  readonly #registers: Registry[];

  constructor(registry: Registry) {
    this.#registers = [registry];
  }

  plain(name: string, help: string): Counter {
    return new Counter({ name, help, registers: this.#registers });
  }

  /** All of its series are there from the start: `increase()` does not see the first of one. */
  by<T extends string>(name: string, help: string, label: T, values: readonly string[]) {
    const made = new Counter({ name, help, labelNames: [label], registers: this.#registers });
    for (const value of values) made.inc({ [label]: value } as Record<T, string>, 0);
    return made;
  }
}
