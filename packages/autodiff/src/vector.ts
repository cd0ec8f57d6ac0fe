import { ProtocolError } from '@starling/core';
import {
  elementCount,
  int,
  int64s,
  type Model,
  readModel,
  replaceInitializers,
} from '@starling/onnx';
import { type Parameter, parameterTensors, trainableParameters } from './forward.ts';
import type { Ops } from './ops.ts';

/** Elements of all parameters together. */
export const vectorLength = (parameters: readonly Parameter[]): number =>
  parameters.reduce((sum, { shape }) => sum + elementCount(shape), 0);

/** The weights inside a model as one flat vector, in the order of `trainableParameters`. */
export function initialVector(model: Model): Float32Array {
  const parameters = trainableParameters(model);
  const vector = new Float32Array(vectorLength(parameters));
  let at = 0;
  for (const { data } of parameterTensors(model, parameters)) {
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
 * The forward model's file with the weights of `vector` in it and everything else as it was.
 * @throws ProtocolError when file or vector do not fit
 */
export function applyVector(modelBytes: Uint8Array, vector: Float32Array): Uint8Array {
  const parameters = trainableParameters(readModel(modelBytes));
  return replaceInitializers(modelBytes, cutVector(parameters, vector));
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
