export {
  addNoise,
  type CodecOptions,
  dequantiseSum,
  type NoiseOptions,
  quantise,
  squaredSteps,
  type UpdateCodec,
  updateCodec,
} from './codec.ts';
export {
  addProducts,
  type Combination,
  coefficients,
  combineStretch,
  isCoordinateWise,
  type Linear,
  MEAN,
} from './combine.ts';
export { honestNormMax } from './honest-norm.ts';
export {
  bufferCodec,
  decodeTail,
  type Effort,
  encodeTail,
  type JobCodec,
  normalisationOf,
  sentWeights,
  sparsityScale,
  type Tail,
  tailWords,
  type VectorBytes,
  vectorBytes,
  type WordLayout,
  weightCodec,
  weightOf,
  wordLayout,
} from './job-codec.ts';
export { decodeState, encodeState, type JobState } from './job-state.ts';
export {
  decodeMetrics,
  EXAMPLES_MAX,
  encodeMetrics,
  LOSS_MAX,
  type MetricSums,
  type Metrics,
  metricWords,
  NAMED_STEPS,
  namedMean,
} from './metrics.ts';
export { joinNumbers, NUMBER_BITS, splitNumbers, wordsOfNumber } from './numbers.ts';
export { residualOf } from './residual.ts';
export { rotate, rotatedRange, unrotate } from './rotation.ts';
export {
  correctionOf,
  globalVariate,
  nextOwnVariate,
  type Scaffold,
} from './scaffold.ts';
export {
  applyMean,
  FEDAVG,
  initialState,
  type ServerOptimizer,
} from './server-optimizer.ts';
export { chosenCoordinates, gather, scatter } from './sparsity.ts';
