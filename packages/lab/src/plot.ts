export interface Curve {
  readonly label: string;
  /** By ascending place, such as rounds and accuracies from 0 to 1. */
  readonly points: readonly (readonly [at: number, value: number])[];
}

const WIDTH = 760;
const HEIGHT = 420;
const LEFT = 52;
const TOP = 36;
const BOTTOM = 44;
const LEGEND_LINE = 16;
/** Told apart by people who do not see all colours (Okabe and Ito 2008). */
const COLOURS = ['#0072b2', '#d55e00', '#009e73', '#cc79a7', '#e69f00', '#56b4e9', '#000000'];
const DASHES = ['', '6 3', '2 2', '8 3 2 3'];

/** A picture's words and curves. */
export interface Plot {
  readonly title: string;
  readonly curves: readonly Curve[];
  /** Of the vertical axis. */
  readonly range: readonly [from: number, to: number];
  /** A value of the vertical axis in words. */
  readonly text: (value: number) => string;
}

/** Accuracy by round. */
export function plotAccuracy(title: string, curves: readonly Curve[]): string {
  const lowest = Math.min(...curves.flatMap(({ points }) => points.map(([, each]) => each)), 0.9);
  return plotLines({
    ...{ title: `${title}: accuracy by round`, curves },
    range: [Math.max(0, Math.floor(10 * lowest) / 10), 1],
    text: (level) => `${(100 * level).toFixed(0)} %`,
  });
}

/** Lines as an SVG picture that needs nothing else. */
export function plotLines({ title, curves, range: [floor, ceiling], text }: Plot): string {
  const last = Math.max(1, ...curves.flatMap(({ points }) => points.map(([at]) => at)));
  const x = (at: number) => LEFT + ((WIDTH - LEFT - 16) * at) / last;
  const y = (value: number) =>
    TOP + (HEIGHT - TOP - BOTTOM) * (1 - (value - floor) / (ceiling - floor));
  const height = HEIGHT + LEGEND_LINE * curves.length + 8;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="${height}" ` +
      `font-family="sans-serif" font-size="12">`,
    `<rect width="100%" height="100%" fill="white"/>`,
    `<text x="${LEFT}" y="20" font-size="14">${escaped(title)}</text>`,
    ...grid({ last, floor, ceiling, text, x, y }),
    ...curves.map(({ points }, i) => {
      const path = points.map(([at, value]) => `${fixed(x(at))},${fixed(y(value))}`);
      return `<polyline points="${path.join(' ')}" fill="none" stroke-width="1.5" ${penOf(i)}/>`;
    }),
    ...curves.map(({ label }, i) => {
      const at = HEIGHT + LEGEND_LINE * i;
      const line = `<line x1="${LEFT}" x2="${LEFT + 30}" y1="${at}" y2="${at}" ${penOf(i)}/>`;
      return `${line}<text x="${LEFT + 38}" y="${at + 4}">${escaped(label)}</text>`;
    }),
    '</svg>',
    '',
  ].join('\n');
}

interface Axes {
  /** At the right. */
  readonly last: number;
  /** At the bottom, and at the top. */
  readonly floor: number;
  readonly ceiling: number;
  readonly text: (value: number) => string;
  readonly x: (at: number) => number;
  readonly y: (value: number) => number;
}

function grid({ last, floor, ceiling, text, x, y }: Axes): readonly string[] {
  const right = x(last);
  const levels = Array.from({ length: 6 }, (_, i) => floor + ((ceiling - floor) * i) / 5);
  const steps = Array.from({ length: 6 }, (_, i) => Math.round((last * i) / 5));
  return [
    ...levels.map((level) => {
      const at = fixed(y(level));
      const line = `<line x1="${LEFT}" x2="${fixed(right)}" y1="${at}" y2="${at}" stroke="#ddd"/>`;
      const place = `x="${LEFT - 6}" y="${at}" dy="4" text-anchor="end"`;
      return `${line}<text ${place}>${text(level)}</text>`;
    }),
    ...[...new Set(steps)].map((step) => {
      const at = `x="${fixed(x(step))}" y="${HEIGHT - BOTTOM + 18}"`;
      return `<text ${at} text-anchor="middle">${step}</text>`;
    }),
  ];
}

function penOf(index: number): string {
  const dash = DASHES[Math.floor(index / COLOURS.length) % DASHES.length];
  const pen = `stroke="${COLOURS[index % COLOURS.length]}"`;
  return dash === '' ? pen : `${pen} stroke-dasharray="${dash}"`;
}

const fixed = (value: number): string => value.toFixed(1);

const escaped = (text: string): string =>
  text.replace(/&/g, '&amp;').replace(/</g, '&lt;').replace(/>/g, '&gt;');
