export { type DescribedModel, describeModel } from './describe.ts';
export {
  buildEpochGraph,
  EPOCH_INPUTS,
  EPOCH_OUTPUTS,
  type EpochGraphOptions,
  type ResidentData,
} from './epoch-graph.ts';
export {
  buildEvaluationGraph,
  EVALUATION_INPUTS,
  EVALUATION_OUTPUTS,
  type EvaluationGraphOptions,
} from './evaluation-graph.ts';
export {
  inputShapeFor,
  modelInput,
  outputShape,
  type Parameter,
  trainableParameters,
} from './forward.ts';
export { LOSS_NAMES, type LossKind } from './losses.ts';
export { createGenerator, type Generator, permutation } from './seeded.ts';
export { buildStepGraph, type StepGraph, type StepGraphOptions } from './step-graph.ts';
export { lossNamed, type TrainingGraphOptions, writeTrainingGraph } from './training-graph.ts';
export { applyVector, cutVector, initialVector, vectorLength } from './vector.ts';
export { ZOO, type ZooName, zooModel } from './zoo.ts';
