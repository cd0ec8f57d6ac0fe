import type { Command } from 'commander';
import { EXIT } from './failures.ts';

/** A third of the letters may be wrong, and three at most. */
const PART_MAX = 1 / 3;
const DISTANCE_MAX = 3;

/** The candidates nearest to a mistyped word; none when all are far from it. */
export function suggestionsFor(word: string, candidates: readonly string[]): readonly string[] {
  const most = Math.min(DISTANCE_MAX, Math.max(1, Math.ceil(word.length * PART_MAX)));
  const rated = candidates.map((candidate) => ({ candidate, distance: editsOf(word, candidate) }));
  const least = Math.min(...rated.map(({ distance }) => distance));
  if (least > most) return [];
  return rated.flatMap(({ candidate, distance }) => (distance === least ? [candidate] : []));
}

/** Letters to add, drop, change or swap with their neighbour (optimal string alignment). */
export function editsOf(a: string, b: string): number {
  const rows: number[][] = [Array.from({ length: b.length + 1 }, (_, j) => j)];
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const change = rows[i - 1]![j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1);
      let least = Math.min(rows[i - 1]![j]! + 1, row[j - 1]! + 1, change);
      const isSwapped = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1];
      if (isSwapped) least = Math.min(least, rows[i - 2]![j - 2]! + 1);
      row.push(least);
    }
    rows.push(row);
  }
  return rows[a.length]![b.length]!;
}

/** Ends with wrong usage, and names what may have been meant. */
export function refuseUnknown(parent: Command, word: string): never {
  const names = parent.commands.flatMap((each) => [each.name(), ...each.aliases()]);
  const near = suggestionsFor(word, names);
  const meant = near.length === 0 ? '' : ` (Did you mean ${near.join(' or ')}?)`;
  parent.error(`unknown command '${word}'${meant}`, {
    ...{ code: 'commander.unknownCommand', exitCode: EXIT.usage },
  });
}
