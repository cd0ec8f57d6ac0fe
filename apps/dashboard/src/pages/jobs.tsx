import { Badge, Empty, Meter, Waiting } from '../components/basics.tsx';
import { Table } from '../components/table.tsx';
import { duration, percent, plural, words } from '../lib/format.ts';
import { useSnapshot } from '../lib/hooks.ts';
import { badgeOf, inOrder, isEnded, secondsLeft } from '../lib/jobs.ts';
import { jobHref } from '../lib/router.ts';
import type { JobView } from '../lib/types.ts';

export function JobsPage() {
  const { jobs } = useSnapshot();
  return (
    <>
      <div class="page-head">
        <h1>Jobs</h1>
        <a class="button button-main" href="#/launch">
          Launch a job
        </a>
      </div>
      {jobs === undefined && <Waiting />}
      {jobs?.length === 0 && (
        <Empty>
          No job is known here yet. Those of other peers show up by themselves; you may launch one.
        </Empty>
      )}
      {jobs !== undefined && jobs.length > 0 && (
        <section class="card card-wide" aria-label="Jobs">
          <JobTable jobs={inOrder(jobs)} />
        </section>
      )}
    </>
  );
}

const peersOf = ({ rounds }: JobView): string => {
  const last = rounds.at(-1);
  return last === undefined ? '–' : `${last.survivors} of ${last.participants}`;
};

const JobTable = ({ jobs }: { readonly jobs: readonly JobView[] }) => (
  <Table
    caption={plural(jobs.length, 'job')}
    rows={jobs}
    keyOf={({ id }) => id}
    columns={[
      { title: 'Name', cell: ({ id, name }) => <a href={jobHref(id)}>{name}</a> },
      { title: 'Standing', cell: (job) => <Badge {...badgeOf(job)} /> },
      {
        title: 'Phase',
        cell: (job) => words(isEnded(job) ? job.phase : (job.live?.phase ?? job.phase)),
      },
      {
        title: 'Rounds',
        cell: ({ rounds, roundsWanted }) => (
          <Meter
            label="Rounds"
            value={rounds.length}
            max={roundsWanted}
            text={`${rounds.length}/${roundsWanted}`}
          />
        ),
      },
      { title: 'Accuracy', isNumber: true, cell: ({ rounds }) => percent(rounds.at(-1)?.accuracy) },
      { title: 'In the sum', isNumber: true, cell: peersOf },
      { title: 'Left', isNumber: true, cell: (job) => duration(secondsLeft(job)) },
    ]}
  />
);
