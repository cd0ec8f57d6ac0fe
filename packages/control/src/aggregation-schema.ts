import {
  type Aggregation,
  ALGORITHM_NAMES,
  COMBINATION_NAMES,
  DEFAULT_AGGREGATION,
  GRAPH_NAMES,
  REPLICATION_MAX,
  ROTATION_NAMES,
  UNMASKING_NAMES,
  WEIGHT_CAP_MAX,
  WEIGHTING_NAMES,
} from '@starling/protocol-rounds';
import { z } from 'zod';
import { refuseIdle } from './training-schema.ts';

const positive = z.number().positive();
const share = z.number().min(0).lt(1);
const cap = z.number().int().min(1).max(WEIGHT_CAP_MAX);

/** Numbers that only some algorithms read; others refuse them by name. */
const ALGORITHM_NUMBERS = {
  momentum: ['fedavgm', 'diloco'],
  beta1: ['fedadam', 'fedyogi', 'fedadagrad'],
  beta2: ['fedadam', 'fedyogi'],
  tau: ['fedadam', 'fedyogi', 'fedadagrad'],
  referenceSteps: ['fednova', 'scaffold'],
} as const;
const COMBINATION_NUMBERS = { corruptCells: ['multi-krum', 'trimmed-mean'] } as const;
const WEIGHTING_NUMBERS = { weightCap: ['examples'] } as const;

/** How a round's updates are added up and applied, as a job file has it. */
export const aggregationSchema = z
  .strictObject({
    /** `fedprox` is `fedavg` with `training.proximal`. */
    algorithm: z.enum([...ALGORITHM_NAMES, 'fedprox']).default('fedavg'),
    /** The server optimiser's: 1 unless told, 0.7 for diloco, 0.1 for the adaptive ones. */
    learningRate: positive.optional(),
    momentum: share.optional(),
    beta1: share.optional(),
    beta2: share.optional(),
    tau: positive.optional(),
    /** Local steps of a usual peer. */
    referenceSteps: cap.optional(),
    weighting: z.enum(WEIGHTING_NAMES).default('uniform'),
    /** Examples at which a peer's weight stops to grow. */
    weightCap: cap.optional(),
    /** How the means of many cells become one. */
    combination: z.enum(COMBINATION_NAMES).default('norm-clip'),
    corruptCells: z.number().min(0).lt(0.5).optional(),
    ringBits: z.number().int().min(8).max(30).default(24),
    clippingNorm: positive.default(10),
    /** How much a statistic of BatchNormalization may change in a round. */
    bufferRange: positive.default(100),
    /** Owners of each chunk; 0 takes f + 1 of the roster, at most 4. */
    replication: z.number().int().min(0).max(REPLICATION_MAX).default(0),
    /** Peers of one cell, about; a roster of more than twice as many is cut. 0 means 64. */
    cellSize: z.number().int().min(0).max(64).default(0),
    /** A large roster is cut into cells, or is one sum on a graph of neighbours. */
    graph: z.enum(GRAPH_NAMES).default('complete'),
    /** Every peer verifies and unmasks the whole sum, or a few drawn for each part of it. */
    unmasking: z.enum(UNMASKING_NAMES).default('local'),
    phaseSeconds: positive.max(3600).default(10),
    /** What makes ring bits below 16 enough. */
    rotation: z.enum(ROTATION_NAMES).default('none'),
    /** What is lost of an update is added to the next. */
    errorFeedback: z.boolean().default(false),
    /** Share of the weights that is sent in a round, drawn anew in each. */
    sparsity: z.number().positive().max(1).default(1),
  })
  .superRefine((given, context) => {
    const faults = [
      ...refuseIdle(given.algorithm, ALGORITHM_NUMBERS, given, DEFAULT_AGGREGATION),
      ...refuseIdle(given.combination, COMBINATION_NUMBERS, given, DEFAULT_AGGREGATION),
      ...refuseIdle(given.weighting, WEIGHTING_NUMBERS, given, DEFAULT_AGGREGATION),
    ];
    for (const fault of faults)
      context.addIssue({ code: 'custom', ...fault, path: [...fault.path] });
  });
type GivenAggregation = z.infer<typeof aggregationSchema>;

const RATES: Readonly<Record<string, number>> = {
  diloco: 0.7,
  fedadam: 0.1,
  fedyogi: 0.1,
  fedadagrad: 0.1,
};

/** What a job file says of the aggregation, with the defaults of its algorithm. */
export function aggregationOf({ algorithm, ...given }: GivenAggregation): Aggregation {
  const said = Object.entries(given).filter(([, value]) => value !== undefined);
  return {
    ...DEFAULT_AGGREGATION,
    learningRate: RATES[algorithm] ?? DEFAULT_AGGREGATION.learningRate,
    ...Object.fromEntries(said),
    algorithm: algorithm === 'fedprox' ? 'fedavg' : algorithm,
  };
}
