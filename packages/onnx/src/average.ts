import { assert, ProtocolError } from '@starling/core';
import { printGraph } from './print.ts';
import { readModel } from './read.ts';
import { equalShapes } from './tensor.ts';
import type { Model, Tensor } from './types.ts';
import { replaceInitializers } from './write.ts';

/** A model's file and how much it counts beside the others. */
export interface WeightedModel {
  readonly model: Uint8Array;
  /** A whole number from 1 on, so that equal shares are written by all in one way. */
  readonly weight: number;
}

/**
 * Σ weightᵢ · modelᵢ / Σ weightᵢ over every float32 initializer, in the first one's file. Sums are
 * of doubles in the order given, divided once and rounded once: the same bits on every machine, so
 * that anybody can check a recipe (McMahan et al. 2017, §2, of models instead of updates).
 * @throws ProtocolError `model-mismatch` when graphs, shapes or other constants differ
 */
export function averageModels(parts: readonly WeightedModel[]): Uint8Array {
  const [first] = parts;
  assert(first !== undefined, 'no models to average');
  const models = parts.map(({ model }) => readModel(model));
  for (const [i, model] of models.entries()) demandAlike(models[0]!, model, i + 1);
  const total = parts.reduce((sum, { weight }) => sum + weight, 0);
  const names = [...models[0]!.graph.initializers].filter(([, { dtype }]) => dtype === 'float32');
  const means = names.map(([name, { data }]) => {
    const sums = new Float64Array(data.length);
    for (const [i, { graph }] of models.entries()) {
      const values = graph.initializers.get(name)!.data as Float32Array;
      for (let at = 0; at < sums.length; at++) sums[at]! += parts[i]!.weight * values[at]!;
    }
    return [name, Float32Array.from(sums, (sum) => sum / total)] as const;
  });
  return replaceInitializers(first.model, new Map(means));
}

/** @param place of the second among those to be averaged, from 1 on */
function demandAlike(a: Model, b: Model, place: number): void {
  const fault = differenceOf(a, b);
  if (fault === undefined) return;
  const what = `model ${place} does not have the first one's ${fault}`;
  throw new ProtocolError('model-mismatch', `${what}: only models of one graph have a mean`);
}

function differenceOf(a: Model, b: Model): string | undefined {
  // Also every number of a constant in a node: the first model's would stand for all.
  const [one, other] = [a, b].map((model) => printGraph(bare(model), Number.POSITIVE_INFINITY));
  if (one !== other) return 'graph';
  if (a.graph.initializers.size !== b.graph.initializers.size) return 'weights';
  for (const [name, tensor] of a.graph.initializers) {
    const other = b.graph.initializers.get(name);
    if (other === undefined || !isAlike(tensor, other)) return `"${name}"`;
  }
  return undefined;
}

const bare = ({ graph }: Model) => ({ ...graph, name: '', initializers: new Map() });

/** Weights of one shape have a mean; what is counted with must be the same. */
function isAlike(a: Tensor, b: Tensor): boolean {
  if (a.dtype !== b.dtype || !equalShapes(a.shape, b.shape)) return false;
  return a.dtype === 'float32' || a.data.every((value, i) => value === b.data[i]);
}
