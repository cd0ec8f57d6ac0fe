import { Address, Facts, Failure, Section, Waiting } from '../components/basics.tsx';
import { Resources } from '../components/resources.tsx';
import { Table } from '../components/table.tsx';
import { Tree } from '../components/tree.tsx';
import { bytes, count, decimal } from '../lib/format.ts';
import { useLoaded, useSnapshot } from '../lib/hooks.ts';
import type { PolicyView, Status } from '../lib/types.ts';

export function SettingsPage() {
  const { status } = useSnapshot();
  const policy = useLoaded<PolicyView>('/v1/policy');
  return (
    <>
      <h1>Settings</h1>
      <div class="grid">
        <Section
          title="Policy"
          note="What this peer lets in. Change it with: starling policy set KEY VALUE"
        >
          <Failure text={policy.failure} />
          {policy.data === undefined && policy.failure === undefined && <Waiting />}
          {policy.data !== undefined && <Policy policy={policy.data} />}
        </Section>
        <div class="stack">
          <Section
            title="Resources"
            note="Caps are those of the configuration file, and hold from the daemon's start."
          >
            {status === undefined ? <Waiting /> : <Resources resources={status.resources} />}
          </Section>
          {status !== undefined && (
            <Section title="Daemon">
              <Facts
                facts={[
                  ['Version', status.version],
                  ['Process', String(status.pid)],
                  [
                    'State directory',
                    <code key="state" class="break">
                      {status.stateDirectory}
                    </code>,
                  ],
                  ['Addresses', <Addresses key="addresses" of={status.addresses} />],
                  ['Event loop held up', `${decimal(status.eventLoopDelayMs.p99, 3)} ms of late`],
                  [
                    'Container',
                    status.resources.container.memory === null
                      ? 'no limit'
                      : bytes(status.resources.container.memory),
                  ],
                ]}
              />
            </Section>
          )}
        </div>
      </div>
      {status !== undefined && status.events.length > 0 && <Sinks sinks={status.events} />}
    </>
  );
}

const Sinks = ({ sinks }: { readonly sinks: Status['events'] }) => (
  <Section title="Events" note="Where this daemon tells other systems what happens." wide>
    <Table
      caption="Where events go"
      rows={sinks}
      keyOf={({ name }) => name}
      columns={[
        { title: 'Name', cell: ({ name }) => name },
        { title: 'Kind', cell: ({ kind }) => kind },
        { title: 'Target', cell: ({ target }) => <code class="break">{target}</code> },
        { title: 'State', cell: ({ state, lastError }) => `${state}${because(lastError)}` },
        { title: 'Behind', isNumber: true, cell: ({ behind }) => count(behind) },
        { title: 'Delivered', isNumber: true, cell: ({ delivered }) => count(delivered) },
        { title: 'Set aside', isNumber: true, cell: ({ setAside }) => count(setAside) },
        { title: 'Missed', isNumber: true, cell: ({ missed }) => count(missed) },
      ]}
    />
  </Section>
);

const because = (reason: string | null): string => (reason === null ? '' : `: ${reason}`);

function Policy({ policy: { set, ...policy } }: { readonly policy: PolicyView }) {
  return (
    <>
      <p>
        {set.length === 0
          ? 'All of it is as the configuration file says.'
          : `Set here, before the configuration file: ${set.join(', ')}.`}
      </p>
      <Tree value={policy} />
    </>
  );
}

const Addresses = ({ of }: { readonly of: readonly string[] }) => (
  <ul class="plain">
    {of.map((address) => (
      <li key={address}>
        <Address of={address} />
      </li>
    ))}
  </ul>
);
