export { Batcher, type BatcherOptions, type BatchItem } from './batcher.ts';
export {
  type InferenceEngine,
  type ModelSource,
  type ModelVersion,
  NO_OBSERVER,
  type ServingObserver,
} from './engine.ts';
export { FAILURE_KINDS, type FailureKind, ServingError } from './failure.ts';
export { type InferenceServer, inferOver, modelOf } from './http/client.ts';
export type { ClientToken } from './http/clients.ts';
export { inferenceDocument } from './http/document.ts';
export { type HttpListener, type HttpOptions, listenHttp } from './http/listener.ts';
export { type PeerModel, PeerModels, type PeerPoint, servePeers } from './peers.ts';
export {
  type InferAnswer,
  type InferRequest,
  ServedModel,
  type ServedState,
  type ServeOptions,
} from './served-model.ts';
export { MODELS_MAX, type Served, Serving, type ServingParts } from './serving.ts';
export { type NamedTensor, type TensorSpec, type TensorType, typeOfDatatype } from './tensors.ts';
