import {
  type Attribute,
  elementCount,
  type Graph,
  type Node,
  type Tensor,
  tensorOf,
  writeModel,
} from '@starling/onnx';
import { InferenceSession, Tensor as RuntimeTensor } from 'onnxruntime-node';
import { createGenerator } from '../../packages/autodiff/src/seeded.ts';

/** A node named after its first output. */
export const node = (
  op: string,
  inputs: readonly string[],
  outputs: readonly string[],
  attributes: Readonly<Record<string, Attribute>> = {},
): Node => ({
  name: outputs[0]!,
  op,
  inputs,
  outputs,
  attributes: new Map(Object.entries(attributes)),
});

/** Uniform values between `low` and `high` that follow from a seed. */
export const drawn = (shape: readonly number[], seed: number, low = -1, high = 1): Tensor => {
  const generator = createGenerator(seed);
  const values = Array.from({ length: elementCount(shape) }, () => generator.uniform());
  return tensorOf(
    'float32',
    shape,
    values.map((value) => low + (high - low) * value),
  );
};

/** A graph with one input `x` and one output. */
export const graphOf = (
  nodes: readonly Node[],
  initializers: Readonly<Record<string, Tensor>>,
  input: readonly (number | string)[],
  output: string,
): Graph => ({
  name: 'test',
  nodes,
  initializers: new Map(Object.entries(initializers)),
  inputs: [{ name: 'x', dtype: 'float32', shape: input }],
  outputs: [{ name: output, dtype: 'float32', shape: [] }],
});

/** Runs a graph once; answers a reader of its outputs by name. */
export async function run(graph: Graph, feeds: Readonly<Record<string, Tensor>>) {
  const session = await InferenceSession.create(writeModel({ graph }), { logSeverityLevel: 3 });
  const entries = Object.entries(feeds).map(([name, { dtype, data, shape }]) => {
    return [name, new RuntimeTensor(dtype, data, shape)] as const;
  });
  const results = await session.run(Object.fromEntries(entries));
  return (name: string) => Array.from(results[name]!.data as Float32Array);
}

export const meanOf = (values: readonly number[]) =>
  values.reduce((a, b) => a + b, 0) / values.length;
