export { type BlobExchange, createBlobExchange } from './blob-exchange.ts';
export { type Compute, inlineCompute } from './compute.ts';
export { createComputePool } from './compute-pool.ts';
export type { JobModel, JobReport, JobStanding, Launched } from './job-report.ts';
export { metered, type Traffic } from './metered.ts';
export { StarlingNode } from './node.ts';
export type { InputObserver, NodeOptions, NodeParts } from './parts.ts';
export type { Spent } from './privacy-ledger.ts';
export { type Heard, plainWire, readGossip, type Wire } from './wire.ts';
