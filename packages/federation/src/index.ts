export {
  bufferCodec,
  type CodecOptions,
  dequantiseSum,
  type JobCodec,
  quantise,
  type UpdateCodec,
  updateCodec,
} from './codec.ts';
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
