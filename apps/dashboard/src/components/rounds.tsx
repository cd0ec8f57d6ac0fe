import { useMemo, useState } from 'preact/hooks';
import { curvesOf, hasValues } from '../lib/curves.ts';
import { count, decimal, percent, plural } from '../lib/format.ts';
import type { JobView, Round } from '../lib/types.ts';
import { Empty, Hash, Section } from './basics.tsx';
import { Chart } from './chart.tsx';
import { Table } from './table.tsx';

/** More make the page slow, and are seldom read. */
const ROWS_MAX = 100;
const SHARE_DIGITS = 0;
const CURVES_NOTE =
  "Loss and accuracy are of a round's first model, over all survivors' validation data.";

/** How the model and the swarm did, round by round. */
export function CurvesSection({ rounds }: { readonly rounds: readonly Round[] }) {
  const curves = useMemo(() => curvesOf(rounds), [rounds]);
  if (rounds.length === 0) {
    return (
      <Section title="Curves" wide>
        <Empty>They begin with the first certificate.</Empty>
      </Section>
    );
  }
  const { loss, accuracy, participants, survivors } = curves;
  return (
    <Section title="Curves" note={CURVES_NOTE} wide>
      <div class="charts">
        {hasValues(loss) && (
          <Chart
            title="Loss by round"
            rounds={curves.rounds}
            curves={[{ ...loss, colour: '--curve-1' }]}
            format={(value) => decimal(value, 3)}
          />
        )}
        {hasValues(accuracy) && (
          <Chart
            title="Accuracy by round"
            rounds={curves.rounds}
            curves={[{ ...accuracy, colour: '--curve-1' }]}
            format={(value) => percent(value, value < 1 && value > 0.95 ? 1 : SHARE_DIGITS)}
          />
        )}
        <Chart
          title="Peers by round"
          rounds={curves.rounds}
          curves={[
            { ...participants, colour: '--curve-2', dash: [6, 4] },
            { ...survivors, colour: '--curve-1' },
          ]}
          format={(value) => String(Math.round(value))}
          from={0}
        />
      </div>
    </Section>
  );
}

/** Newest first, so that a long job needs no scrolling. */
export function ChainSection({ job }: { readonly job: JobView }) {
  const [isWhole, setWhole] = useState(false);
  const left = isWhole ? 0 : Math.max(0, job.rounds.length - ROWS_MAX);
  const rows = job.rounds.slice(left).reverse();
  return (
    <Section
      title="Certificates"
      note="Each is a quorum's signatures over the new state, and names the one before it."
      wide
    >
      {rows.length === 0 && <Empty>None yet.</Empty>}
      {rows.length > 0 && (
        <div class="scroll-y">
          <Table
            caption="Certificates of this job, the newest first"
            scrolls
            rows={rows}
            keyOf={({ certificate }) => certificate}
            columns={[
              { title: 'Round', cell: ({ round }) => round },
              { title: 'Loss', isNumber: true, cell: ({ loss }) => decimal(loss) },
              { title: 'Accuracy', isNumber: true, cell: ({ accuracy }) => percent(accuracy) },
              {
                title: 'In the sum',
                isNumber: true,
                cell: ({ survivors, participants }) => `${survivors} of ${participants}`,
              },
              { title: 'Examples', isNumber: true, cell: ({ examples }) => count(examples) },
              { title: 'Attempt', isNumber: true, cell: attemptText },
              { title: 'Settled', cell: ({ settled }) => (settled ? 'settled' : 'provisional') },
              { title: 'State', cell: ({ stateHash }) => <Hash value={stateHash} what="state" /> },
              {
                title: 'Certificate',
                cell: ({ certificate }) => <Hash value={certificate} what="certificate" />,
              },
            ]}
          />
        </div>
      )}
      {left > 0 && (
        <div class="actions">
          <button type="button" class="button" onClick={() => setWhole(true)}>
            Show {plural(left, 'earlier one')}
          </button>
        </div>
      )}
    </Section>
  );
}

const attemptText = ({ attempt, restarts }: Round): string =>
  restarts === 0 ? String(attempt + 1) : `${attempt + 1}, anew ${restarts}×`;
