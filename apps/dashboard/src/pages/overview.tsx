import {
  Badge,
  Empty,
  Facts,
  Meter,
  Notice,
  Peer,
  PlainPeer,
  Section,
  Waiting,
  Words,
} from '../components/basics.tsx';
import { ConsentButtons } from '../components/consent.tsx';
import { Resources } from '../components/resources.tsx';
import { capital, count, duration, percent, plural } from '../lib/format.ts';
import { useLoaded, useSnapshot } from '../lib/hooks.ts';
import { badgeOf, inOrder, isEnded, needsApproval, staysOut } from '../lib/jobs.ts';
import { jobHref } from '../lib/router.ts';
import type { DataSetView, JobView, NetworkView, Status } from '../lib/types.ts';

export function OverviewPage() {
  const { status, jobs } = useSnapshot();
  if (status === undefined || jobs === undefined) {
    return (
      <>
        <h1>Overview</h1>
        <Waiting />
      </>
    );
  }
  const asked = jobs.filter((job) => needsApproval(job, status.peerId));
  return (
    <>
      <h1>Overview</h1>
      {status.warnings.map((warning) => (
        <Notice key={warning} tone="warn">
          <Words text={capital(warning)} />
        </Notice>
      ))}
      {asked.length > 0 && <Asked jobs={asked} />}
      <div class="grid">
        <div class="stack">
          <ThisPeer status={status} />
          <Running jobs={jobs} self={status.peerId} />
        </div>
        <div class="stack">
          <StaysOut status={status} jobs={jobs} />
          <Section title="Resources" note="What Starling takes of this machine, and may take.">
            <Resources resources={status.resources} />
          </Section>
        </div>
      </div>
    </>
  );
}

function Asked({ jobs }: { readonly jobs: readonly JobView[] }) {
  const { data } = useLoaded<readonly DataSetView[]>('/v1/data');
  const title = `${plural(jobs.length, 'job waits', 'jobs wait')} for your approval`;
  return (
    <Section title={title} wide>
      <ul class="asked">
        {jobs.map((job) => (
          <li key={job.id}>
            <div>
              <a href={jobHref(job.id)}>{job.name}</a>
              <p class="muted">
                From <PlainPeer id={job.launcher} />, {plural(job.roundsWanted, 'round')}.{' '}
                <Words text={capital(job.detail)} />
              </p>
            </div>
            <ConsentButtons job={job} dataSets={data ?? []} />
          </li>
        ))}
      </ul>
    </Section>
  );
}

const REACH: Readonly<Record<NetworkView['reachability'], string>> = {
  public: 'from everywhere',
  local: 'in this network',
  unreachable: 'by its own connections and relays only',
  unknown: 'not known yet',
};

/** It dials around to find out. */
const NETWORK_MS = 300_000;

function ThisPeer({ status }: { readonly status: Status }) {
  const { data: network } = useLoaded<NetworkView>('/v1/network', NETWORK_MS);
  const lost = status.bootstrap.filter(({ state }) => state !== 'connected');
  return (
    <Section title="This peer">
      <Facts
        facts={[
          ['Peer', <Peer key="peer" id={status.peerId} />],
          ['Reachable', network === undefined ? 'asking…' : REACH[network.reachability]],
          ['Peers', `${count(status.peers.length)} connected, ${status.routingTable} in the table`],
          ['Jobs', count(status.jobs)],
          ['Data sets', count(status.dataSets)],
          ['Up for', duration(status.uptimeSeconds)],
          ['Version', status.version],
        ]}
      />
      {lost.map(({ address, error }) => (
        <Notice key={address} tone="warn">
          The bootstrap peer <code class="break">{address}</code> is not connected
          {error === undefined ? '' : `: ${error}`}
        </Notice>
      ))}
      {status.peers.length === 0 && (
        <Notice tone="warn">
          No other peer is connected. <code>starling doctor</code> says what keeps them away.
        </Notice>
      )}
    </Section>
  );
}

function Running(props: { readonly jobs: readonly JobView[]; readonly self: string }) {
  const { jobs, self } = props;
  // Own jobs need nobody's approval: they are looked at for a moment.
  const running = inOrder(jobs).filter((job) => {
    const isOwn = job.standing === 'waiting-for-approval' && job.launcher === self;
    return !isEnded(job) && (isOwn || job.standing === 'participating');
  });
  return (
    <Section title="Taking part" aside={<a href="#/jobs">All jobs</a>}>
      {running.length === 0 && <Empty>In no job at the moment.</Empty>}
      {running.map((job) => (
        <div key={job.id} class="running">
          <div class="running-head">
            <a href={jobHref(job.id)}>{job.name}</a>
            <span class="muted">{capital(job.live?.phase ?? job.phase)}</span>
          </div>
          <Meter
            label={`Accuracy ${percent(job.rounds.at(-1)?.accuracy)}`}
            value={job.rounds.length}
            max={job.roundsWanted}
            text={`${job.rounds.length} of ${plural(job.roundsWanted, 'round')}`}
          />
        </div>
      ))}
    </Section>
  );
}

const PAUSES: Readonly<Record<Status['resources']['paused'][number], string>> = {
  hours: 'It is outside the hours that you set.',
  battery: 'This machine runs on battery.',
  busy: 'Others use this machine.',
  memory: 'Memory is short.',
};

function StaysOut(props: { readonly status: Status; readonly jobs: readonly JobView[] }) {
  const { paused } = props.status.resources;
  const out = props.jobs.filter((job) => staysOut(job) !== undefined);
  return (
    <Section title="Stays out of">
      {paused.map((reason) => (
        <Notice key={reason} tone="warn">
          New rounds: {PAUSES[reason]}
        </Notice>
      ))}
      {out.length === 0 && paused.length === 0 && <Empty>Nothing that it knows of.</Empty>}
      {out.length > 0 && (
        <ul class="list">
          {out.map((job) => (
            <li key={job.id}>
              <div class="running-head">
                <a href={jobHref(job.id)}>{job.name}</a>
                <Badge {...badgeOf(job)} />
              </div>
              <p class="muted">
                <Words text={capital(staysOut(job) ?? '')} />
              </p>
            </li>
          ))}
        </ul>
      )}
    </Section>
  );
}
