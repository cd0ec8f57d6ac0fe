export { type BlobExchange, createBlobExchange } from './blobs/exchange.ts';
export { type Compute, inlineCompute } from './compute.ts';
export { createComputePool } from './compute-pool.ts';
export { metered, type Traffic } from './metered.ts';
export {
  type JobModel,
  type JobReport,
  type JobStanding,
  type Launched,
  StarlingNode,
} from './node.ts';
export type { InputObserver, NodeOptions, NodeParts } from './parts.ts';
export { type Heard, plainWire, readGossip, type Wire } from './wire.ts';
