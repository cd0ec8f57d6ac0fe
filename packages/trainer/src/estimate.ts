import { ProtocolError } from '@starling/core';
import { elementCount, GraphBuilder, type Model, replayGraph } from '@starling/onnx';
import { mebibytes } from './limits.ts';

const FLOAT_BYTES = 4;
/** Node.js, ONNX Runtime and the graphs themselves. */
const PROCESS_BYTES = 64 * 2 ** 20;
/** At once there are at least the vector that came, the weights, their gradient and the update. */
const VECTORS = 4;

export interface TrainingSize {
  readonly model: Model;
  /** Elements of the job's vector. */
  readonly elements: number;
  readonly batchSize: number;
}

/**
 * Bytes that a training takes at the very least beside its data: what it needs in truth depends on
 * how ONNX Runtime reuses memory, so this refuses only what can never fit.
 */
export function leastBytes({ model, elements, batchSize }: TrainingSize): number {
  const floats = VECTORS * elements + largestActivation(model, batchSize);
  return PROCESS_BYTES + floats * FLOAT_BYTES;
}

/** @throws ProtocolError `job-limit` before ONNX Runtime takes any */
export function checkMemory(least: number, limit: number): void {
  if (least <= limit) return;
  throw new ProtocolError(
    'job-limit',
    `training needs at least ${mebibytes(least)}, the trainer may take ${mebibytes(limit)}`,
  );
}

/** Elements of the largest float tensor in the forward model; 0 where inputs are several. */
function largestActivation({ graph }: Model, batchSize: number): number {
  const [input, ...others] = graph.inputs;
  if (input === undefined || others.length > 0) return 0;
  const shape = input.shape.map((size, axis) => (axis === 0 ? batchSize : size));
  if (!shape.every((size) => typeof size === 'number')) return 0;
  const builder = new GraphBuilder();
  const name = builder.input(input.name, { dtype: input.dtype, shape });
  const outputs = replayGraph(graph, { builder, bindings: new Map([[input.name, name]]) });
  const sizes = builder.finish('forward', outputs).nodes.flatMap((node) => {
    const types = node.outputs.filter((output) => output !== '').map((of) => builder.type(of));
    return types.filter(({ dtype }) => dtype === 'float32').map((type) => elementCount(type.shape));
  });
  return sizes.reduce((most, size) => Math.max(most, size), 0);
}
