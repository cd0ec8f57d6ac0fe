import { GraphBuilder, type Model } from '@starling/onnx';
import type { ResidentData } from './epoch-graph.ts';
import { forward, outputShape } from './forward.ts';
import { type Count, countValue, type LossKind, type LossOptions, lossTerms } from './losses.ts';
import { type MetricOutput, measuredModel, metricSum, trainedModel } from './measured.ts';
import { normalised } from './minibatch.ts';
import { vectorState } from './model-state.ts';
import { Ops } from './ops.ts';
import { targetOf } from './targets.ts';
import { unflatten, vectorLength } from './vector.ts';

export interface EvaluationGraphOptions {
  readonly model: Model;
  readonly loss: LossKind;
  readonly lossOptions?: LossOptions;
  readonly data: ResidentData;
  readonly batchSize: number;
  /** Patterns of weights that the vector does not hold; see `isNamed`. */
  readonly frozen?: readonly string[];
  /** What of the model is measured beside its loss; in a job that has such metrics. */
  readonly metrics?: readonly MetricOutput[];
}

export const EVALUATION_INPUTS = {
  /** float32 [length]: parameters, then buffers */
  vector: 'vector',
  /** [batch, …example] */
  batch: 'batch',
  /** int32 or float32, [batch, …]; absent where the model takes none */
  target: 'target',
} as const;

/** Scalars of one batch. */
export const EVALUATION_OUTPUTS = {
  /** Losses of the targets that count, each times its weight, summed. */
  lossSum: 'lossSum',
  /** Sum of these weights: the mean loss is `lossSum / weight`. */
  weight: 'weight',
  /** Number of right answers, 0 for regression. */
  correct: 'correct',
  /** Number of targets that count. */
  targets: 'targets',
} as const;

/** Scalar of a batch for each metric: the sum of where between its bounds each example is. */
export const metricName = (index: number): string => `metric/${index}`;

/**
 * One batch scored by the weights of a flat vector: dropouts drop nothing, and BatchNormalization
 * normalises by the running statistics in the vector. A smaller last batch takes a graph of its
 * own, because not every loss can leave out rows.
 */
export function buildEvaluationGraph(options: EvaluationGraphOptions): Model {
  const { loss, lossOptions, data, batchSize, frozen, metrics = [] } = options;
  const model = trainedModel(options.model, options);
  const builder = new GraphBuilder();
  const g = new Ops(builder);
  const state = vectorState(model, frozen);
  const vector = builder.input(EVALUATION_INPUTS.vector, {
    dtype: 'float32',
    shape: [vectorLength(state)],
  });
  const shape = [batchSize, ...data.example];
  const batch = builder.input(EVALUATION_INPUTS.batch, { dtype: data.dtype, shape });
  const type = targetOf({
    ...{ model, loss, batchSize, example: data.target, output: outputShape(model, shape) },
  });
  const target = type && builder.input(EVALUATION_INPUTS.target, type);
  const parts = unflatten(g, vector, state);
  const { output, others } = forward({
    g,
    model: measuredModel(options.model, metrics),
    others: metrics.length,
    batch: normalised(g, batch, data.scale),
    target,
    state: new Map(state.map(({ name }, i) => [name, parts[i]!])),
  });
  const terms = lossTerms(g, { loss, options: lossOptions, output, target, examples: batchSize });
  const values = {
    lossSum: times(g, terms.mean, terms.weight),
    weight: countValue(g, terms.weight),
    correct: terms.correct?.() ?? g.number(0),
    targets: countValue(g, terms.targets),
  };
  const sums = others.map((value, i) => {
    const sum = metricSum(g, value, batchSize, metrics[i]!);
    return builder.named(sum, metricName(i));
  });
  const outputs = Object.entries(values).map(([name, value]) => builder.named(value, name));
  outputs.push(...sums);
  return { graph: builder.finish('evaluation', outputs) };
}

const times = (g: Ops, x: string, count: Count) =>
  typeof count === 'number' ? g.scale(x, count) : g.mul(x, count);
