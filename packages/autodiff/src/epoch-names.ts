/**
 * Inputs: what a run is fed with. A run does some steps of a training and hands over to the next
 * one; those that follow from the plan and the steps alone are made by `stepTables`.
 */
export const EPOCH_INPUTS = {
  /** float32 [length]: parameters, then buffers, where the training began */
  vector: 'vector',
  /** float32 [length]: the same where this run begins */
  current: 'current',
  /** float32 [states]: what the optimiser remembers there, 0 at first; absent where nothing */
  states: 'states',
  /** int64 scalar: how many steps this run does */
  steps: 'steps',
  /** [examples, …example] */
  data: 'data',
  /** int32 or float32, [examples, …]; absent where the model takes none */
  targets: 'targets',
  /** int32 [steps, batch], or [steps, accumulation, batch]: see `minibatchOrder` */
  order: 'order',
  /** float32 scalar, or [steps] with `ratePerStep` */
  learningRate: 'learningRate',
  /** float32 scalar */
  clippingNorm: 'clippingNorm',
  /** float32 [parameters], with `control` */
  control: 'control',
  /** int32 [steps, …, words], for models that drop: see `dropoutWords` */
  words: 'words',
  /** int32 [steps, …, batch, NUMBERS_PER_MOVE], where images are moved: see `imageMoves` */
  moves: 'moves',
  /** int32 [steps, …, NOISE_WORDS], where noise is added: see `noiseWords` */
  noise: 'noise',
  /** bool, of the order's shape without examples: which minibatches have the size `lastBatch` */
  isLast: 'isLast',
  /** float32 [steps, parameters], with `exampleClipping`: added to each step's sum of gradients */
  gradientNoise: 'gradientNoise',
  /** int64 and float32 [steps]: minibatches of a step, and each one's share in their mean */
  minibatches: 'minibatches',
  share: 'share',
  /** float32 [steps]: see `biasCorrections`, for optimisers that count their steps */
  root: 'root',
  ratio: 'ratio',
} as const;

/** Outputs of a run. */
export const EPOCH_OUTPUTS = {
  /** Parameters and buffers behind the run, [length]. */
  after: 'after',
  /** What the optimiser remembers there, [states]; absent where it is nothing. */
  statesAfter: 'statesAfter',
  /** `after` minus the vector where the training began, [length]. */
  update: 'update',
  /** L2 norm of the parameters' update, a scalar. */
  norm: 'norm',
  /** The update, its parameters scaled down to the clipping norm when longer. */
  clipped: 'clipped',
  /** Mean of the steps' losses. */
  meanLoss: 'meanLoss',
  /** Loss of each step, [steps]. */
  losses: 'losses',
} as const;
