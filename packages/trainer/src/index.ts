export {
  applyVector,
  trainingWarnings,
  writeTrainingGraph,
  ZOO,
  zooModel,
} from '@starling/autodiff';
export type { CageSupport } from './cage.ts';
export {
  type Dataset,
  type DatasetCatalog,
  type DatasetDescription,
  type DatasetReport,
  dataOffers,
  datasetCatalog,
  inspectDataset,
  type LabelledImages,
  loadDataset,
  matchSchema,
  type SchemaMatch,
  splitDataset,
  writeDataset,
} from './dataset.ts';
export { DEVICE_CHOICES, DEVICE_NAMES, type Device, type DeviceChoice } from './device.ts';
export type { DeviceReport } from './device-choice.ts';
export { type GradcheckErrors, type GradcheckResult, gradcheck } from './gradcheck.ts';
export { type IdxTensor, readIdx, writeIdx } from './idx.ts';
export { defaultMemory, MEMORY_MIN, type TrainerLimits } from './limits.ts';
export type {
  ClassFigures,
  ClassReport,
  EvaluationReport,
  NumberReport,
} from './metrics.ts';
export { type Mnist, readMnist } from './mnist.ts';
export { HEAD_KINDS, type ReportOptions, reportModel } from './model-report.ts';
export { dirichletPartition, type PartitionOptions, selectExamples } from './partition.ts';
export { evaluateModel, type ModelEvaluation } from './scorer.ts';
export { openThroughput, type Throughput, type ThroughputOptions } from './throughput.ts';
export { createTrainer, type ProcessTrainer, type TrainerOptions } from './trainer.ts';
