import { useState } from 'preact/hooks';
import {
  Address,
  Empty,
  Facts,
  Failure,
  Notice,
  Peer,
  Section,
  Waiting,
  Words,
} from '../components/basics.tsx';
import { MapOfPeers } from '../components/map.tsx';
import { Table } from '../components/table.tsx';
import { capital, plural, words } from '../lib/format.ts';
import { useLoaded, useSnapshot } from '../lib/hooks.ts';
import { type Link, type Neighbour, neighboursOf } from '../lib/swarm-map.ts';
import type { MemberView, PeersView, SwarmView } from '../lib/types.ts';

const POLL_MS = 5_000;

const LINK_TEXT: Readonly<Record<Link, string>> = {
  direct: 'direct',
  relayed: 'through a relay',
  lost: 'unreachable',
};

export function SwarmPage() {
  const { status } = useSnapshot();
  const peers = useLoaded<PeersView>('/v1/peers', POLL_MS);
  const swarm = useLoaded<SwarmView>('/v1/swarm', POLL_MS);
  const [chosen, setChosen] = useState<string>();
  return (
    <>
      <h1>Swarm</h1>
      <Failure text={peers.failure ?? swarm.failure} />
      {swarm.data?.warnings.map((warning) => (
        <Notice key={warning} tone="warn">
          <Words text={capital(warning)} />
        </Notice>
      ))}
      <div class="grid">
        <div class="stack">
          <Section title="Map">
            {peers.data === undefined || status === undefined ? (
              <Waiting />
            ) : (
              <MapOfPeers
                self={status.peerId}
                neighbours={neighboursOf(peers.data)}
                chosen={chosen}
              />
            )}
          </Section>
          {swarm.data !== undefined && <About swarm={swarm.data} />}
        </div>
        <div class="stack">
          <Section title="Peers">
            {peers.data === undefined ? (
              <Waiting />
            ) : (
              <Peers peers={neighboursOf(peers.data)} choose={setChosen} />
            )}
          </Section>
          {swarm.data !== undefined && <Refused swarm={swarm.data} />}
        </div>
      </div>
      {swarm.data !== undefined && swarm.data.kind !== 'named' && <Members />}
    </>
  );
}

function Peers(props: {
  readonly peers: readonly Neighbour[];
  readonly choose: (peer: string | undefined) => void;
}) {
  const { peers, choose } = props;
  if (peers.length === 0) {
    return (
      <Empty>
        Nobody yet. <code>starling doctor</code> says what keeps others away.
      </Empty>
    );
  }
  return (
    // biome-ignore lint/a11y/noStaticElementInteractions: the map shows what is read here
    <div class="scroll-y" onMouseLeave={() => choose(undefined)}>
      <Table
        caption="Peers that this one knows"
        rows={peers}
        keyOf={({ peer }) => peer}
        columns={[
          {
            title: 'Peer',
            cell: ({ peer }) => (
              // biome-ignore lint/a11y/noStaticElementInteractions: as above
              <span onMouseEnter={() => choose(peer)}>
                <Peer id={peer} />
              </span>
            ),
          },
          { title: 'Link', cell: ({ link }) => LINK_TEXT[link] },
          {
            title: 'Latency',
            isNumber: true,
            cell: ({ latencyMs }) => (latencyMs === null ? '–' : `${Math.round(latencyMs)} ms`),
          },
          {
            title: 'Address',
            cell: ({ address, detail }) =>
              address === null ? (
                <span class="break">
                  <Words text={detail} />
                </span>
              ) : (
                <Address of={address} />
              ),
          },
        ]}
      />
    </div>
  );
}

function About({ swarm }: { readonly swarm: SwarmView }) {
  const isNamed = swarm.kind === 'named';
  return (
    <Section title="This swarm">
      <Facts
        facts={[
          ['Name', swarm.name],
          ['Kind', isNamed ? 'whoever knows the name of the network' : swarm.kind],
          ['Network', swarm.network],
          ...(isNamed
            ? []
            : ([
                ['Role', swarm.role ?? '–'],
                ['Standing', swarm.standing],
                ['Members', `${swarm.members}, ${swarm.connected} connected`],
                ['Admins', `${swarm.admins.length}, ${swarm.threshold} must agree`],
                ['Pre-shared key', swarm.preSharedKey ? 'yes' : 'no'],
              ] as const)),
        ]}
      />
    </Section>
  );
}

function Refused({ swarm }: { readonly swarm: SwarmView }) {
  const refused = Object.entries(swarm.refused).filter(([, times]) => times > 0);
  return (
    <Section title="Refused" note="Since this daemon started.">
      {refused.length === 0 && swarm.refusedBy.length === 0 && <Empty>Nobody.</Empty>}
      <ul class="list">
        {refused.map(([reason, times]) => (
          <li key={reason}>
            {plural(times, 'attempt')} of others: {words(reason)}
          </li>
        ))}
        {swarm.refusedBy.map(({ peer, reason }) => (
          <li key={peer}>
            <Peer id={peer} /> does not let this peer in: {reason}
          </li>
        ))}
      </ul>
    </Section>
  );
}

function Members() {
  const { data, failure } = useLoaded<readonly MemberView[]>('/v1/swarm/members', POLL_MS);
  return (
    <Section title="Members" wide>
      <Failure text={failure} />
      {data !== undefined && (
        <Table
          caption="Members of this swarm"
          rows={data}
          keyOf={({ peer }) => peer}
          columns={[
            { title: 'Member', cell: ({ peer }) => <Peer id={peer} /> },
            { title: 'Role', cell: ({ role, self }) => (self ? `${role} (this peer)` : role) },
            { title: 'Standing', cell: ({ standing }) => words(standing) },
            {
              title: 'Connected',
              cell: ({ connected, self }) => (connected || self ? 'yes' : 'no'),
            },
            { title: 'Until', cell: ({ memberUntil }) => memberUntil?.slice(0, 10) ?? 'no end' },
          ]}
        />
      )}
    </Section>
  );
}
