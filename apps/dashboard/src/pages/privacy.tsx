import { Badge, Empty, Facts, Failure, Meter, Section, Waiting } from '../components/basics.tsx';
import { Table } from '../components/table.tsx';
import { decimal, plural, shortHash } from '../lib/format.ts';
import { useLoaded } from '../lib/hooks.ts';
import { jobHref } from '../lib/router.ts';
import type { PrivacyView } from '../lib/types.ts';

type DataSetPrivacy = PrivacyView['datasets'][number];

const POLL_MS = 10_000;

export function PrivacyPage() {
  const { data, failure } = useLoaded<PrivacyView>('/v1/privacy', POLL_MS);
  return (
    <>
      <h1>Privacy</h1>
      <p class="lead">
        What your data sets have given away, and what they may. A job with noise spends a part of
        the budget with each update; when it is spent, this peer only watches.
      </p>
      <Failure text={failure} />
      {data === undefined && failure === undefined && <Waiting />}
      {data?.datasets.length === 0 && (
        <Empty>
          No data set is offered here. <a href="#/data">Add one</a>
        </Empty>
      )}
      {data?.datasets.map((each) => (
        <Budget key={each.dataset} of={each} />
      ))}
    </>
  );
}

function Budget({ of }: { readonly of: DataSetPrivacy }) {
  const { dataset, budget, epsilon, delta, left, jobs, examples } = of;
  const spent = decimal(epsilon, 3);
  const isSpent = left !== null && left.epsilon <= 0;
  return (
    <Section title={dataset} aside={isSpent ? <Badge text="spent" tone="warn" /> : undefined} wide>
      {budget === null ? (
        <p class="muted">
          No budget is set: jobs without noise may use it. Epsilon {spent} is spent at delta{' '}
          {decimal(delta, 2)}.
        </p>
      ) : (
        <Meter
          isCap
          label={`Epsilon at delta ${decimal(budget.delta, 2)}`}
          value={epsilon}
          max={budget.epsilon}
          text={`${spent} of ${decimal(budget.epsilon, 3)}, ${decimal(left?.epsilon, 3)} left`}
        />
      )}
      {jobs.length === 0 ? (
        <Empty>No job has taken anything yet.</Empty>
      ) : (
        <Table
          caption={`What jobs took of ${dataset}`}
          rows={jobs}
          keyOf={({ job }) => job}
          columns={[
            {
              title: 'Job',
              cell: ({ job, name }) => <a href={jobHref(job)}>{name ?? shortHash(job)}</a>,
            },
            { title: 'Updates', isNumber: true, cell: ({ updates }) => updates },
            { title: 'Epsilon alone', isNumber: true, cell: (row) => decimal(row.epsilon, 3) },
            { title: 'Rho', isNumber: true, cell: ({ rho }) => decimal(rho, 3) },
          ]}
        />
      )}
      {examples !== null && <Examples examples={examples} />}
    </Section>
  );
}

function Examples({ examples }: { readonly examples: NonNullable<DataSetPrivacy['examples']> }) {
  const { noise, trainings, epsilon } = examples;
  const numbers = noise && [decimal(noise.noiseMultiplier), decimal(noise.clippingNorm)];
  return (
    <Facts
      facts={[
        ['Single examples', `epsilon ${decimal(epsilon, 3)} in ${plural(trainings, 'training')}`],
        ['Noise in training', numbers ? `multiplier ${numbers.join(', norm ')}` : 'none any more'],
      ]}
    />
  );
}
