export { Batcher, type BatcherOptions, type BatchItem } from './batcher.ts';
export {
  type InferenceEngine,
  type ModelSource,
  type ModelVersion,
  NO_OBSERVER,
  type ServingObserver,
} from './engine.ts';
export { FAILURE_KINDS, type FailureKind, ServingError } from './failure.ts';
export type { ClientToken } from './http/clients.ts';
export { type HttpListener, type HttpOptions, listenHttp } from './http/listener.ts';
export {
  type InferAnswer,
  type InferRequest,
  ServedModel,
  type ServedState,
  type ServeOptions,
} from './served-model.ts';
export { MODELS_MAX, type Served, Serving, type ServingParts } from './serving.ts';
export type { NamedTensor, TensorSpec, TensorType } from './tensors.ts';
