import type { JobView, LiveRound, Status } from '@starling/control';
import { bytesText, plural, shortHash } from '../output.ts';
import { lengthOf, oneLine } from '../table.ts';
import { bar, timeText } from '../terminal/bar.ts';
import { clockText } from '../terminal/clock.ts';
import { CURVE_ROWS_MIN, curveLines } from './curves.ts';
import type { JobWatch, Notice } from './job-watch.ts';
import { type Look, painter, shownAs } from './look.ts';
import { flow, stepperLines } from './stepper.ts';

/** More does not show more. */
const CURVE_ROWS_MAX = 18;
/** Of the lines that are left over. */
const CURVE_SHARE = 0.7;
/** From here on there is room for blank lines between the parts. */
const AIRY_ROWS = 22;
const BAR_COLUMNS_MAX = 60;

/**
 * One job, for a terminal of a given size: what matters most comes first, and a small one shows
 * less.
 * @param now milliseconds since 1970
 */
export function jobScreen(watch: JobWatch, now: number, look: Look): readonly string[] {
  const { view, status } = watch;
  const air = look.rows >= AIRY_ROWS ? [''] : [];
  const head = [headline(view, look), roundsLine(view, look)];
  const round = roundLines(watch, now, look);
  const machine = [...machineLines(status, look), ...privacyLines(watch, look)];
  const fixed = [...head, ...air, ...round, ...air, ...machine, ...air];
  const left = look.rows - fixed.length;
  const curveRows = Math.min(CURVE_ROWS_MAX, Math.floor(CURVE_SHARE * (left - air.length)));
  const curves = curveRows < CURVE_ROWS_MIN ? [] : curveLines(view, curveRows, look);
  const above = curves.length === 0 ? [] : [...air, ...curves];
  const notices = noticeLines(watch.notices, left - above.length, look);
  const lines = [...head, ...above, ...air, ...round, ...air, ...machine, ...air, ...notices];
  return shownAs(lines.slice(0, look.rows), look);
}

/** Name on the left, standing on the right; the right one gives way. */
function headline({ name, id, standing, detail, launcher }: JobView, look: Look): string {
  const paint = painter(look);
  const title = `${oneLine(name)}  ${shortHash(id)}`;
  const words = oneLine(`${standing.replaceAll('-', ' ')}, ${detail}`);
  const by = `launched by …${launcher.slice(-8)}`;
  const right = [words, `${words}, ${by}`].findLast(
    (text) => lengthOf(title) + 2 + lengthOf(text) <= look.columns,
  );
  const style = standing === 'participating' ? 'green' : 'yellow';
  if (right === undefined) return `${paint('bold', title)}  ${paint(style, words)}`;
  const blanks = ' '.repeat(look.columns - lengthOf(title) - lengthOf(right));
  return `${paint('bold', title)}${blanks}${paint(style, right)}`;
}

function roundsLine(view: JobView, look: Look): string {
  const { rounds, roundsWanted } = view;
  const part = rounds.length / roundsWanted;
  const before = `rounds ${rounds.length}/${roundsWanted} `;
  const after = ` ${Math.floor(100 * part)} %${paceText(view)}`;
  const room = look.columns - before.length - after.length;
  const width = Math.min(BAR_COLUMNS_MAX, room);
  if (width < 5) return `${before}${after.trimStart()}`;
  return `${before}${painter(look)('green', bar(part, width, look.unicode))}${after}`;
}

/** How long rounds take, and how long those will take that are to come. */
export function paceText({ rounds, roundsWanted, secondsPerRound, phase }: JobView): string {
  if (phase === 'finished' || phase === 'cancelled') return `  ${phase}`;
  if (secondsPerRound === null) return '';
  const left = timeText(secondsPerRound * (roundsWanted - rounds.length));
  return `  ${secondsPerRound.toFixed(1)} s a round, ${left} left`;
}

