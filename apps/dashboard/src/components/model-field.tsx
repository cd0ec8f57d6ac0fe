import { useId } from 'preact/hooks';
import { bytes } from '../lib/format.ts';

/** The ONNX file whose weights are round 0. */
export function ModelField(props: {
  readonly model: File | undefined;
  readonly fault: string | undefined;
  readonly onChange: (file: File | undefined) => void;
}) {
  const { model, fault, onChange } = props;
  const id = useId();
  return (
    <fieldset class="card">
      <legend>Model</legend>
      <div class={fault === undefined ? 'field' : 'field field-bad'}>
        <label for={id}>
          ONNX file<span class="needed"> needed</span>
        </label>
        <input
          id={id}
          type="file"
          accept=".onnx"
          aria-invalid={fault !== undefined}
          aria-describedby={fault === undefined ? `${id}-hint` : `${id}-hint ${id}-fault`}
          onChange={({ currentTarget }) => onChange(currentTarget.files?.[0])}
        />
        <p class="hint" id={`${id}-hint`}>
          {model === undefined ? (
            <>
              A forward model. <code>starling model export zoo:mlp -o model.onnx</code> makes one to
              begin with.
            </>
          ) : (
            `${model.name}, ${bytes(model.size)}`
          )}
        </p>
        {fault !== undefined && (
          <p class="fault" id={`${id}-fault`}>
            {fault}
          </p>
        )}
      </div>
    </fieldset>
  );
}
