import { ProtocolError } from '@starling/core';
import {
  elementCount,
  int,
  int64s,
  type Model,
  readModel,
  replaceInitializers,
} from '@starling/onnx';
import { type Parameter, stateTensors, vectorState } from './model-state.ts';
import type { Ops } from './ops.ts';
import { ALL_SHARED, VectorSplit, type WeightPatterns } from './personal.ts';

/** Elements of all parameters together. */
export const vectorLength = (parameters: readonly Parameter[]): number =>
  parameters.reduce((sum, { shape }) => sum + elementCount(shape), 0);

/** The values inside a model as one flat vector, in the order of `vectorState`. */
export function initialVector(model: Model, frozen: readonly string[] = []): Float32Array {
  const state = vectorState(model, frozen);
  const vector = new Float32Array(vectorLength(state));
  let at = 0;
  for (const { data } of stateTensors(model, state)) {
    vector.set(data as Float32Array, at);
    at += data.length;
  }
  return vector;
}

/** Cuts a flat vector into parameters, each a view. */
export function cutVector(
  parameters: readonly Parameter[],
  vector: Float32Array,
): ReadonlyMap<string, Float32Array> {
  const length = vectorLength(parameters);
  if (vector.length !== length) {
    throw new ProtocolError(
      'model-mismatch',
      `a vector of ${vector.length} elements for a model of ${length}`,
    );
  }
  let at = 0;
  return new Map(
    parameters.map(({ name, shape }) => {
      const start = at;
      at += elementCount(shape);
      return [name, vector.subarray(start, at)];
    }),
  );
}

/**
 * The forward model's file with the weights of a job's vector in it and everything else as it was.
 * @param weights which of the model's weights are not in the vector
 * @param personal a peer's own weights; as they are in the file when absent
 * @throws ProtocolError when file or vectors do not fit
 */
export function applyVector(
  modelBytes: Uint8Array,
  vector: Float32Array,
  weights: WeightPatterns = ALL_SHARED,
  personal?: Float32Array,
): Uint8Array {
  const model = readModel(modelBytes);
  const split = new VectorSplit(model, weights);
  const own = personal ?? split.own(initialVector(model, weights.frozen));
  const state = vectorState(model, weights.frozen);
  return replaceInitializers(modelBytes, cutVector(state, split.join(vector, own)));
}

/** In the graph: a flat vector [length] to one value per parameter, of its shape. */
export function unflatten(
  g: Ops,
  vector: string,
  parameters: readonly Parameter[],
): readonly string[] {
  if (parameters.length === 1) return [g.reshape(vector, parameters[0]!.shape)];
  const sizes = parameters.map(({ shape }) => elementCount(shape));
  const parts = g.builder.addMany(
    'Split',
    [vector, g.builder.constant(int64s(sizes))],
    new Map([['axis', int(0)]]),
    { outputs: parameters.map(({ name }) => `flat/${name}`) },
  );
  return parts.map((part, i) => g.reshape(part, parameters[i]!.shape));
}

/** In the graph: values to one flat vector [length]. */
export function flatten(g: Ops, values: readonly string[]): string {
  return g.concat(
    values.map((value) => g.reshape(value, [elementCount(g.shape(value))])),
    0,
  );
}
