export {
  ALL_SHARED,
  applyVector,
  trainingWarnings,
  writeTrainingGraph,
  ZOO,
  zooModel,
} from '@starling/autodiff';
export type { CageSupport } from './cage.ts';
export {
  type ClientPool,
  type ClientPoolOptions,
  type ClientShare,
  openClientPool,
  type VectorScorer,
} from './client-pool.ts';
export { byteImages, type ExampleSet, selectExamples } from './data/example-set.ts';
export { type ColumnReport, type Inspection, planDataset } from './data/inspect.ts';
export { type NumberArray, readNpy } from './data/npy-bytes.ts';
export { openDataSource } from './data/open-source.ts';
export {
  type DataOptions,
  type DataWords,
  parseAugmentation,
  parseDataOptions,
} from './data/options.ts';
export type { ReadingPlan } from './data/reading-plan.ts';
export { loadResident } from './data/resident.ts';
export type { DataSource, SourceInfo, TargetInfo } from './data/source.ts';
export {
  checkAugmentation,
  type Dataset,
  type DatasetCatalog,
  dataOffers,
  datasetCatalog,
  inspectOffer,
  matchSchema,
  type Offer,
  type SchemaMatch,
  schemaOf,
  usualTask,
  writeDataset,
} from './dataset.ts';
export {
  DEVICE_CHOICES,
  DEVICE_NAMES,
  type Device,
  type DeviceChoice,
  PRECISION_CHOICES,
  type PrecisionChoice,
} from './device.ts';
export type { DeviceReport } from './device-choice.ts';
export { type GradcheckErrors, type GradcheckResult, gradcheck } from './gradcheck.ts';
export { type IdxTensor, readIdx, writeIdx } from './idx.ts';
export {
  createInference,
  type Inference,
  type InferenceEngine,
  type RunInput,
  type RunResult,
} from './inference/engine.ts';
export type { LoadedModel, TensorHeader, TensorSpec } from './inference/frames.ts';
export type { PlainTask } from './inference/plain-main.ts';
export { defaultMemory, MEMORY_MIN, residentBytes, type TrainerLimits } from './limits.ts';
export type {
  ClassFigures,
  ClassReport,
  EvaluationReport,
  NumberReport,
} from './metrics.ts';
export { type Mnist, readMnist } from './mnist.ts';
export { HEAD_KINDS, REPORT_SPLITS, type ReportOptions, reportModel } from './model-report.ts';
export { dirichletPartition, type PartitionOptions } from './partition.ts';
export { evaluateModel, type ModelEvaluation } from './scorer.ts';
export { openThroughput, type Throughput, type ThroughputOptions } from './throughput.ts';
export { createTrainer, type ProcessTrainer, type TrainerOptions } from './trainer.ts';
