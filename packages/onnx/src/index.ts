export { type AttributeRecord, type CallOptions, GraphBuilder } from './builder.ts';
export { KNOWN_OPERATORS } from './infer.ts';
export { type Window, windowOf } from './infer-spatial.ts';
export { MODEL_LIMITS } from './limits.ts';
export { printGraph } from './print.ts';
export { readModel } from './read.ts';
export { type ReplayOptions, replayGraph } from './replay.ts';
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
