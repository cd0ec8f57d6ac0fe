export { type BlobExchange, createBlobExchange } from './blobs/exchange.ts';
export { type Compute, inlineCompute } from './compute.ts';
export { createComputePool } from './compute-pool.ts';
export type { ExamplesSpent } from './example-ledger.ts';
export { type HourSpan, parseHours } from './governor/conditions.ts';
export { type ContainerLimits, containerLimits } from './governor/container.ts';
export {
  Governor,
  type GovernorParts,
  type GovernorStatus,
  type PauseReason,
  type ResourceLimits,
} from './governor/governor.ts';
export type { MachineFiles } from './governor/machine-files.ts';
export { TokenBucket } from './governor/token-bucket.ts';
export {
  type JobModel,
  type JobReport,
  type JobStanding,
  type Launched,
  NOT_LOOKED_AT,
} from './job-report.ts';
export { metered, type Traffic } from './metered.ts';
export { StarlingNode } from './node.ts';
export type { InputObserver, NodeOptions, NodeParts } from './parts.ts';
export type { PrivacySpent } from './privacy-accounts.ts';
export type { Spent } from './privacy-ledger.ts';
export { type Heard, plainWire, readGossip, type Wire } from './wire.ts';
