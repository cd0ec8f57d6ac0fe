import { type Model, type Tensor as OnnxTensor, writeModel } from '@starling/onnx';
import type { InferenceSession } from 'onnxruntime-node';

/**
 * The native library, loaded when first needed: a daemon that only holds a Trainer never loads it.
 */
export const loadOrt = () => import('onnxruntime-node');

/**
 * A session on the CPU. What ONNX Runtime sees was written by us node by node, never a foreign
 * file.
 * @param threads for one operator; 1 is fastest for small models
 */
export async function createSession(model: Model, threads: number): Promise<InferenceSession> {
  const ort = await loadOrt();
  return ort.InferenceSession.create(writeModel(model), {
    executionProviders: ['cpu'],
    intraOpNumThreads: threads,
    interOpNumThreads: 1,
    executionMode: 'sequential',
    logSeverityLevel: 3,
    // Spinning threads burn the volunteer's CPU between runs.
    extra: { session: { intra_op: { allow_spinning: '0' } } },
  });
}

/** Tensors as the runtime takes them. */
export async function tensorFeeds(tensors: Readonly<Record<string, OnnxTensor>>) {
  const { Tensor } = await loadOrt();
  return Object.fromEntries(
    Object.entries(tensors).map(([name, { dtype, data, shape }]) => {
      return [name, new Tensor(dtype, data, shape)] as const;
    }),
  );
}

/** The number in a float32 scalar output. */
export function scalarOf(results: InferenceSession.OnnxValueMapType, name: string): number {
  return (results[name]!.data as Float32Array)[0]!;
}
