import type { InferenceCall, InferenceEntry, InferenceRule } from './inference.ts';
import { broadcastShapes } from './tensor.ts';
import { numberAttribute } from './types.ts';

/** One number for each channel of [N, C, …]. */
function checkPerChannel(call: InferenceCall, positions: readonly number[]): void {
  const { shape } = call.input(0);
  for (const position of positions) {
    const given = call.input(position).shape;
    if (given.length !== 1 || given[0] !== shape[1]) {
      call.fail(`input ${position} of [${given}] for the channels of [${shape}]`);
    }
  }
}

/** Mean and inverse standard deviation are outputs that the gradient uses. */
const layerNormalization: InferenceRule = (call) => {
  const { dtype, shape } = call.input(0);
  const axis = call.axis(numberAttribute(call.node, 'axis', -1), shape.length);
  const normalized = shape.slice(axis);
  for (const given of [call.input(1), call.optional(2)]) {
    if (given !== undefined && `${broadcastShapes(normalized, given.shape)}` !== `${normalized}`) {
      call.fail(`scale or bias [${given.shape}] over [${normalized}]`);
    }
  }
  const statistics = { dtype, shape: shape.map((dim, i) => (i < axis ? dim : 1)) };
  return [{ dtype, shape }, statistics, statistics].slice(0, call.node.outputs.length);
};

/** In training mode the running mean and variance come out as well. */
const batchNormalization: InferenceRule = (call) => {
  const { dtype, shape } = call.input(0);
  if (shape.length < 2) call.fail(`[${shape}] has no channels`);
  checkPerChannel(call, [1, 2, 3, 4]);
  const training = numberAttribute(call.node, 'training_mode', 0) === 1;
  const statistics = { dtype, shape: shape.slice(1, 2) };
  const all = training ? [{ dtype, shape }, statistics, statistics] : [{ dtype, shape }];
  return all.slice(0, call.node.outputs.length);
};

export const normEntries: readonly InferenceEntry[] = [
  ['LayerNormalization', layerNormalization, [2, 3]],
  ['BatchNormalization', batchNormalization, [5, 5]],
];
