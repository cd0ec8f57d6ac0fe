import type { JobView, Round } from '@starling/control';
import { decimal, percent } from '../output.ts';
import { plot } from '../terminal/plot.ts';
import { glyphsOf, type Look, painter } from './look.ts';

/** Below this, one curve is more to look at than two. */
const BESIDE_COLUMNS = 64;
const GAP = '   ';
const LABEL_COLUMNS = 8;
/** Title, and the line below with the rounds. */
const FRAME_ROWS = 2;
export const CURVE_ROWS_MIN = FRAME_ROWS + 2;

interface Series {
  readonly title: string;
  readonly rounds: readonly number[];
  readonly values: readonly number[];
  readonly text: (value: number) => string;
  readonly style: 'cyan' | 'green';
}

/**
 * Curves of loss and accuracy over the rounds, beside each other; on a narrow screen of accuracy,
 * where the job has any. Nothing before the first round with figures.
 * @param rows how many lines it may take, at least CURVE_ROWS_MIN
 */
export function curveLines({ rounds }: JobView, rows: number, look: Look): readonly string[] {
  const all = [
    seriesOf(rounds, { title: 'loss', pick: ({ loss }) => loss, text: (x) => decimal(x) }),
    seriesOf(rounds, {
      ...{ title: 'accuracy', pick: ({ accuracy }) => accuracy, text: (x) => percent(x) },
    }),
  ].filter(({ values }) => values.length > 0);
  const shown = look.columns < BESIDE_COLUMNS ? all.slice(-1) : all;
  if (shown.length === 0) return [];
  const columns = Math.floor((look.columns - GAP.length * (shown.length - 1)) / shown.length);
  const blocks = shown.map((series) => block(series, rows, { ...look, columns }));
  return blocks[0]!.map((_, i) => blocks.map((lines) => lines[i]!).join(GAP));
}

interface Wanted {
  readonly title: 'loss' | 'accuracy';
  readonly pick: (round: Round) => number | null;
  readonly text: (value: number) => string;
}

/** Rounds without validation examples have no figures. */
function seriesOf(rounds: readonly Round[], { title, pick, text }: Wanted): Series {
  const known = rounds.flatMap((round) => {
    const value = pick(round);
    return value === null ? [] : [{ round: round.round, value }];
  });
  return {
    ...{ title, text, style: title === 'loss' ? ('cyan' as const) : ('green' as const) },
    rounds: known.map(({ round }) => round),
    values: known.map(({ value }) => value),
  };
}

/** After a steep fall, of the loss or of what is wrong, nothing else could be seen. */
const isSteep = (values: readonly number[]): boolean =>
  Math.min(...values) > 0 && Math.max(...values) > 8 * Math.min(...values);

function block({ title, rounds, values, text, style }: Series, rows: number, look: Look) {
  const paint = painter(look);
  const { side, rule } = glyphsOf(look);
  const { columns, unicode } = look;
  const width = Math.max(1, columns - LABEL_COLUMNS - 2);
  const errors = title === 'loss' ? values : values.map((accuracy) => 1 - accuracy);
  const isLogarithmic = isSteep(errors);
  const sign = title === 'loss' ? 1 : -1;
  const drawn = isLogarithmic ? errors.map((error) => sign * Math.log(error)) : values;
  const lines = plot(drawn, { width, height: rows - FRAME_ROWS, unicode });
  const [min, max] = [Math.min(...values), Math.max(...values)];
  const scale = isLogarithmic ? ' (log)' : '';
  const heading = `${title} ${text(values.at(-1)!)} before round ${rounds.at(-1)}${scale}`;
  const axis = (label: string) => paint('dim', `${label.padStart(LABEL_COLUMNS)} ${side}`);
  const body = lines.map((line, i) => {
    if (min === max)
      return `${axis(i === lines.length >> 1 ? text(max) : '')}${paint(style, line)}`;
    const label = i === 0 ? text(max) : i === lines.length - 1 ? text(min) : '';
    return `${axis(label)}${paint(style, line)}`;
  });
  const [first, last] = [`round ${rounds[0]}`, String(rounds.at(-1))];
  const between = Math.max(1, width - first.length - last.length);
  const below =
    rounds.length === 1 ? first.padEnd(width) : `${first}${rule.repeat(between)}${last}`;
  const blanks = ' '.repeat(LABEL_COLUMNS + 2);
  return [
    paint('bold', heading.padEnd(columns).slice(0, columns)),
    ...body,
    paint('dim', `${blanks}${below}`),
  ];
}
