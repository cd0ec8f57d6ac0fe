import { ProtocolError } from '@starling/core';
import { type Model, selectOutput } from '@starling/onnx';
import { vectorState } from './model-state.ts';
import type { Ops } from './ops.ts';

/** An output of the model that is measured, not trained. */
export interface MetricOutput {
  readonly output: string;
  /** Values of one example below and above these count as these. */
  readonly low: number;
  readonly high: number;
}

/** What is measured beside the loss, and which weights are constants, by patterns. */
export interface Measured {
  readonly metrics?: readonly MetricOutput[] | undefined;
  readonly frozen?: readonly string[] | undefined;
}

/**
 * The model as it is trained: without the outputs that are only measured.
 * @throws ProtocolError when one of these is not there, or a weight is for them alone
 */
export function trainedModel(model: Model, { metrics = [], frozen = [] }: Measured): Model {
  if (metrics.length === 0) return model;
  const { outputs } = model.graph;
  const measured = new Set(metrics.map(({ output }) => output));
  const missing = [...measured].find((name) => !outputs.some((each) => each.name === name));
  const rest = outputs.filter(({ name }) => !measured.has(name));
  if (missing !== undefined || rest.length !== 1) {
    const names = outputs.map(({ name }) => name).join(', ');
    const what =
      missing === undefined
        ? `${rest.length} outputs are not measured, and one is trained`
        : `no output "${missing}" to measure`;
    throw new ProtocolError('model-mismatch', `${what}; the model has ${names}`);
  }
  const trained = selectOutput(model, rest[0]!.name);
  const kept = new Set(vectorState(trained, frozen).map(({ name }) => name));
  const idle = vectorState(model, frozen).find(({ name }) => !kept.has(name));
  if (idle === undefined) return trained;
  throw new ProtocolError('model-mismatch', `weight "${idle.name}" is for a metric alone`);
}

/** The model with the trained output first, and those that are measured in the metrics' order. */
export function measuredModel(model: Model, metrics: readonly MetricOutput[]): Model {
  const measured = metrics.map(({ output }) => output);
  const trained = model.graph.outputs.filter(({ name }) => !measured.includes(name));
  return selectOutput(model, ...trained.map(({ name }) => name), ...measured);
}

/**
 * In the graph: the sum over a batch of where between its bounds each example is, 0 to 1. Of
 * several numbers for one example it is their mean; one number for the batch is every example's.
 */
export function metricSum(g: Ops, value: string, batch: number, metric: MetricOutput): string {
  const floats = g.cast(value, 'float32');
  const count = g.shape(floats).reduce((product, dim) => product * dim, 1);
  if (count % batch !== 0 && count !== 1) {
    const what = `output "${metric.output}": ${count} numbers for ${batch} examples`;
    throw new ProtocolError('model-mismatch', what);
  }
  const isWhole = count === 1;
  const rows = g.reshape(floats, isWhole ? [1, 1] : [batch, count / batch]);
  const width = g.shape(rows)[1]!;
  const means = g.scale(g.reduceSum(rows, [1], false), 1 / width);
  const { low, high } = metric;
  const places = g.scale(g.sub(means, g.number(low)), 1 / (high - low));
  const bounded = g.call('Clip', [places, g.number(0), g.number(1)]);
  const sum = g.reduceSum(bounded, [0], false);
  return isWhole ? g.scale(sum, batch) : sum;
}
