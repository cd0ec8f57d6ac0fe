import { type Curve, plotAccuracy } from './plot.ts';
import type { EndLine, ResultLine, RoundLine } from './results.ts';
import type { Choices, Experiment } from './schema.ts';

export interface Summary {
  /** A table with a line for each group. */
  readonly markdown: string;
  /** Accuracy by round, a curve for each group, as SVG. */
  readonly plot: string;
}

interface GroupLines {
  readonly label: string;
  readonly choices: Choices;
  readonly rounds: readonly RoundLine[];
  readonly ends: readonly EndLine[];
}

/** What an experiment's lines say, group by group; seeds are averaged in the plot. */
export function summaryOf(experiment: Experiment, lines: readonly ResultLine[]): Summary {
  const groups = experiment.groups.map(({ choices }) => {
    const theirs = lines.filter((line) => sameChoices(line.choices, choices));
    return {
      ...{ choices, label: labelOf(choices) || experiment.name },
      rounds: theirs.filter((line): line is RoundLine => line.kind === 'round'),
      ends: theirs.filter((line): line is EndLine => line.kind === 'end'),
    };
  });
  return {
    markdown: tableOf(experiment, groups),
    plot: plotAccuracy(experiment.name, groups.map(curveOf)),
  };
}

const sameChoices = (a: Choices, b: Choices): boolean => JSON.stringify(a) === JSON.stringify(b);

/** A choice in a few words: `training.epochs 5`, `partition shards(classesPerClient 2)`. */
export const labelOf = (choices: Choices): string =>
  Object.entries(choices)
    .map(([key, value]) => `${titleOf(key)} ${wordsOf(value)}`)
    .join(', ');

/** The last word of each of the keys. */
const titleOf = (key: string): string => key.replace(/[^,\s]*\./g, '').replace(/,\s*/g, '/');

/** Keys that name what the others beside them belong to. */
const KINDS = new Set(['kind', 'algorithm', 'combination', 'partial']);

function wordsOf(value: unknown): string {
  if (typeof value !== 'object' || value === null) return String(value);
  if (Array.isArray(value)) return value.map(wordsOf).join('/');
  const entries = Object.entries(value);
  const kind = entries.find(([key]) => KINDS.has(key));
  const others = entries.filter((entry) => entry !== kind);
  const inside = others.map(([key, each]) => `${key} ${wordsOf(each)}`).join(' ');
  if (kind === undefined) return inside;
  return inside === '' ? String(kind[1]) : `${kind[1]}(${inside})`;
}

function tableOf(experiment: Experiment, groups: readonly GroupLines[]): string {
  const keys = Object.keys(groups[0]?.choices ?? {});
  const backdoor = groups.some(({ ends }) => ends.some((end) => end.backdoor !== undefined));
  const head = [
    ...keys.map(titleOf),
    ...['seed', 'end', 'last accuracy', 'best'],
    ...(backdoor ? ['backdoor'] : []),
    ...['rounds', 'bytes a peer a round', 'seconds'],
  ];
  const rows = groups.flatMap(({ choices, ends, rounds }) =>
    ends.map((end) => [
      ...keys.map((key) => wordsOf(choices[key])),
      ...[String(end.seed), end.text, percent(end.accuracy), percent(end.best)],
      ...(backdoor ? [percent(end.backdoor ?? null)] : []),
      String(end.rounds),
      String(Math.round(meanOf(rounds.map((line) => line.bytesPerPeer)))),
      end.seconds.toFixed(0),
    ]),
  );
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`;
  const rule = head.map(() => '---');
  return `# ${experiment.name}\n\n${[head, rule, ...rows].map(line).join('\n')}\n`;
}

const percent = (share: number | null): string =>
  share === null ? '–' : `${(100 * share).toFixed(2)} %`;

/** Mean accuracy over the seeds that came as far as each round. */
function curveOf({ label, rounds }: GroupLines): Curve {
  const byRound = new Map<number, number[]>();
  for (const { round, accuracy } of rounds) {
    if (accuracy === null) continue;
    byRound.set(round, [...(byRound.get(round) ?? []), accuracy]);
  }
  const points = [...byRound].sort(([a], [b]) => a - b);
  return { label, points: points.map(([round, values]) => [round, meanOf(values)] as const) };
}

const meanOf = (values: readonly number[]): number =>
  values.reduce((sum, value) => sum + value, 0) / Math.max(1, values.length);
