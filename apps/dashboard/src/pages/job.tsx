import {
  Badge,
  Empty,
  Facts,
  Failure,
  Hash,
  Notice,
  Peer,
  Scrolled,
  Section,
  Waiting,
  Words,
} from '../components/basics.tsx';
import { ConsentButtons, LeaveButton } from '../components/consent.tsx';
import { PrivacySection } from '../components/guarantee.tsx';
import { LiveRoundSection } from '../components/live-round.tsx';
import { ModelCard } from '../components/model-card.tsx';
import { ChainSection, CurvesSection } from '../components/rounds.tsx';
import { Table } from '../components/table.tsx';
import { Tree } from '../components/tree.tsx';
import { capital, decimal, duration, percent, plural } from '../lib/format.ts';
import { useLoaded, useSnapshot } from '../lib/hooks.ts';
import { badgeOf, isEnded, needsApproval, secondsLeft } from '../lib/jobs.ts';
import type { DataSetView, JobView, ManifestView } from '../lib/types.ts';

export function JobPage({ id }: { readonly id: string }) {
  const { jobs } = useSnapshot();
  const job = jobs?.find((each) => each.id === id);
  if (job !== undefined) return <Job job={job} />;
  return (
    <>
      <h1>Job</h1>
      {jobs === undefined ? <Waiting /> : <Empty>This daemon knows no such job.</Empty>}
    </>
  );
}

function Job({ job }: { readonly job: JobView }) {
  const manifest = useLoaded<ManifestView>(`/v1/jobs/${encodeURIComponent(job.id)}/manifest`);
  return (
    <>
      <div class="page-head">
        <h1>
          {job.name} <Badge {...badgeOf(job)} />
        </h1>
        <Actions job={job} />
      </div>
      {needsApproval(job) && (
        <Notice tone="warn">
          <Words text={capital(job.detail)} />
        </Notice>
      )}
      <Headline job={job} />
      {!isEnded(job) && <LiveRoundSection job={job} />}
      <CurvesSection rounds={job.rounds} />
      <div class="grid">
        <ModelCard job={job} manifest={manifest.data} />
        <div class="stack">
          <PrivacySection privacy={job.privacy} />
          <Suspects suspects={job.suspects} />
          <Log id={job.id} />
        </div>
      </div>
      <ChainSection job={job} />
      <Section title="Manifest" note="What every peer agreed to, signed by the launcher." wide>
        <Failure text={manifest.failure} />
        {manifest.data !== undefined && <Manifest manifest={manifest.data} />}
      </Section>
    </>
  );
}

function Actions({ job }: { readonly job: JobView }) {
  const { status } = useSnapshot();
  const { data } = useLoaded<readonly DataSetView[]>('/v1/data');
  if (isEnded(job)) return null;
  const isOwn = status?.peerId === job.launcher;
  const mayApprove = job.standing !== 'participating';
  return (
    <div class="actions">
      {mayApprove && <ConsentButtons job={job} dataSets={data ?? []} />}
      {job.standing === 'participating' && <LeaveButton job={job} word="refuse" />}
      {isOwn && <LeaveButton job={job} word="cancel" />}
    </div>
  );
}

/** What is looked for, and behind it everything. */
function Manifest({ manifest }: { readonly manifest: ManifestView }) {
  const { data, loss, training, aggregation, privacy, admission, stop } = manifest;
  const { learningRate, batchSize } = training;
  const epochs = plural(training.epochs, 'epoch');
  const ends = [
    plural(stop.rounds, 'round'),
    ...(stop.minutes === null ? [] : [plural(stop.minutes, 'minute')]),
    ...(stop.target === null ? [] : [`${stop.target.metric} ${stop.target.value}`]),
  ];
  return (
    <>
      <Facts
        facts={[
          [
            'Data',
            `${data.task}: ${data.inputShape.join(' × ')} ${data.inputType}, ${data.target}`,
          ],
          ['Loss', loss],
          [
            'Training',
            `${training.optimizer} at ${learningRate}, ${epochs} of ${batchSize} a batch`,
          ],
          ['Aggregation', `${aggregation.algorithm}, ${aggregation.weighting} weights`],
          ['Noise', privacy.mechanism],
          ['Peers', `${admission.minPeers} to ${admission.maxPeers}`],
          ['Stops after', ends.join(' or ')],
          ['Model', <Hash key="model" value={manifest.model.hash} what="model" />],
        ]}
      />
      <details>
        <summary>All of the manifest</summary>
        <Tree value={manifest} />
      </details>
    </>
  );
}

/** The numbers that are looked for first. */
function Headline({ job }: { readonly job: JobView }) {
  const last = job.rounds.at(-1);
  const numbers = [
    ['Rounds', `${job.rounds.length} / ${job.roundsWanted}`],
    ['Accuracy', percent(last?.accuracy)],
    ['Loss', decimal(last?.loss)],
    ['In the last sum', last === undefined ? '–' : `${last.survivors} of ${last.participants}`],
    ['A round takes', duration(job.secondsPerRound)],
    ['Left', duration(secondsLeft(job))],
  ] as const;
  return (
    <section class="card card-wide" aria-label="In short">
      <dl class="headline">
        {numbers.map(([name, value]) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd>{value}</dd>
          </div>
        ))}
      </dl>
      <Facts
        facts={[
          ['Job', <Hash key="job" value={job.id} what="job id" />],
          ['Launched by', <Peer key="launcher" id={job.launcher} />],
          ['Here', <Words key="here" text={job.detail || badgeOf(job).text} />],
        ]}
      />
    </section>
  );
}

function Suspects({ suspects }: Pick<JobView, 'suspects'>) {
  return (
    <Section
      title="Suspects"
      note="Peers that were in cells whose sums somebody spoilt, the likeliest first."
    >
      {suspects.length === 0 && <Empty>None.</Empty>}
      {suspects.length > 0 && (
        <Table
          caption="Suspects"
          rows={suspects}
          keyOf={({ peer }) => peer}
          columns={[
            { title: 'Peer', cell: ({ peer }) => <Peer id={peer} /> },
            { title: 'Spoilt', isNumber: true, cell: ({ spoilt }) => spoilt },
            { title: 'Rounds', isNumber: true, cell: ({ rounds }) => rounds },
          ]}
        />
      )}
    </Section>
  );
}

const clock = new Intl.DateTimeFormat('en-GB', { timeStyle: 'medium' });

function Log({ id }: { readonly id: string }) {
  const lines = useSnapshot().logs.get(id) ?? [];
  return (
    <Section title="Log" note="Since this page was opened, the newest first.">
      {lines.length === 0 && <Empty>Nothing yet.</Empty>}
      {lines.length > 0 && (
        <Scrolled label="Lines of the log" name="log">
          <ol>
            {lines.map(({ at, kind, text }, i) => (
              <li key={lines.length - i} class={`log-${kind}`}>
                <time>{clock.format(at)}</time> <Words text={text} />
              </li>
            ))}
          </ol>
        </Scrolled>
      )}
    </Section>
  );
}
