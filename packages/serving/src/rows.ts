import type { CheckedRequest } from './check-request.ts';
import type { EngineInput } from './engine.ts';
import { ServingError } from './failure.ts';
import type { NamedTensor } from './tensors.ts';

/** The inputs of all requests of a batch, request by request; nothing is copied. */
export function joinInputs(
  batch: readonly Pick<CheckedRequest, 'inputs'>[],
  rows: number,
): readonly EngineInput[] {
  const [first] = batch;
  return first!.inputs.map(({ name, dtype, shape }, i) => ({
    ...{ name, dtype, shape: batch.length === 1 ? shape : [rows, ...shape.slice(1)] },
    pieces: batch.map(({ inputs }) => inputs[i]!.bytes),
  }));
}

/**
 * Each request's rows of the outputs that it wants, in the order of the batch.
 * @throws ServingError where the model gave another number of rows than it got
 */
export function splitOutputs(
  batch: readonly Pick<CheckedRequest, 'rows' | 'outputs'>[],
  outputs: readonly NamedTensor[],
  rows: number,
): readonly (readonly NamedTensor[])[] {
  if (batch.length === 1) {
    const [only] = batch;
    return [outputs.filter(({ name }) => only!.outputs.has(name))];
  }
  const short = outputs.find(({ shape }) => shape[0] !== rows);
  if (short !== undefined) {
    const words = `output "${short.name}" has ${short.shape[0]} rows for ${rows} of input`;
    throw new ServingError('failed', words);
  }
  let at = 0;
  return batch.map((request) => {
    const start = at;
    at += request.rows;
    return outputs
      .filter(({ name }) => request.outputs.has(name))
      .map(({ name, dtype, shape, bytes }) => {
        const size = bytes.length / rows;
        return {
          ...{ name, dtype, shape: [request.rows, ...shape.slice(1)] },
          bytes: bytes.subarray(start * size, at * size),
        };
      });
  });
}
