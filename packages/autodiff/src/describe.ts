import type { Model } from '@starling/onnx';
import { backward } from './backward.ts';
import { dryRun } from './forward.ts';
import { trainedModel } from './measured.ts';
import { modelInput, ownExample } from './model-inputs.ts';
import { modelState, trainableParameters } from './model-state.ts';
import { ALL_SHARED, VectorSplit, type WeightPatterns } from './personal.ts';
import { initialVector } from './vector.ts';

export interface DescribedModel {
  /** Elements of the job's vector that are parameters, and buffers behind them. */
  readonly layout: { readonly parameters: number; readonly buffers: number };
  /** The job's vector of the values inside the model. */
  readonly initial: Float32Array;
  /** What one might expect to be trained and is not, each with the reason. */
  readonly warnings: readonly string[];
}

/**
 * What can be said of a model without data. Where its input's shape is known but for the batch,
 * both passes are built once, so that a model that cannot train is refused here and not in a
 * round.
 * @throws ProtocolError naming the node and the cause
 */
export function describeModel(given: Model, weights: WeightPatterns = ALL_SHARED): DescribedModel {
  const model = trainedModel(given, weights);
  const { frozen } = weights;
  const { warnings } = modelState(model, frozen);
  const split = new VectorSplit(model, weights);
  const unreached = isSized(model) ? unreachedParameters(model, frozen) : [];
  return {
    layout: split.layout,
    initial: split.shared(initialVector(model, frozen)),
    warnings: [
      ...warnings,
      ...split.warnings,
      ...unreached.map((name) => `"${name}" is not trained: no gradient reaches it`),
    ],
  };
}

/** Whether all dimensions of the model's inputs but the batch are known. */
const isSized = ({ graph }: Model): boolean =>
  graph.inputs.every(({ shape }) => shape.slice(1).every((dim) => typeof dim === 'number'));

/** Builds both passes for one batch; names the parameters that get no gradient. */
function unreachedParameters(model: Model, frozen: readonly string[]): readonly string[] {
  const input = modelInput(model);
  const [dim] = input.shape;
  const batchSize = typeof dim === 'number' ? dim : 1;
  const { g, output, state, ownRules } = dryRun(model, [batchSize, ...ownExample(input)], frozen);
  const seed = g.broadcastTo(g.number(1), g.shape(output));
  const names = trainableParameters(model, frozen).map(({ name }) => name);
  const wanted = names.map((name) => state.get(name)!);
  const found = backward({ g, nodes: [...g.builder.nodes], output, seed, wanted, ownRules });
  return names.filter((name) => !found.has(state.get(name)!));
}
