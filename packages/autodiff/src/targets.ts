import { ProtocolError } from '@starling/core';
import type { Model, ValueType } from '@starling/onnx';
import { type LossKind, targetType } from './losses.ts';
import { checkedType, ownExample, targetInput } from './model-inputs.ts';

export interface TargetCall {
  readonly model: Model;
  readonly loss: LossKind;
  /** Shape of the model's output for a batch. */
  readonly output: readonly number[];
  readonly batchSize: number;
  /** Shape of one example's target, where it is known. */
  readonly example?: readonly number[] | undefined;
}

/**
 * Type of the targets of one batch: what the loss takes or, where the model computes its own loss,
 * what the model's second input takes; undefined when that model has no second input. Labels are
 * int32, because int64 falls back to the CPU on GPUs.
 * @throws ProtocolError `model-mismatch` naming what does not fit
 */
export function targetOf(call: TargetCall): ValueType | undefined {
  const { model, loss, output, batchSize, example } = call;
  const second = targetInput(model);
  if (loss !== 'model-output') {
    if (second === undefined) {
      return targetType(loss, output, example && [batchSize, ...example]);
    }
    throw new ProtocolError(
      'model-mismatch',
      `${loss}: the model takes a second input "${second.name}"; only with the loss model-output ` +
        `does a model take the targets itself`,
    );
  }
  if (second === undefined) return undefined;
  const dtype = checkedType(second) === 'float32' ? 'float32' : 'int32';
  return { dtype, shape: [batchSize, ...(example ?? ownExample(second))] };
}
