import type { TargetedSubmitEvent } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import { Failure, Notice, Scrolled } from '../components/basics.tsx';
import { FieldInput } from '../components/field.tsx';
import { guaranteeText } from '../components/guarantee.tsx';
import { ModelField } from '../components/model-field.tsx';
import { ApiError } from '../lib/api.ts';
import { base64Of } from '../lib/download.ts';
import { applies, type Field, GROUPS, type Group, type Values } from '../lib/fields.ts';
import { plural } from '../lib/format.ts';
import { useAction, useLoaded, useServices } from '../lib/hooks.ts';
import { type Faults, faultFrom, faultsOf, jobFileOf, plainOf } from '../lib/job-form.ts';
import { jobHref } from '../lib/router.ts';
import type { DataSetView, LaunchedView } from '../lib/types.ts';
import { toYaml } from '../lib/yaml.ts';

interface Draft {
  readonly values: Values;
  readonly model: File | undefined;
}
const EMPTY: Draft = { values: { 'stop.rounds': '10' }, model: undefined };
/** What was filled in so far; another page and back loses nothing. */
let kept = EMPTY;

const modelFault = (model: File | undefined): Faults =>
  model === undefined ? { model: 'choose an ONNX file' } : {};

/** What the form holds, and what becomes of it. */
function useLaunch() {
  const { api, store } = useServices();
  const { isRunning, failure, run } = useAction();
  const [draft, setDraft] = useState(kept);
  const [wasSent, setSent] = useState(false);
  const [refusal, setRefusal] = useState<Faults>({});
  const [launched, setLaunched] = useState<LaunchedView>();
  const form = useRef<HTMLFormElement>(null);
  useEffect(() => {
    kept = draft;
  }, [draft]);
  const { values, model } = draft;
  const own: Faults = { ...faultsOf(values), ...modelFault(model) };
  const faults = { ...refusal, ...(wasSent && own) };
  const change = (changes: Values) => {
    setRefusal({});
    setDraft((before) => ({ ...before, values: { ...before.values, ...changes } }));
  };
  const launch = async () => {
    try {
      const job = jobFileOf(values, model!.name);
      const body = { job, model: await base64Of(model!) };
      setLaunched(await api.send<LaunchedView>('POST', '/v1/jobs', body));
      await store.refresh();
    } catch (error) {
      const found = error instanceof ApiError ? faultFrom(error) : undefined;
      if (found === undefined) throw error;
      setRefusal(found);
      showFirstFault(form.current);
    }
  };
  const submit = (event: TargetedSubmitEvent<HTMLFormElement>) => {
    event.preventDefault();
    setSent(true);
    setLaunched(undefined);
    if (Object.keys(own).length > 0) showFirstFault(form.current);
    else void run(launch);
  };
  const choose = (file: File | undefined) => setDraft((before) => ({ ...before, model: file }));
  return { form, values, model, faults, launched, isRunning, failure, change, choose, submit };
}

export function LaunchPage() {
  const { data: dataSets } = useLoaded<readonly DataSetView[]>('/v1/data');
  const { form, values, model, faults, launched, ...launching } = useLaunch();
  const wrong = Object.keys(faults).length;
  return (
    <>
      <h1>Launch a job</h1>
      <form ref={form} class="launch" noValidate onSubmit={launching.submit}>
        <div class="launch-fields">
          <ModelField model={model} fault={faults['model']} onChange={launching.choose} />
          {GROUPS.map((group) => (
            <GroupFields
              key={group.title}
              group={group}
              values={values}
              faults={faults}
              dataSets={group.title === 'Data' ? (dataSets ?? []) : []}
              onChange={launching.change}
            />
          ))}
        </div>
        <aside class="launch-aside" aria-label="The job file">
          <Preview values={values} model={model?.name ?? 'model.onnx'} />
          <Failure text={launching.failure} />
          {wrong > 0 && (
            <Notice tone="bad">{plural(wrong, 'field needs', 'fields need')} a change.</Notice>
          )}
          {launched !== undefined && <Launched view={launched} />}
          <button
            type="submit"
            class="button button-main button-large"
            disabled={launching.isRunning}
          >
            {launching.isRunning ? 'Handing it to the swarm…' : 'Launch'}
          </button>
        </aside>
      </form>
    </>
  );
}

