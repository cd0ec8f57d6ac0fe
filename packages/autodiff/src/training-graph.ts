import { ConfigError } from '@starling/core';
import { readModel, writeModel } from '@starling/onnx';
import { describeModel } from './describe.ts';
import { LOSS_NAMES, type LossKind, type LossOptions } from './losses.ts';
import { type OptimizerSettings, optimizerNamed, optimizerSettings } from './optimizers.ts';
import type { WeightPatterns } from './personal.ts';
import { buildStepGraph } from './step-graph.ts';

export interface TrainingGraphOptions {
  readonly loss: string;
  readonly optimizer: string;
  readonly batchSize?: number;
  readonly lossOptions?: LossOptions;
  /** Numbers in place of the optimiser's defaults. */
  readonly numbers?: Partial<Omit<OptimizerSettings, 'optimizer'>>;
  /** Patterns of weights that stay as they are. */
  readonly frozen?: readonly string[];
}

/**
 * The training step of a forward model as an ONNX file to look at: loss, gradients and updated
 * weights.
 * @throws ConfigError for a loss or optimiser that does not exist, ProtocolError for the model
 */
export function writeTrainingGraph(
  modelBytes: Uint8Array,
  { loss, optimizer, batchSize = 32, lossOptions, numbers, frozen = [] }: TrainingGraphOptions,
): Uint8Array {
  const settings = optimizerSettings(optimizerNamed(optimizer), numbers);
  const kind = lossNamed(loss);
  const model = readModel(modelBytes);
  const step = buildStepGraph({
    ...{ model, loss: kind, lossOptions, batchSize, frozen },
    optimizer: settings,
  });
  return writeModel(step.model);
}

/**
 * Weights of a model file that one might expect to be trained and that are not, each with the
 * reason.
 */
export const trainingWarnings = (
  modelBytes: Uint8Array,
  weights: WeightPatterns,
): readonly string[] => describeModel(readModel(modelBytes), weights).warnings;

/** @throws ConfigError listing the losses that exist */
export function lossNamed(name: string): LossKind {
  const found = LOSS_NAMES.find((loss) => loss === name);
  if (found !== undefined) return found;
  throw new ConfigError('loss', `unknown: ${name}`, `Use one of ${LOSS_NAMES.join(', ')}`);
}
