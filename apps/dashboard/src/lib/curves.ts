import type { Round } from './types.ts';

export interface Curve {
  readonly label: string;
  readonly values: readonly (number | null)[];
}

/** Columns by round: what a chart draws and its table says. */
export interface Curves {
  readonly rounds: readonly number[];
  readonly loss: Curve;
  readonly accuracy: Curve;
  readonly participants: Curve;
  readonly survivors: Curve;
}

/** A round's metrics are of the model it began with, so they belong to the round before. */
export function curvesOf(rounds: readonly Round[]): Curves {
  const column = (label: string, value: (round: Round) => number | null): Curve => ({
    label,
    values: rounds.map(value),
  });
  return {
    rounds: rounds.map(({ round }) => round),
    loss: column('Loss', ({ loss }) => loss),
    accuracy: column('Accuracy', ({ accuracy }) => accuracy),
    participants: column('Participants', ({ participants }) => participants),
    survivors: column('Survivors', ({ survivors }) => survivors),
  };
}

/** Whether there is any number to draw. */
export const hasValues = ({ values }: Curve): boolean => values.some((value) => value !== null);
