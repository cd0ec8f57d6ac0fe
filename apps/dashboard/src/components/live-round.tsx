import { duration, plural } from '../lib/format.ts';
import { useNow } from '../lib/hooks.ts';
import { type Participant, participantsOf, type Step, stepsOf } from '../lib/live.ts';
import type { JobView, LiveRound } from '../lib/types.ts';
import { Empty, Meter, Notice, Peer, PlainPeer, Section, Words } from './basics.tsx';
import { Icon } from './icons.tsx';

/** The round that goes on: where it is, who is in it, and what went wrong. */
export function LiveRoundSection({ job }: { readonly job: JobView }) {
  const { live } = job;
  if (live === null) {
    return (
      <Section title="Live round" wide>
        <Empty>No round goes on here at the moment.</Empty>
      </Section>
    );
  }
  const { round, attempt, restarts } = live;
  const anew = restarts === 0 ? '' : `, trained anew ${plural(restarts, 'time')}`;
  return (
    <Section
      title={`Live round ${round} of ${job.roundsWanted}`}
      aside={<span class="muted">{`attempt ${attempt + 1}${anew}`}</span>}
      wide
    >
      <Steps live={live} />
      <div class="grid grid-inner">
        <Numbers job={job} live={live} />
        <Roster live={live} />
      </div>
      <Troubles live={live} />
    </Section>
  );
}

const SECOND = 1000;

function Steps({ live }: { readonly live: LiveRound }) {
  const now = useNow(SECOND, true);
  return (
    <ol class="steps" aria-label="Phases of this round">
      {stepsOf(live, now).map((step) => (
        <StepItem key={step.phase} step={step} />
      ))}
    </ol>
  );
}

const STATES: Readonly<Record<Step['state'], string>> = {
  done: 'done',
  now: 'going on',
  ahead: 'to come',
  skipped: 'passed unseen',
};

const StepItem = ({ step: { name, what, state, seconds } }: { readonly step: Step }) => (
  <li
    class={`step step-${state}`}
    aria-current={state === 'now' ? 'step' : undefined}
    title={`${name}: ${what}`}
  >
    <span class="step-mark">{state === 'done' && <Icon name="done" />}</span>
    <span class="step-name">
      {name}
      <span class="hidden">, {STATES[state]}</span>
    </span>
    <span class="step-time">{seconds === null ? '' : duration(seconds)}</span>
  </li>
);

function Numbers({ job, live }: { readonly job: JobView; readonly live: LiveRound }) {
  const { joined, cells, chunks } = live;
  const { progress } = job;
  const part = (value: number, all: number) => `${value} of ${all}`;
  return (
    <div>
      <h3>Progress</h3>
      {progress !== null && (
        <Meter
          label={`Training, ${duration(progress.secondsLeft)} left`}
          value={progress.step}
          max={progress.steps}
          text={part(progress.step, progress.steps)}
        />
      )}
      {joined !== null && (
        <Meter
          label="Joined"
          value={joined.joined}
          max={joined.needed}
          text={`${joined.joined}, ${joined.needed} needed`}
        />
      )}
      {chunks !== null && (
        <>
          <Meter
            label="Own masked chunks delivered"
            value={chunks.sent}
            max={chunks.total}
            text={part(chunks.sent, chunks.total)}
          />
          <Meter
            label="Chunks summed here"
            value={chunks.summed}
            max={chunks.total}
            text={part(chunks.summed, chunks.total)}
          />
          <Meter
            label="Sums fetched from others"
            value={chunks.fetched}
            max={chunks.total}
            text={part(chunks.fetched, chunks.total)}
          />
        </>
      )}
      {cells.length > 1 && (
        <p>
          {plural(cells.length, 'cell')} of {cells.map(({ length }) => length).join(', ')} peers
        </p>
      )}
      {progress === null && joined === null && chunks === null && (
        <Empty>{live.phase === 'training' ? 'This peer trains.' : 'Nothing to count yet.'}</Empty>
      )}
    </div>
  );
}

const FATE_MARKS: Readonly<Record<Participant['fate'], string>> = {
  'in the sum': '✓',
  'in the round': '·',
  dropped: '↯',
  convicted: '✕',
};

function Roster({ live }: { readonly live: LiveRound }) {
  const roster = participantsOf(live);
  const dropped = roster.filter(({ fate }) => fate === 'dropped').length;
  const survivors = live.survivors?.length;
  // Who survived is told with the sum.
  const summary =
    survivors === undefined ? 'no sum yet' : `${survivors} in the sum, ${dropped} dropped`;
  return (
    <div>
      <h3>
        Roster{' '}
        <span class="muted">{roster.length === 0 ? '' : `${roster.length}: ${summary}`}</span>
      </h3>
      {roster.length === 0 && <Empty>It is made up when enough peers have joined.</Empty>}
      <ul class="roster">
        {roster.map(({ peer, fate, cell, reason }) => (
          <li key={peer} class={`fate fate-${fate.replaceAll(' ', '-')}`} title={reason}>
            <span aria-hidden="true">{FATE_MARKS[fate]}</span> <PlainPeer id={peer} />
            <span class={fate === 'in the sum' || fate === 'in the round' ? 'hidden' : 'fate-word'}>
              {' '}
              {fate}
            </span>
            {cell !== undefined && <span class="muted"> cell {cell}</span>}
          </li>
        ))}
      </ul>
    </div>
  );
}

function Troubles({ live: { convicted, lost } }: { readonly live: LiveRound }) {
  return (
    <>
      {convicted.map(({ peer, reason }) => (
        <Notice key={peer} tone="warn">
          <Peer id={peer} /> lied: <Words text={reason} />
        </Notice>
      ))}
      {lost.map(({ attempt, restarts, reason }) => (
        <Notice key={`${restarts}/${attempt}`} tone="warn">
          Attempt {attempt + 1}
          {restarts > 0 ? ` after training anew ${plural(restarts, 'time')}` : ''} was lost:{' '}
          {reason}
        </Notice>
      ))}
    </>
  );
}
