import { ProtocolError } from '@starling/core';
import { elementCount, type Model, type ValueInfo } from '@starling/onnx';

/**
 * The input that takes the examples: the first.
 * @param outputs that the model is to have
 */
export function modelInput({ graph }: Model, outputs = 1): ValueInfo {
  const [input, ...others] = graph.inputs;
  if (input === undefined || others.length > 1) {
    throw new ProtocolError(
      'model-unsupported',
      `the model has ${graph.inputs.length} inputs; one is supported, or two (examples and ` +
        `targets) when its output is the loss`,
    );
  }
  if (graph.outputs.length !== outputs) {
    const names = graph.outputs.map(({ name }) => name).join(', ');
    throw new ProtocolError(
      'model-unsupported',
      `the model has ${graph.outputs.length} outputs, and one is trained: choose of ${names}`,
    );
  }
  return input;
}

/** The second input of a model that computes its own loss, if it has one. */
export const targetInput = ({ graph }: Model): ValueInfo | undefined => graph.inputs[1];

/**
 * Shape of the model's input for `batch` examples of shape `example`. Axis 0 is the batch whatever
 * the file says; the other axes may split an example's elements differently.
 * @throws ProtocolError `model-mismatch`
 */
export function inputShapeFor(
  model: Model,
  batch: number,
  example: readonly number[],
): readonly number[] {
  return shapeFor(modelInput(model), batch, example);
}

/** As `inputShapeFor`, for one of the model's inputs. */
export function shapeFor(
  { name, shape }: ValueInfo,
  batch: number,
  example: readonly number[],
): readonly number[] {
  const rest = shape.slice(1).map((dim, i) => (typeof dim === 'number' ? dim : (example[i] ?? 1)));
  if (elementCount(rest) === elementCount(example)) return [batch, ...rest];
  throw new ProtocolError(
    'model-mismatch',
    `input "${name}" takes [${shape}]; an example of shape [${example}] does not fit`,
  );
}

/** The model's own shape of one example, where open dimensions count 1. */
export const ownExample = ({ shape }: ValueInfo): readonly number[] =>
  shape.slice(1).map((dim) => (typeof dim === 'number' ? dim : 1));

/** @throws ProtocolError `model-unsupported` for a type that no data comes in */
export function checkedType({ name, dtype }: ValueInfo): 'float32' | 'int32' | 'int64' {
  if (dtype === 'float32' || dtype === 'int32' || dtype === 'int64') return dtype;
  throw new ProtocolError('model-unsupported', `input "${name}" is ${dtype}`);
}
