export {
  type Augmentation,
  imageMoves,
  isImage,
  movesImages,
  NOISE_WORDS,
  NUMBERS_PER_MOVE,
  noiseWords,
} from './augmentation.ts';
export { type DescribedModel, describeModel } from './describe.ts';
export {
  buildCopyGraph,
  buildDeviceGraphs,
  DEVICE_INPUTS,
  type DeviceGraph,
  type DeviceGraphs,
  type DeviceSlots,
  LOSSES_KEPT,
  nextOf,
  type Slot,
} from './device-graphs.ts';
export { dropoutWords, WORDS_PER_DROPOUT } from './dropout.ts';
export {
  buildEpochGraph,
  type EpochGraph,
  type EpochGraphOptions,
  type ResidentData,
} from './epoch-graph.ts';
export { EPOCH_INPUTS, EPOCH_OUTPUTS } from './epoch-names.ts';
export {
  type EpochPlan,
  type EpochPlanOptions,
  type MinibatchPlan,
  minibatchOrder,
  orderShape,
  planEpochs,
  planSamples,
  type StepRange,
  stepsPerEpoch,
  stepTables,
} from './epoch-plan.ts';
export {
  buildEvaluationGraph,
  EVALUATION_INPUTS,
  EVALUATION_OUTPUTS,
  type EvaluationGraphOptions,
  metricName,
} from './evaluation-graph.ts';
export { outputShape } from './forward.ts';
export { buildForwardGraph, type ForwardGraph, type ForwardGraphOptions } from './forward-graph.ts';
export { isNamed } from './frozen.ts';
export type { GradientClipping } from './gradient-terms.ts';
export { LOSS_SCALE, PRECISIONS, type Precision, productsInHalf } from './half-precision.ts';
export { LOSS_NAMES, type LossKind, type LossOptions, targetType } from './losses.ts';
export { type MetricOutput, trainedModel } from './measured.ts';
export { inputShapeFor, modelInput, targetInput } from './model-inputs.ts';
export {
  type ModelState,
  modelState,
  type Parameter,
  trainableParameters,
  vectorState,
} from './model-state.ts';
export {
  OPTIMIZER_KINDS,
  OPTIMIZER_NAMES,
  type OptimizerKind,
  type OptimizerName,
  type OptimizerSettings,
  optimizerNamed,
  optimizerSettings,
} from './optimizers.ts';
export { ALL_SHARED, VectorSplit, type WeightPatterns } from './personal.ts';
export {
  CONSTANT_RATE,
  learningRates,
  SCHEDULE_KINDS,
  SCHEDULE_UNITS,
  type Schedule,
  variesWithinRun,
} from './schedule.ts';
export { createGenerator, type Generator, permutation } from './seeded.ts';
export { buildStepGraph, type StepGraph, type StepGraphOptions } from './step-graph.ts';
export {
  lossNamed,
  type TrainingGraphOptions,
  trainingWarnings,
  writeTrainingGraph,
} from './training-graph.ts';
export { applyVector, cutVector, initialVector, vectorLength } from './vector.ts';
export { ZOO, type ZooName, zooModel } from './zoo.ts';
