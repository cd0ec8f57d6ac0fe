import { bytes, count, decimal, percent } from '../lib/format.ts';
import type { InspectionView } from '../lib/types.ts';
import { Facts, Meter, Notice } from './basics.tsx';
import { Table } from './table.tsx';

/** More would push the rest off the screen; the command line has all. */
const SHOWN_MAX = 40;

/** Data as a job would see them. */
export function InspectionFacts({ found }: { readonly found: InspectionView }) {
  const { columns, notes, problems } = found;
  return (
    <div class="inspection">
      {problems.map((problem) => (
        <Notice key={problem} tone="bad">
          {problem}
        </Notice>
      ))}
      <Facts
        facts={[
          ['Format', `${found.format}, ${bytes(found.bytes)}`],
          ['Task', found.task],
          ['Examples', count(found.examples)],
          ['Shape', found.shape.join(' × ')],
          ['Classes', found.histogram.length === 0 ? 'none' : count(found.histogram.length)],
        ]}
      />
      <Balance found={found} />
      {columns.length > 0 && (
        <Table
          caption="Columns"
          scrolls
          rows={columns.slice(0, SHOWN_MAX)}
          keyOf={({ name }) => name}
          columns={[
            { title: 'Column', cell: ({ name }) => name },
            { title: 'Use', cell: ({ use }) => use },
            { title: 'Type', cell: ({ type }) => type },
            { title: 'Missing', isNumber: true, cell: ({ missing }) => count(missing) },
            { title: 'Least', isNumber: true, cell: ({ min }) => decimal(min) },
            { title: 'Most', isNumber: true, cell: ({ max }) => decimal(max) },
            { title: 'Mean', isNumber: true, cell: ({ mean }) => decimal(mean) },
          ]}
        />
      )}
      {notes.map((note) => (
        <p key={note} class="muted">
          {note}
        </p>
      ))}
    </div>
  );
}

function Balance({ found: { histogram, classes, examples } }: { readonly found: InspectionView }) {
  if (histogram.length === 0) return null;
  const most = Math.max(1, ...histogram);
  return (
    <div class="balance">
      <h3>Examples by class</h3>
      {histogram.slice(0, SHOWN_MAX).map((value, label) => {
        const name = classes?.[label] ?? String(label);
        const text = `${count(value)}, ${percent(value / examples)}`;
        return <Meter key={name} label={name} value={value} max={most} text={text} />;
      })}
    </div>
  );
}
