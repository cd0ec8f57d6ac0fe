export { averageModels, type WeightedModel } from './average.ts';
export { type AttributeRecord, type CallOptions, GraphBuilder } from './builder.ts';
export { type EinsumPlan, planEinsum, writeEinsum } from './einsum.ts';
export { expandFunction } from './functions.ts';
export { KNOWN_OPERATORS } from './infer.ts';
export { type ResizedAxis, resizedAxes } from './infer-resize.ts';
export { sliceRanges } from './infer-shape.ts';
export { type Window, windowCounts, windowOf } from './infer-spatial.ts';
export { InferenceCall } from './inference.ts';
export { inferenceModel } from './inference-form.ts';
export { MODEL_LIMITS } from './limits.ts';
export { type PadRun, padRuns } from './pad-runs.ts';
export { printGraph } from './print.ts';
export { readModel } from './read.ts';
export { type ReplayOptions, replayGraph } from './replay.ts';
export { selectOutput, withOutput } from './select-output.ts';
export {
  broadcastShapes,
  elementCount,
  equalShapes,
  int64s,
  numbersOf,
  scalar,
  tensorOf,
} from './tensor.ts';
export * from './types.ts';
export { replaceInitializers, writeModel } from './write.ts';
