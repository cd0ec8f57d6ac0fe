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
  type Tail,
  tailWords,
  weightOf,
} from './job-codec.ts';
export { decodeState, encodeState, type JobState } from './job-state.ts';
export {
  decodeMetrics,
  encodeMetrics,
  examplesMax,
  LOSS_MAX,
  METRIC_WORDS,
  type Metrics,
} from './metrics.ts';
export {
  applyMean,
  FEDAVG,
  initialState,
  type ServerOptimizer,
} from './server-optimizer.ts';
