import { bool, type Decoded, f64, LIMITS, oneOf, struct, u32 } from '@starling/core';

/** What becomes of a round's mean update; `packages/federation` has each with its source. */
export const ALGORITHM_NAMES = [
  'fedavg',
  'fedavgm',
  'fedadam',
  'fedyogi',
  'fedadagrad',
  'fednova',
  'diloco',
  'scaffold',
] as const;
/** How the means of a round's cells become one. */
export const COMBINATION_NAMES = [
  'mean',
  'norm-clip',
  'centered-clip',
  'geometric-median',
  'multi-krum',
  'median',
  'trimmed-mean',
] as const;
export const WEIGHTING_NAMES = ['uniform', 'examples'] as const;
/** Who masks with whom: everybody with everybody in a cell, or neighbours on one large graph. */
export const GRAPH_NAMES = ['complete', 'wide'] as const;
/** Who verifies and unmasks the sum: every member all of it, or a few drawn for each chunk. */
export const UNMASKING_NAMES = ['local', 'shared'] as const;

/** How weights are turned before they are quantised. */
export const ROTATION_NAMES = ['none', 'hadamard'] as const;

/** Most owners of one chunk. */
export const REPLICATION_MAX = 4;
/** Greatest weight of one peer, and most local steps of one that count. */
export const WEIGHT_CAP_MAX = 2 ** 18 - 1;

/**
 * How updates are added up and applied. A number that belongs to another algorithm or weighting
 * than the one chosen has no effect.
 */
export const aggregationCodec = struct({
  algorithm: oneOf(ALGORITHM_NAMES),
  /** The server optimiser's; each update counts this much. */
  learningRate: f64,
  /** fedavgm, diloco. */
  momentum: f64,
  /** fedadam, fedyogi. */
  beta1: f64,
  beta2: f64,
  /** fedadam, fedyogi, fedadagrad: least denominator. */
  tau: f64,
  /** fednova, scaffold: local steps of a usual peer. */
  referenceSteps: u32(WEIGHT_CAP_MAX),
  weighting: oneOf(WEIGHTING_NAMES),
  /** By examples: so many make the greatest weight. */
  weightCap: u32(WEIGHT_CAP_MAX),
  combination: oneOf(COMBINATION_NAMES),
  /** multi-krum, trimmed-mean: part of the cells that may be spoilt, below one half. */
  corruptCells: f64,
  ringBits: u32(32),
  clippingNorm: f64,
  /** How much one buffer (a statistic of BatchNormalization) may change in a round. */
  bufferRange: f64,
  /** Owners of each chunk; 0 means f + 1 of the roster, at most REPLICATION_MAX. */
  replication: u32(REPLICATION_MAX),
  /** Peers of one cell, about; a roster of more than twice as many is cut. 0 means 64. */
  cellSize: u32(LIMITS.cellPeersMax / 2),
  graph: oneOf(GRAPH_NAMES),
  /** Whether each member verifies and unmasks whole sums, or a few drawn for each chunk. */
  unmasking: oneOf(UNMASKING_NAMES),
  /** How long one phase of the secure aggregation waits for the slowest member, in seconds. */
  phaseSeconds: f64,
  rotation: oneOf(ROTATION_NAMES),
  /** Peers add to an update what clipping and rounding took from those before. */
  errorFeedback: bool,
  /** Share of the weights that all peers send in a round, drawn anew in each; 1 for all. */
  sparsity: f64,
});
export type Aggregation = Decoded<typeof aggregationCodec>;

/** Plain federated averaging in cells. */
export const DEFAULT_AGGREGATION: Aggregation = {
  algorithm: 'fedavg',
  learningRate: 1,
  momentum: 0.9,
  beta1: 0.9,
  beta2: 0.99,
  tau: 1e-3,
  referenceSteps: 32,
  weighting: 'uniform',
  weightCap: 1_000,
  combination: 'norm-clip',
  corruptCells: 0.25,
  ringBits: 24,
  clippingNorm: 10,
  bufferRange: 100,
  replication: 0,
  cellSize: 0,
  graph: 'complete',
  unmasking: 'local',
  phaseSeconds: 10,
  rotation: 'none',
  errorFeedback: false,
  sparsity: 1,
};
