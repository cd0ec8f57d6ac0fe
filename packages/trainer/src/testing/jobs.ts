import { zooModel } from '@starling/autodiff';
import type { BlobHash } from '@starling/core';
import { GraphBuilder, type Model, tensorOf, writeModel } from '@starling/onnx';
import { DEFAULT_TRAINING } from '@starling/protocol-rounds';
import type { TrainerJob, TrainingSettings } from '@starling/rounds';

interface JobChange extends Partial<Omit<TrainerJob, 'training' | 'model'>> {
  readonly model?: Model;
  readonly training?: Partial<TrainingSettings>;
}

/** A job of the zoo's logistic regression on ten classes of 28×28 images. */
export function testJob({ model, training, ...change }: JobChange = {}): TrainerJob {
  return {
    modelHash: '0'.repeat(64) as BlobHash,
    model: writeModel(model ?? zooModel('logistic', 1)),
    loss: 'softmax-cross-entropy',
    training: { ...DEFAULT_TRAINING, ...training },
    clippingNorm: 100,
    data: {
      ...{ task: 't', input: { dtype: 'float32', shape: [28, 28] } },
      ...{ target: 'classes', classes: 10 },
    },
    dataset: 'mine',
    ...change,
  };
}

/** y = x·w + b, all weights small and different. */
export function linearModel(inputs: number, outputs: number): Model {
  const builder = new GraphBuilder();
  const x = builder.input('x', { dtype: 'float32', shape: [1, inputs] });
  const weights = Array.from({ length: inputs * outputs }, (_, i) => Math.sin(i + 1) / inputs);
  const w = builder.constant(tensorOf('float32', [inputs, outputs], weights), 'w');
  const b = builder.constant(tensorOf('float32', [outputs], new Array(outputs).fill(0)), 'b');
  const { graph } = { graph: builder.finish('linear', [builder.add('Gemm', [x, w, b])]) };
  const open = (values: typeof graph.inputs) =>
    values.map((value) => ({ ...value, shape: ['batch', ...value.shape.slice(1)] }));
  return { graph: { ...graph, inputs: open(graph.inputs), outputs: open(graph.outputs) } };
}
