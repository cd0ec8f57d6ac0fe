import type { JobView, Status } from '@starling/control';
import { bytesText, decimal, percent, plural, shortHash } from '../output.ts';
import { type Column, formatTable } from '../table.ts';
import { bar, timeText } from '../terminal/bar.ts';
import { type Look, painter, shownAs } from './look.ts';

const BAR_COLUMNS = 12;
/** Below this a job's name must do. */
const ID_COLUMNS = 100;

/** All jobs of a daemon, one line each; those that run stand before those that have ended. */
export function jobsScreen(
  jobs: readonly JobView[],
  status: Status | null,
  look: Look,
): readonly string[] {
  const paint = painter(look);
  const head = paint('bold', headText(jobs, status));
  if (jobs.length === 0) return [head, '', 'no jobs are known here'];
  const sorted = jobs.toSorted((a, b) => Number(isOver(a)) - Number(isOver(b)));
  const [titles, ...lines] = formatTable(columnsFor(look), sorted, look.columns);
  const room = Math.max(0, look.rows - 4);
  const more = lines.length - room;
  const shown = [
    ...[head, '', paint('dim', titles!)],
    ...lines.slice(0, room).map((line, i) => (isOver(sorted[i]!) ? paint('dim', line) : line)),
    ...(more > 0 ? [paint('dim', `and ${plural(more, 'job')} more`)] : []),
  ];
  return shownAs(shown.slice(0, look.rows), look);
}

const isOver = ({ phase }: JobView): boolean => phase === 'finished' || phase === 'cancelled';

function headText(jobs: readonly JobView[], status: Status | null): string {
  const known = plural(jobs.length, 'job');
  if (status === null) return known;
  const { peers, resources } = status;
  const { upload, download } = resources;
  const pace = `up ${bytesText(upload.perSecond)}/s  down ${bytesText(download.perSecond)}/s`;
  return `${known}  ${plural(peers.length, 'peer')} connected  ${pace}`;
}

const columnsFor = ({ unicode, columns }: Look): readonly Column<JobView>[] => [
  ...(columns < ID_COLUMNS ? [] : [{ title: 'JOB', value: ({ id }: JobView) => shortHash(id) }]),
  { title: 'NAME', value: ({ name }) => name, flexible: true },
  { title: 'NOW', value: nowText, flexible: true },
  {
    title: 'ROUNDS',
    value: ({ rounds, roundsWanted }) => {
      const part = bar(rounds.length / roundsWanted, BAR_COLUMNS, unicode);
      return `${part} ${rounds.length}/${roundsWanted}`;
    },
  },
  { title: 'LOSS', value: ({ rounds }) => decimal(rounds.at(-1)?.loss ?? null), align: 'right' },
  {
    title: 'ACCURACY',
    value: ({ rounds }) => percent(rounds.at(-1)?.accuracy ?? null),
    align: 'right',
  },
  {
    title: 'LEFT',
    value: ({ rounds, roundsWanted, secondsPerRound, phase }) =>
      secondsPerRound === null || phase === 'finished' || phase === 'cancelled'
        ? ''
        : timeText(secondsPerRound * (roundsWanted - rounds.length)),
    align: 'right',
  },
];

/** The phase of a round that goes on; else how the job stands. */
function nowText({ live, phase, standing, progress }: JobView): string {
  if (phase === 'finished' || phase === 'cancelled') return phase;
  if (standing !== 'participating') return standing.replaceAll('-', ' ');
  if (live === null) return phase;
  if (live.phase !== 'training' || progress === null) return live.phase;
  return `training ${Math.floor((100 * progress.step) / Math.max(1, progress.steps))} %`;
}
