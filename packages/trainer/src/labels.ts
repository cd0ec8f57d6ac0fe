import type { LossKind } from '@starling/autodiff';
import { ProtocolError } from '@starling/core';
import { elementCount, type ValueInfo } from '@starling/onnx';
import type { Tensor } from 'onnxruntime-node';
import type { LabelledImages } from './dataset.ts';
import { loadOrt } from './ort.ts';

export interface LabelUse {
  readonly loss: LossKind;
  readonly classes: number;
  /** Label of examples that do not count, if there is one. */
  readonly ignoreIndex: number | null;
}

/**
 * Labels, job and loss agree on the classes: a label beyond them would train nothing.
 * @throws ProtocolError `data-mismatch`
 */
export function checkLabels({ labels }: LabelledImages, use: LabelUse): void {
  const { loss, classes, ignoreIndex } = use;
  const takesNumbers = ['mean-squared-error', 'mean-absolute-error', 'huber', 'smooth-l1'];
  if (takesNumbers.includes(loss)) {
    throw new ProtocolError('data-mismatch', `${loss}: IDX data sets hold classes, not numbers`);
  }
  const bad = labels.find((label) => label >= classes && label !== ignoreIndex);
  if (bad !== undefined) {
    throw new ProtocolError('data-mismatch', `label ${bad} in a job of ${classes} classes`);
  }
}

/**
 * Labels in the form that a graph's input takes: integers as they are; numbers as 0 and 1 where an
 * example has one, or as one-hot rows where it has as many as there are classes.
 * @param input of shape [examples, …]
 * @throws ProtocolError `model-mismatch` naming the shapes
 */
export async function labelTensor(
  { labels }: LabelledImages,
  input: ValueInfo,
  classes: number,
): Promise<Tensor> {
  const { Tensor } = await loadOrt();
  const shape = input.shape.map(Number);
  const width = elementCount(shape.slice(1));
  if (input.dtype === 'int32' && width === 1) {
    return new Tensor('int32', Int32Array.from(labels), shape);
  }
  if (input.dtype === 'float32' && width === 1 && classes <= 2) {
    return new Tensor('float32', Float32Array.from(labels), shape);
  }
  if (input.dtype === 'float32' && width === classes) {
    const rows = new Float32Array(labels.length * classes);
    for (const [i, label] of labels.entries()) rows[i * classes + label] = 1;
    return new Tensor('float32', rows, shape);
  }
  throw new ProtocolError(
    'model-mismatch',
    `the model takes targets of shape [${shape.slice(1)}] for each example; the data have one ` +
      `label of ${classes} classes`,
  );
}

/** The labels at `indices`. */
export function pickLabels(data: LabelledImages, indices: Int32Array): LabelledImages {
  const labels = Uint8Array.from(indices, (index) => data.labels[index]!);
  return { ...data, count: indices.length, labels };
}
