import { unreachable } from '@starling/core';

export const SCHEDULE_KINDS = ['constant', 'step', 'cosine', 'polynomial'] as const;
export const SCHEDULE_UNITS = ['step', 'round'] as const;

/** How the learning rate changes with time, which is counted in local steps or in rounds. */
export interface Schedule {
  readonly kind: (typeof SCHEDULE_KINDS)[number];
  /** `step`: steps of the optimiser, from 0 again in each round; `round`: rounds of the job. */
  readonly per: (typeof SCHEDULE_UNITS)[number];
  /** The rate rises in a line to its full size over so many units; then the kind's time starts. */
  readonly warmup: number;
  /** `step`: the rate is multiplied by `factor` after each `every` units. */
  readonly every: number;
  readonly factor: number;
  /** `cosine`, `polynomial`: units until `floor` is reached, warm-up included; 0 takes all. */
  readonly length: number;
  /** `polynomial`: 1 falls in a line. */
  readonly power: number;
  /** `cosine`, `polynomial`: what is left of the rate at the end, as a share. */
  readonly floor: number;
}

export const CONSTANT_RATE: Schedule = {
  ...{ kind: 'constant', per: 'step', warmup: 0, every: 1, factor: 1 },
  ...{ length: 0, power: 1, floor: 0 },
};

/** Where in a job a run of local training stands. */
export interface ScheduleSpan {
  /** Steps of the optimiser in the run. */
  readonly steps: number;
  /** Rounds of the job before this one, and in all. */
  readonly round: number;
  readonly rounds: number;
}

/** Whether the rate differs between steps of one run. */
export const variesWithinRun = ({ kind, per, warmup }: Schedule): boolean =>
  per === 'step' && (kind !== 'constant' || warmup > 0);

/** The learning rate of each step of a run. */
export function learningRates(
  rate: number,
  schedule: Schedule,
  { steps, round, rounds }: ScheduleSpan,
): Float32Array {
  const counted = schedule.per === 'step';
  const total = counted ? steps : rounds;
  return Float32Array.from(
    { length: steps },
    (_, i) => rate * share(schedule, counted ? i : round, total),
  );
}

/** What a schedule makes of the rate at time `at` of `total`. */
function share(schedule: Schedule, at: number, total: number): number {
  const { kind, warmup, every, factor, length, power, floor } = schedule;
  if (at < warmup) return (at + 1) / warmup;
  const since = at - warmup;
  const span = Math.max(1, (length === 0 ? total : length) - warmup);
  const done = Math.min(1, since / span);
  switch (kind) {
    case 'constant':
      return 1;
    case 'step':
      return factor ** Math.floor(since / every);
    case 'cosine':
      return floor + ((1 - floor) * (1 + Math.cos(Math.PI * done))) / 2;
    case 'polynomial':
      return floor + (1 - floor) * (1 - done) ** power;
    default:
      return unreachable(kind);
  }
}
