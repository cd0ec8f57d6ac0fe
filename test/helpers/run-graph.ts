import { type Graph, type Tensor, writeModel } from '@starling/onnx';
import { InferenceSession, Tensor as RuntimeTensor } from 'onnxruntime-node';

/** A session at one thread that says nothing. */
export const openGraph = (graph: Graph) =>
  InferenceSession.create(writeModel({ graph }), { logSeverityLevel: 4, intraOpNumThreads: 1 });

/** A graph's inputs as the runtime takes them, by name. */
export function runtimeFeeds({ inputs }: Graph, tensors: ReadonlyMap<string, Tensor>) {
  return Object.fromEntries(
    inputs.map(({ name, dtype }) => {
      const { shape, data } = tensors.get(name)!;
      return [name, new RuntimeTensor(dtype, data, shape)];
    }),
  );
}

/** Tensors as the runtime takes them. */
export const feedsOf = (tensors: Readonly<Record<string, Tensor>>) =>
  Object.fromEntries(
    Object.entries(tensors).map(([name, { dtype, shape, data }]) => {
      return [name, new RuntimeTensor(dtype, data, shape)] as const;
    }),
  );
