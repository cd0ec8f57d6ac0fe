import { elementCount, type ValueInfo } from '@starling/onnx';
import type { LabelledImages } from './dataset.ts';
import type { MinibatchSource } from './device-training.ts';
import { labelTensor, pickLabels } from './labels.ts';
import { loadOrt } from './ort.ts';

/** Feeds a device with minibatches of images that lie in memory as bytes. */
export const imageMinibatches = (data: LabelledImages, classes: number): MinibatchSource => ({
  async read(rows, inputs) {
    const { targets } = inputs;
    return {
      data: await examplesAt(data, rows, inputs.data),
      targets: targets && (await labelTensor(pickLabels(data, rows), targets, classes)),
    };
  },
});

/** Bytes as numbers of the type that a GPU takes. */
async function examplesAt(data: LabelledImages, rows: Int32Array, { dtype, shape }: ValueInfo) {
  const { Tensor } = await loadOrt();
  const size = elementCount(data.shape);
  const bytes = new Uint8Array(rows.length * size);
  for (const [i, row] of rows.entries()) {
    bytes.set(data.images.subarray(row * size, (row + 1) * size), i * size);
  }
  const dims = shape.map(Number);
  if (dtype === 'int64') return new Tensor('int64', BigInt64Array.from(bytes, BigInt), dims);
  if (dtype === 'int32') return new Tensor('int32', Int32Array.from(bytes), dims);
  return new Tensor('float32', Float32Array.from(bytes), dims);
}