/** After the next drawing: only then the field is marked. */
function showFirstFault(form: HTMLFormElement | null): void {
  requestAnimationFrame(() => {
    const field = form?.querySelector<HTMLElement>('[aria-invalid="true"]');
    const more = field?.closest('details');
    if (more) more.open = true;
    field?.focus();
  });
}

function GroupFields(props: {
  readonly group: Group;
  readonly values: Values;
  readonly faults: Faults;
  readonly dataSets: readonly DataSetView[];
  readonly onChange: (changes: Values) => void;
}) {
  const { group, values, faults, dataSets, onChange } = props;
  const shown = group.fields.filter((field) => applies(field, values));
  const input = (field: Field) => (
    <FieldInput
      key={field.path}
      field={field}
      value={values[field.path] ?? ''}
      fault={faults[field.path]}
      onChange={(value) => onChange({ [field.path]: value })}
    />
  );
  const rare = shown.filter(({ rare: isRare }) => isRare === true);
  return (
    <fieldset class="card">
      <legend>{group.title}</legend>
      <p class="muted">{group.note}</p>
      {dataSets.length > 0 && <LikeMine dataSets={dataSets} onChange={onChange} />}
      <div class="fields">{shown.filter(({ rare: isRare }) => isRare !== true).map(input)}</div>
      {rare.length > 0 && (
        <details>
          <summary>
            More<span class="hidden"> of {group.title}</span>
          </summary>
          <div class="fields">{rare.map(input)}</div>
        </details>
      )}
    </fieldset>
  );
}

function LikeMine(props: {
  readonly dataSets: readonly DataSetView[];
  readonly onChange: (changes: Values) => void;
}) {
  const { dataSets, onChange } = props;
  return (
    <p class="actions">
      <span>Like my</span>
      {dataSets.map(({ name, task, dtype, shape, target, classes }) => (
        <button
          key={name}
          type="button"
          class="button"
          onClick={() =>
            onChange({
              ...{ 'data.task': task, 'data.input.dtype': dtype, 'data.target': target },
              ...{ 'data.input.shape': shape.join(', '), 'data.classes': String(classes) },
            })
          }
        >
          {name}
        </button>
      ))}
    </p>
  );
}

function Preview({ values, model }: { readonly values: Values; readonly model: string }) {
  const [isCopied, setCopied] = useState(false);
  const faults = faultsOf(values);
  const known = Object.fromEntries(Object.entries(values).filter(([path]) => !(path in faults)));
  const text = toYaml(plainOf(jobFileOf(known, model)));
  const copy = async () => {
    await navigator.clipboard.writeText(text);
    setCopied(true);
    setTimeout(() => setCopied(false), 1500);
  };
  return (
    <div class="card">
      <header class="card-head">
        <h2>job.yaml</h2>
        <button type="button" class="button" onClick={() => void copy()}>
          {isCopied ? 'Copied' : 'Copy'}
        </button>
      </header>
      <Scrolled label="The job file's text" name="yaml">
        <pre>
          <code>{text}</code>
        </pre>
      </Scrolled>
    </div>
  );
}

const Launched = ({ view }: { readonly view: LaunchedView }) => (
  <Notice tone="good">
    <div role="status">
      Launched: <a href={jobHref(view.job)}>go to the job</a>.{' '}
      {view.copies === 0
        ? 'Nobody else is connected yet: keep this daemon running.'
        : `${plural(view.copies, 'other peer holds', 'other peers hold')} it durably.`}{' '}
      Each participant has: {guaranteeText(view.privacy)}.
    </div>
  </Notice>
);