function roundLines({ view }: JobWatch, now: number, look: Look): readonly string[] {
  const { live, progress, phase } = view;
  const paint = painter(look);
  if (live === null) return [paint('dim', `no round goes on here (${oneLine(phase)})`)];
  const again = live.restarts > 0 ? `, restarted ${live.restarts}×` : '';
  const attempt = live.attempt > 0 ? `, attempt ${live.attempt + 1}` : '';
  return [
    `${paint('bold', `round ${live.round}`)}${attempt}${again}`,
    ...stepperLines(live, now, look),
    ...flow(partsOf(live), look.columns),
    ...(progress === null ? [] : [trainingLine(progress, look)]),
  ];
}

/** Who is in the round, and what has gone between them. */
function partsOf({ joined, roster, survivors, cells, chunks, convicted }: LiveRound) {
  const parts: string[] = [];
  if (joined !== null) parts.push(`joined ${joined.joined} of at least ${joined.needed}`);
  if (roster.length > 0) parts.push(`roster ${plural(roster.length, 'peer')}`);
  if (cells.length > 1) parts.push(plural(cells.length, 'cell'));
  if (survivors !== null) parts.push(plural(survivors.length, 'survivor'));
  if (chunks !== null) {
    const { total, sent, summed, fetched } = chunks;
    parts.push(`chunks ${sent}/${total} sent, ${summed} summed, ${fetched} fetched`);
  }
  if (convicted.length > 0) parts.push(plural(convicted.length, 'proven liar'));
  return parts;
}

type Progress = NonNullable<JobView['progress']>;

function trainingLine({ step, steps, examplesPerSecond, secondsLeft }: Progress, look: Look) {
  const part = steps === 0 ? 0 : step / steps;
  const speed = Math.round(examplesPerSecond).toLocaleString('en');
  const after = ` ${Math.floor(100 * part)} %  ${speed} examples/s  ${timeText(secondsLeft)} left`;
  const width = Math.min(BAR_COLUMNS_MAX, look.columns - 'training '.length - after.length);
  const shown = width < 5 ? '' : painter(look)('cyan', bar(part, width, look.unicode));
  return `training ${shown}${after}`;
}

/** What goes over the network, and whether the machine's owner has it pause. */
function machineLines(status: Status | null, look: Look): readonly string[] {
  if (status === null) return [];
  const { peers, resources } = status;
  const { upload, download, paused } = resources;
  const pace = ({ perSecond, total }: typeof upload) =>
    `${bytesText(perSecond)}/s (${bytesText(total)})`;
  const parts = [
    `${plural(peers.length, 'peer')} connected`,
    `up ${pace(upload)}`,
    `down ${pace(download)}`,
  ];
  const pause = `takes part in no new rounds: ${paused.join(', ')}`;
  const paint = painter(look);
  return [...flow(parts, look.columns), ...(paused.length > 0 ? [paint('yellow', pause)] : [])];
}

/** What the data have given away in all, where this job takes something of it. */
function privacyLines({ view, privacy }: JobWatch, look: Look): readonly string[] {
  const charged = privacy?.datasets.filter(({ jobs }) => jobs.some(({ job }) => job === view.id));
  return (charged ?? []).map(({ dataset, epsilon, delta, budget }) => {
    const most = budget === null ? '' : ` of ${budget.epsilon}`;
    const text = `privacy: ${oneLine(dataset)} gave away epsilon ${epsilon.toFixed(2)}${most}`;
    return painter(look)('magenta', `${text} at delta ${delta}`);
  });
}

const STYLES = { plain: 'dim', good: 'green', bad: 'yellow' } as const;

/** The newest at the bottom, as many as there is room for. */
function noticeLines(notices: readonly Notice[], rows: number, look: Look): readonly string[] {
  if (rows <= 0) return [];
  const paint = painter(look);
  return notices.slice(-rows).map(({ at, text, tone }) => {
    const time = at === undefined ? '' : `${clockText(at)}  `;
    return `${paint('dim', time)}${paint(STYLES[tone], text)}`;
  });
}
