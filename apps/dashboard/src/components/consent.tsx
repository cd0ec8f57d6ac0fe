import { useState } from 'preact/hooks';
import { useAction, useServices } from '../lib/hooks.ts';
import type { DataSetView, JobView } from '../lib/types.ts';
import { Confirm, Failure } from './basics.tsx';

/** Approve with a data set, or refuse. */
export function ConsentButtons(props: {
  readonly job: JobView;
  readonly dataSets: readonly DataSetView[];
}) {
  const { job, dataSets } = props;
  const { api, store } = useServices();
  const { isRunning, failure, run } = useAction();
  const [dataset, setDataset] = useState('');
  const answer = (word: 'approve' | 'refuse', body: object) =>
    run(async () => store.put(await api.send('POST', pathOf(job, word), body)));
  return (
    <div class="consent">
      <div class="actions">
        {dataSets.length > 0 && (
          <label class="inline">
            <span>Train on</span>
            <select
              value={dataset}
              onChange={({ currentTarget }) => setDataset(currentTarget.value)}
            >
              <option value="">the first that fits</option>
              {dataSets.map(({ name }) => (
                <option key={name} value={name}>
                  {name}
                </option>
              ))}
            </select>
          </label>
        )}
        <button
          type="button"
          class="button button-main"
          disabled={isRunning}
          onClick={() => void answer('approve', dataset === '' ? {} : { dataset })}
        >
          Approve<span class="hidden"> {job.name}</span>
        </button>
        <button
          type="button"
          class="button"
          disabled={isRunning}
          onClick={() => void answer('refuse', {})}
        >
          Refuse<span class="hidden"> {job.name}</span>
        </button>
      </div>
      <Failure text={failure} />
    </div>
  );
}

export const pathOf = ({ id }: Pick<JobView, 'id'>, word: string): string =>
  `/v1/jobs/${encodeURIComponent(id)}/${word}`;

const LEAVE = {
  refuse: {
    button: 'Leave the job',
    title: 'Leave this job?',
    text: 'This peer takes no part in its rounds from now on. The others go on.',
    action: 'Leave the job',
  },
  cancel: {
    button: 'Cancel the job',
    title: 'Cancel this job?',
    text: 'It ends for everybody. The rounds that are certified stay.',
    action: 'Cancel it for everybody',
  },
} as const;

/** Leaves the job, or ends it; both ask first. */
export function LeaveButton(props: { readonly job: JobView; readonly word: keyof typeof LEAVE }) {
  const { job, word } = props;
  const { api, store } = useServices();
  const { isRunning, failure, run } = useAction();
  const [isAsking, setAsking] = useState(false);
  const { button, title, text, action } = LEAVE[word];
  return (
    <>
      <button type="button" class="button" disabled={isRunning} onClick={() => setAsking(true)}>
        {button}
      </button>
      {isAsking && (
        <Confirm
          title={title}
          action={action}
          onClose={() => setAsking(false)}
          onConfirm={() =>
            void run(async () => store.put(await api.send('POST', pathOf(job, word), {})))
          }
        >
          <p>{text}</p>
        </Confirm>
      )}
      <Failure text={failure} />
    </>
  );
}
