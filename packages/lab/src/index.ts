export { fashionMnist } from './data/image-sets.ts';
export { plotLines } from './plot.ts';
export { type FinishedJob, type Reproduction, reproduce } from './reproduce.ts';
export type { EndLine, ResultLine, RoundLine } from './results.ts';
export { type ExperimentOptions, type ExperimentResult, runExperiment } from './run-experiment.ts';
export { type Experiment, experimentSchema, type Settings } from './schema.ts';
export { type Summary, summaryOf } from './summary.ts';
