import { type LossKind, outputShape, type ResidentData } from '@starling/autodiff';
import type { Model } from '@starling/onnx';
import type { Tensor } from 'onnxruntime-node';
import type { Examples, SourceInfo } from './data/source.ts';
import { loadOrt } from './ort.ts';
import { targetExample } from './targets.ts';

/** How a graph reads the examples of such a set. */
export function residentData(model: Model, info: SourceInfo, loss: LossKind): ResidentData {
  const { elements, shape: example, target } = info;
  const scale = elements.dtype === 'uint8' ? elements.scale : 1;
  const data = { dtype: elements.dtype, example, scale };
  if (loss !== 'softmax-cross-entropy') return data;
  // Any batch: what matters is how many axes the answers have.
  return { ...data, target: targetExample(target, outputShape(model, [2, ...example])) };
}

/** Inputs as a graph is fed with them, [count, …shape]. */
export async function inputTensor(
  info: SourceInfo,
  { count, inputs }: Pick<Examples, 'count' | 'inputs'>,
): Promise<Tensor> {
  const { Tensor } = await loadOrt();
  const shape = [count, ...info.shape];
  if (inputs instanceof Uint8Array) return new Tensor('uint8', inputs, shape);
  if (inputs instanceof Int32Array) return new Tensor('int32', inputs, shape);
  return new Tensor('float32', inputs, shape);
}
