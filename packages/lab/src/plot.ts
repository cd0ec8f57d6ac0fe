export interface Curve {
  readonly label: string;
  /** Round and accuracy, 0 to 1, by ascending round. */
  readonly points: readonly (readonly [round: number, accuracy: number])[];
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

/** Accuracy by round as an SVG picture that needs nothing else. */
export function plotAccuracy(title: string, curves: readonly Curve[]): string {
  const all = curves.flatMap(({ points }) => points);
  const rounds = Math.max(1, ...all.map(([round]) => round));
  const lowest = Math.min(...all.map(([, accuracy]) => accuracy), 0.9);
  const floor = Math.max(0, Math.floor(10 * lowest) / 10);
  const x = (round: number) => LEFT + ((WIDTH - LEFT - 16) * round) / rounds;
  const y = (accuracy: number) =>
    TOP + (HEIGHT - TOP - BOTTOM) * (1 - (accuracy - floor) / (1 - floor));
  const height = HEIGHT + LEGEND_LINE * curves.length + 8;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="${height}" ` +
      `font-family="sans-serif" font-size="12">`,
    `<rect width="100%" height="100%" fill="white"/>`,
    `<text x="${LEFT}" y="20" font-size="14">${escaped(title)}: accuracy by round</text>`,
    ...grid({ rounds, floor, x, y }),
    ...curves.map(({ points }, i) => {
      const path = points.map(([round, accuracy]) => `${fixed(x(round))},${fixed(y(accuracy))}`);
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
  readonly rounds: number;
  /** Accuracy at the bottom. */
  readonly floor: number;
  readonly x: (round: number) => number;
  readonly y: (accuracy: number) => number;
}

function grid({ rounds, floor, x, y }: Axes): readonly string[] {
  const right = x(rounds);
  const levels = Array.from({ length: 6 }, (_, i) => floor + ((1 - floor) * i) / 5);
  const steps = Array.from({ length: 6 }, (_, i) => Math.round((rounds * i) / 5));
  return [
    ...levels.map((level) => {
      const at = fixed(y(level));
      const line = `<line x1="${LEFT}" x2="${fixed(right)}" y1="${at}" y2="${at}" stroke="#ddd"/>`;
      const text = `${(100 * level).toFixed(0)} %`;
      return `${line}<text x="${LEFT - 6}" y="${at}" dy="4" text-anchor="end">${text}</text>`;
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
