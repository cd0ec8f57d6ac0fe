import type { TargetedSubmitEvent } from 'preact';
import { useState } from 'preact/hooks';
import type { TextField } from '../lib/fields.ts';
import { useAction, useServices } from '../lib/hooks.ts';
import type { InspectionView } from '../lib/types.ts';
import { Failure, Notice, Section } from './basics.tsx';
import { FieldInput } from './field.tsx';
import { InspectionFacts } from './inspection.tsx';

const text = (path: string, label: string, more: Partial<TextField> = {}): TextField => ({
  ...{ kind: 'text', path, label, lengthMax: 4096 },
  ...more,
});

const FIELDS: readonly TextField[] = [
  text('name', 'Name', { required: true, hint: 'Letters, digits, dot, hyphen.' }),
  text('path', 'Path', { required: true, hint: "On the daemon's machine, or s3://bucket/prefix." }),
  text('task', 'Task', { placeholder: "as the data say, or the path's name" }),
];
const MORE: readonly TextField[] = [
  text('label', 'Targets', { hint: 'Columns or array; several with commas, or none.' }),
  text('features', 'Inputs', { hint: 'Columns or array; * stands for any text.' }),
  text('shape', 'Shape', { placeholder: '28x28' }),
  text('normalise', 'Normalise', { placeholder: 'standard, minmax, none, scale:1/255' }),
  text('classes', 'Classes', { hint: 'Number or names in order; 0 for numbers as targets.' }),
  text('text', 'Text as', { placeholder: 'bytes, chars' }),
  text('sequence', 'Tokens of an example'),
  text('augment', 'Augment', { placeholder: 'flip, crop:4, noise:0.1' }),
];
/** Absolute: the daemon's working directory is its own business. */
const PATH = /^(?:\/|[a-z]:[\\/]|s3:\/\/)/i;
const NAME = /^[a-z0-9][a-z0-9._-]{0,63}$/i;

type Given = Readonly<Record<string, string>>;

function faultsOf(given: Given): Given {
  return {
    ...(!NAME.test(given['name'] ?? '') && { name: 'use letters, digits, dot, hyphen' }),
    ...(!PATH.test(given['path'] ?? '') && {
      path: 'give an absolute path, or s3://bucket/prefix',
    }),
  };
}

/** What the form holds and does: look at files first, and then offer what was found. */
function useAdding(added: () => void) {
  const { api } = useServices();
  const { isRunning, failure, run } = useAction();
  const [given, setGiven] = useState<Given>({});
  const [wasSent, setSent] = useState(false);
  const [found, setFound] = useState<InspectionView>();
  const [addedName, setAdded] = useState<string>();
  const faults = faultsOf(given);
  const change = (changes: Given) => {
    setFound(undefined);
    setGiven((before) => ({ ...before, ...changes }));
  };
  const inspect = (event: TargetedSubmitEvent<HTMLFormElement>) => {
    event.preventDefault();
    setSent(true);
    setFound(undefined);
    setAdded(undefined);
    if (Object.keys(faults).length > 0) return;
    const filled = Object.entries(given).filter(([, value]) => value.trim() !== '');
    void run(async () =>
      setFound(await api.send('POST', '/v1/data/inspect', Object.fromEntries(filled))),
    );
  };
  const add = () =>
    run(async () => {
      await api.send('POST', '/v1/data', found!.offer);
      setAdded(given['name']);
      setFound(undefined);
      setGiven({});
      setSent(false);
      added();
    });
  const shown: Given = wasSent ? faults : {};
  return { given, faults: shown, found, addedName, isRunning, failure, change, inspect, add };
}

export function AddData({ added }: { readonly added: () => void }) {
  const adding = useAdding(added);
  const { given, faults, found, addedName, isRunning } = adding;
  const input = (field: TextField) => (
    <FieldInput
      key={field.path}
      field={field}
      value={given[field.path] ?? ''}
      fault={faults[field.path]}
      onChange={(value) => adding.change({ [field.path]: value })}
    />
  );
  return (
    <Section title="Add" note="The daemon looks at the files where they are." wide>
      <form noValidate onSubmit={adding.inspect}>
        <div class="fields">{FIELDS.map(input)}</div>
        <details>
          <summary>How to read them</summary>
          <div class="fields">{MORE.map(input)}</div>
        </details>
        <div class="actions">
          <button type="submit" class="button" disabled={isRunning}>
            {isRunning ? 'Looking…' : 'Look at it'}
          </button>
        </div>
      </form>
      <Failure text={adding.failure} />
      <div role="status">
        {addedName !== undefined && <Notice tone="good">{addedName} is offered to jobs.</Notice>}
        {found !== undefined && <InspectionFacts found={found} />}
      </div>
      {found !== undefined && found.offer !== null && (
        <div class="actions">
          <button
            type="button"
            class="button button-main"
            disabled={isRunning}
            onClick={() => void adding.add()}
          >
            Offer it to jobs
          </button>
        </div>
      )}
    </Section>
  );
}
