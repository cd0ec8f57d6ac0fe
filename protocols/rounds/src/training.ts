import {
  bool,
  type Codec,
  type Decoded,
  f64,
  list,
  mapped,
  nullable,
  oneOf,
  struct,
  text,
  u32,
} from '@starling/core';

export const LOSS_NAMES = [
  'softmax-cross-entropy',
  'mean-squared-error',
  'sigmoid-binary-cross-entropy',
  'mean-absolute-error',
  'huber',
  'smooth-l1',
  'model-output',
] as const;
export const OPTIMIZER_NAMES = ['sgd', 'adam', 'adamw', 'rmsprop', 'adagrad'] as const;
export const SCHEDULE_KINDS = ['constant', 'step', 'cosine', 'polynomial'] as const;
export const SCHEDULE_UNITS = ['step', 'round'] as const;
/**
 * Most patterns of frozen weights, and the longest of them. With every list full a manifest still
 * keeps within its bytes.
 */
export const FROZEN_PATTERNS_MAX = 16;
export const FROZEN_PATTERN_MAX = 96;
/** Most patterns of personal weights, each as long as those. */
export const PERSONAL_PATTERNS_MAX = 8;
/** Metrics that a job names, and the longest name of one. */
export const METRICS_MAX = 8;
export const METRIC_NAME_MAX = 32;
/** Most classes that can have a weight each. */
export const CLASS_WEIGHTS_MAX = 256;

/** Integers from −2^31 to 2^31 − 1, in two's complement. */
const i32 = mapped(
  u32(),
  (value) => value | 0,
  (value: number) => value >>> 0,
);

/**
 * Local training: what every peer does between two aggregations. The numbers have the meaning that
 * PyTorch gives them. Where a number belongs to another optimiser, schedule or loss than the one
 * chosen, it has no effect.
 */
const trainingFields = {
  epochs: u32(1_000),
  /** Most steps of the optimiser in a round, 0 for as many as the epochs have. */
  steps: u32(10_000_000),
  /** Epochs without a lower loss on validation examples after which a peer stops; 0 for never. */
  patience: u32(1_000),
  batchSize: u32(65_536),
  /** Minibatches whose mean gradient makes one step of the optimiser. */
  accumulation: u32(65_536),
  optimizer: oneOf(OPTIMIZER_NAMES),
  learningRate: f64,
  /** sgd, rmsprop. */
  momentum: f64,
  /** sgd with momentum. */
  nesterov: bool,
  /** adam, adamw. */
  beta1: f64,
  beta2: f64,
  /** rmsprop. */
  alpha: f64,
  /** All but sgd; outside the root. */
  epsilon: f64,
  /** Added to the gradient as weightDecay · weight; adamw shrinks the weight itself. */
  weightDecay: f64,
  schedule: struct({
    kind: oneOf(SCHEDULE_KINDS),
    /** Whether the numbers below count local steps, from 0 again in each round, or rounds. */
    per: oneOf(SCHEDULE_UNITS),
    /** The rate rises in a line to its full size over so many units. */
    warmup: u32(1_000_000),
    /** step: the rate is multiplied by factor after each `every` units. */
    every: u32(1_000_000),
    factor: f64,
    /** cosine, polynomial: units until the floor is reached, warm-up included; 0 takes all. */
    length: u32(1_000_000),
    /** polynomial. */
    power: f64,
    /** cosine, polynomial: share of the rate that is left at the end. */
    floor: f64,
  }),
  /** Bounds of a step's gradient, 0 for none: of each element, then of the L2 norm of all. */
  clipping: struct({ norm: f64, value: f64 }),
  /** FedProx's μ, 0 for none. */
  proximal: f64,
  /** Patterns of weights that stay as launched and are not part of the job's vector. */
  frozen: list(text(FROZEN_PATTERN_MAX), FROZEN_PATTERNS_MAX),
  /** Patterns of weights that each peer trains for itself: they are in no vector of the job. */
  personal: list(text(FROZEN_PATTERN_MAX), PERSONAL_PATTERNS_MAX),
  /** Whether the model's dropouts drop. */
  dropout: bool,
  lossOptions: struct({
    /** softmax-cross-entropy: share of the target that is spread over all classes. */
    labelSmoothing: f64,
    /** softmax-cross-entropy: label of targets that do not count. */
    ignoreIndex: nullable(i32),
    /** softmax-cross-entropy: one weight for each class, or none at all. */
    classWeights: list(f64, CLASS_WEIGHTS_MAX),
    /** huber, smooth-l1: where the square goes over into a line. */
    delta: f64,
  }),
};
const metricCodec = struct({
  name: text(METRIC_NAME_MAX),
  /** The model's output that it is. */
  output: text(FROZEN_PATTERN_MAX),
  /** Values of one example below and above these count as these. */
  low: f64,
  high: f64,
});
export type NamedMetric = Decoded<typeof metricCodec>;

const bareCodec = struct(trainingFields);
const extendedCodec = struct({
  ...trainingFields,
  /** What else of the model is measured, beside loss and right answers. */
  metrics: list(metricCodec, METRICS_MAX),
  /** After so many seconds a peer ends its training with the steps it has; 0 for never. */
  seconds: u32(86_400),
});
export type Training = Decoded<typeof extendedCodec>;

/** Without metrics and seconds it has two fields less, as all had before there were these. */
export const trainingCodec: Codec<Training> = {
  write: ({ metrics, seconds, ...training }) =>
    metrics.length > 0 || seconds > 0
      ? extendedCodec.write({ ...training, metrics, seconds })
      : bareCodec.write(training),
  read: (wire, field) =>
    Array.isArray(wire) && wire.length === Object.keys(trainingFields).length
      ? { ...bareCodec.read(wire, field), metrics: [], seconds: 0 }
      : extendedCodec.read(wire, field),
};

/** One epoch of plain SGD. */
export const DEFAULT_TRAINING: Training = {
  epochs: 1,
  steps: 0,
  patience: 0,
  batchSize: 32,
  accumulation: 1,
  optimizer: 'sgd',
  learningRate: 0.1,
  momentum: 0,
  nesterov: false,
  beta1: 0.9,
  beta2: 0.999,
  alpha: 0.99,
  epsilon: 1e-8,
  weightDecay: 0,
  schedule: {
    kind: 'constant',
    per: 'step',
    warmup: 0,
    every: 1,
    factor: 1,
    length: 0,
    power: 1,
    floor: 0,
  },
  clipping: { norm: 0, value: 0 },
  proximal: 0,
  frozen: [],
  personal: [],
  dropout: true,
  lossOptions: { labelSmoothing: 0, ignoreIndex: null, classWeights: [], delta: 1 },
  metrics: [],
  seconds: 0,
};
