import { ConfigError } from '@starling/core';
import { readModel, writeModel } from '@starling/onnx';
import { LOSS_NAMES, type LossKind } from './losses.ts';
import { buildStepGraph } from './step-graph.ts';

export interface TrainingGraphOptions {
  readonly loss: string;
  readonly optimizer: string;
  readonly batchSize?: number;
}

/**
 * The training step of a forward model as an ONNX file to look at: loss, gradients and updated
 * weights.
 * @throws ConfigError for a loss or optimiser that does not exist, ProtocolError for the model
 */
export function writeTrainingGraph(
  modelBytes: Uint8Array,
  { loss, optimizer, batchSize = 32 }: TrainingGraphOptions,
): Uint8Array {
  if (optimizer !== 'sgd') throw new ConfigError('optimizer', `unknown: ${optimizer}`, 'Use sgd');
  const step = buildStepGraph({
    model: readModel(modelBytes),
    loss: lossNamed(loss),
    batchSize,
  });
  return writeModel(step.model);
}

/** @throws ConfigError listing the losses that exist */
export function lossNamed(name: string): LossKind {
  const found = LOSS_NAMES.find((loss) => loss === name);
  if (found !== undefined) return found;
  throw new ConfigError('loss', `unknown: ${name}`, `Use one of ${LOSS_NAMES.join(', ')}`);
}
