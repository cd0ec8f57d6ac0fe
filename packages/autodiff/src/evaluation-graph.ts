import { GraphBuilder, type Model } from '@starling/onnx';
import { normalised, type ResidentData } from './epoch-graph.ts';
import { forward, outputShape, trainableParameters } from './forward.ts';
import { type LossKind, lossTerms, targetType } from './losses.ts';
import { Ops } from './ops.ts';
import { unflatten, vectorLength } from './vector.ts';

export interface EvaluationGraphOptions {
  readonly model: Model;
  readonly loss: LossKind;
  readonly data: Omit<ResidentData, 'examples'>;
  readonly batchSize: number;
}

export const EVALUATION_INPUTS = {
  /** float32 [length] */
  vector: 'vector',
  /** [batch, …example] */
  batch: 'batch',
  /** int32 [batch], or float32 [batch, …output] for regression */
  target: 'target',
  /** float32 [batch]: 1 for rows that count, 0 for those that fill up the last batch */
  mask: 'mask',
} as const;

/** Scalars: sum of the examples' losses, number of right answers (0 for regression). */
export const EVALUATION_OUTPUTS = { lossSum: 'lossSum', correct: 'correct' } as const;

/** One batch scored by the weights of a flat vector. */
export function buildEvaluationGraph(options: EvaluationGraphOptions): Model {
  const { model, loss, data, batchSize } = options;
  const builder = new GraphBuilder();
  const g = new Ops(builder);
  const parameters = trainableParameters(model);
  const vector = builder.input(EVALUATION_INPUTS.vector, {
    dtype: 'float32',
    shape: [vectorLength(parameters)],
  });
  const batch = builder.input(EVALUATION_INPUTS.batch, {
    dtype: data.dtype,
    shape: [batchSize, ...data.example],
  });
  const type = targetType(loss, outputShape(model, [batchSize, ...data.example]));
  const target = builder.input(EVALUATION_INPUTS.target, type);
  const mask = builder.input(EVALUATION_INPUTS.mask, { dtype: 'float32', shape: [batchSize] });
  const parts = unflatten(g, vector, parameters);
  const output = forward({
    g,
    model,
    batch: normalised(g, batch, data.scale),
    parameters: new Map(parameters.map(({ name }, i) => [name, parts[i]!])),
  });
  const terms = lossTerms(g, loss, output, target);
  const counted = (perExample: string) => g.reduceSum(g.mul(perExample, mask), [0], false);
  const hits = terms.hits?.() ?? g.scale(mask, 0);
  const outputs = [
    builder.named(counted(terms.perExample), EVALUATION_OUTPUTS.lossSum),
    builder.named(counted(hits), EVALUATION_OUTPUTS.correct),
  ];
  return { graph: builder.finish('evaluation', outputs) };
}
