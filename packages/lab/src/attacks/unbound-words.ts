import { keystreamFrom, Secret } from '@starling/crypto';
import {
  addNoise,
  bufferCodec,
  type Effort,
  encodeTail,
  type JobCodec,
  quantise,
  splitNumbers,
  type UpdateCodec,
  updateCodec,
  weightOf,
} from '@starling/federation';

export interface UnboundInput {
  /** [parameters + buffers] */
  readonly update: Float32Array;
  readonly parameters: number;
  readonly effort: Effort;
  readonly codec: JobCodec;
  /** 32 bytes for the stochastic rounding. */
  readonly seed: Uint8Array;
}

const NO_METRICS = { lossSum: 0, correct: 0, examples: 0 };

/**
 * The words of a peer that clips nothing and adds no noise. Words beyond the grid would spoil the
 * sum for all to see, so a clever attacker keeps each coordinate on it.
 * @throws ProtocolError 'not-finite'
 */
export function unboundWords(input: UnboundInput): Uint32Array {
  const { update, parameters, effort, codec, seed } = input;
  const stream = keystreamFrom(new Secret(seed), 0);
  const weight = weightOf(codec, effort);
  const onGrid = (values: Float32Array, grid: UpdateCodec): Uint32Array => {
    const weighted = values.map((value) => weight * value);
    return quantise(weighted, grid, stream.next(4 * values.length));
  };
  const weights = onGrid(update.subarray(0, parameters), updateCodec(codec));
  if (codec.noise !== undefined) {
    addNoise(weights, new Int32Array(parameters), updateCodec(codec));
    return weights;
  }
  const points = onGrid(update.subarray(parameters), bufferCodec(codec));
  const buffers = splitNumbers(points, updateCodec(codec));
  const tail = encodeTail(codec, effort, NO_METRICS);
  const words = new Uint32Array(weights.length + buffers.length + tail.length);
  words.set(weights);
  words.set(buffers, weights.length);
  words.set(tail, weights.length + buffers.length);
  return words;
}
