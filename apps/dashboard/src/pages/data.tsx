import { useState } from 'preact/hooks';
import { AddData } from '../components/add-data.tsx';
import { Confirm, Empty, Failure, Section, Waiting } from '../components/basics.tsx';
import { Table } from '../components/table.tsx';
import { count, plural } from '../lib/format.ts';
import { useAction, useLoaded, useServices } from '../lib/hooks.ts';
import type { DataSetView } from '../lib/types.ts';

const POLL_MS = 10_000;

export function DataPage() {
  const { data, failure, reload } = useLoaded<readonly DataSetView[]>('/v1/data', POLL_MS);
  return (
    <>
      <h1>Data</h1>
      <p class="lead">Data sets that this machine offers to jobs. Their files never leave it.</p>
      <Failure text={failure} />
      <Section title="Offered" wide>
        {data === undefined && failure === undefined && <Waiting />}
        {data?.length === 0 && <Empty>None yet: this peer relays and watches.</Empty>}
        {data !== undefined && data.length > 0 && <Offered dataSets={data} reload={reload} />}
      </Section>
      <AddData added={reload} />
    </>
  );
}

export const shapeText = (shape: readonly number[]): string => shape.join(' × ');

function targetText({ target, classes }: Pick<DataSetView, 'target' | 'classes'>): string {
  if (target === 'classes') return plural(classes, 'class', 'classes');
  return target === 'sequence' ? `sequence of ${classes} tokens` : target;
}

function Offered(props: {
  readonly dataSets: readonly DataSetView[];
  readonly reload: () => void;
}) {
  return (
    <Table
      caption="Data sets offered"
      rows={props.dataSets}
      keyOf={({ name }) => name}
      columns={[
        { title: 'Name', cell: ({ name }) => name },
        { title: 'Task', cell: ({ task }) => task },
        { title: 'Format', cell: ({ format }) => format },
        { title: 'Examples', isNumber: true, cell: ({ examples }) => count(examples) },
        { title: 'Shape', cell: ({ shape, dtype }) => `${shapeText(shape)} ${dtype}` },
        { title: 'Targets', cell: targetText },
        { title: 'Path', cell: ({ path }) => <code class="break">{path}</code> },
        { title: 'Remove', cell: (set) => <Remove dataSet={set} removed={props.reload} /> },
      ]}
    />
  );
}

function Remove(props: { readonly dataSet: DataSetView; readonly removed: () => void }) {
  const { name, path } = props.dataSet;
  const { api } = useServices();
  const { isRunning, failure, run } = useAction();
  const [isAsking, setAsking] = useState(false);
  const remove = () =>
    run(async () => {
      await api.send('DELETE', `/v1/data/${encodeURIComponent(name)}`);
      props.removed();
    });
  return (
    <>
      <button type="button" class="button" disabled={isRunning} onClick={() => setAsking(true)}>
        Remove<span class="hidden"> {name}</span>
      </button>
      {isAsking && (
        <Confirm
          title={`Offer ${name} no longer?`}
          action="Remove it"
          onClose={() => setAsking(false)}
          onConfirm={() => void remove()}
        >
          <p>
            Its files stay in <code class="break">{path}</code>. What it has given away stays
            counted.
          </p>
        </Confirm>
      )}
      <Failure text={failure} />
    </>
  );
}
