import { useId } from 'preact/hooks';
import { type Field, isFlag } from '../lib/fields.ts';

/** One field of the form with its label, its hint, and what is wrong with it. */
export function FieldInput(props: {
  readonly field: Field;
  readonly value: string;
  readonly fault: string | undefined;
  readonly onChange: (value: string) => void;
}) {
  const { field, value, fault, onChange } = props;
  const id = useId();
  const notes = [
    ...(field.hint === undefined ? [] : [`${id}-hint`]),
    ...(fault === undefined ? [] : [`${id}-fault`]),
  ];
  const common = {
    id,
    name: field.path,
    required: field.required === true,
    'aria-invalid': fault !== undefined,
    'aria-describedby': notes.length === 0 ? undefined : notes.join(' '),
  };
  return (
    <div class={fault === undefined ? 'field' : 'field field-bad'}>
      <label for={id}>
        {field.label}
        {field.required === true && <span class="needed"> needed</span>}
      </label>
      {field.kind === 'choice' ? (
        <select
          {...common}
          value={value || field.usual}
          onChange={({ currentTarget }) => onChange(currentTarget.value)}
        >
          {field.placeholder !== undefined && <option value="">{field.placeholder}</option>}
          {field.options.map((option) => (
            <option key={option} value={option}>
              {isFlag(field) ? (option === 'true' ? 'yes' : 'no') : option}
            </option>
          ))}
        </select>
      ) : (
        <input
          {...common}
          type="text"
          inputMode={field.kind === 'number' ? (field.whole ? 'numeric' : 'decimal') : 'text'}
          autoComplete="off"
          value={value}
          placeholder={field.placeholder ?? field.usual}
          onInput={({ currentTarget }) => onChange(currentTarget.value)}
        />
      )}
      {field.hint !== undefined && (
        <p class="hint" id={`${id}-hint`}>
          {field.hint}
        </p>
      )}
      {fault !== undefined && (
        <p class="fault" id={`${id}-fault`}>
          {fault}
        </p>
      )}
    </div>
  );
}
