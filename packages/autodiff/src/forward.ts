import { GraphBuilder, type Model, replayGraph, type ValueInfo } from '@starling/onnx';
import { countingMasks } from './dropout.ts';
import { checkedType, modelInput, ownExample, shapeFor, targetInput } from './model-inputs.ts';
import { vectorState } from './model-state.ts';
import { Ops } from './ops.ts';
import type { GradientRule } from './rule.ts';
import { rewriting, type TrainingPass } from './rules-training.ts';

export interface ForwardOptions {
  readonly g: Ops;
  readonly model: Model;
  /** Batch in the builder, [batch, …example]. */
  readonly batch: string;
  /** Target in the builder, for a model that takes it as its second input. */
  readonly target?: string | undefined;
  /** Names in the builder for parameters and buffers; what is missing is a constant. */
  readonly state: ReadonlyMap<string, string>;
  /** Present in training, absent in evaluation. */
  readonly training?: TrainingPass | undefined;
  /**
   * Whether 32-bit indices stay so where the model says 64: GPUs have no others, and what looks
   * them up takes both. Type inference refuses a model that does more with them.
   */
  readonly narrow?: boolean | undefined;
  /** Outputs behind the first, which are wanted, too; none unless told. */
  readonly others?: number;
}

export interface Forwarded {
  /** The model's output, [batch, …] or whatever the model makes of it. */
  readonly output: string;
  /** As many as were wanted. */
  readonly others: readonly string[];
  /** Names in the builder for the state after this batch: buffers have moved in training. */
  readonly state: ReadonlyMap<string, string>;
  /** Gradient rules of single nodes, for `backward`. */
  readonly ownRules: ReadonlyMap<string, GradientRule>;
}

/** Repeats the model inside the builder, for one batch. */
export function forward(options: ForwardOptions): Forwarded {
  const { g, model, batch, target, state, training, narrow = false, others = 0 } = options;
  const input = modelInput(model, 1 + others);
  const second = targetInput(model);
  const bindings = new Map(state).set(input.name, fitted(g, batch, input, narrow));
  if (second !== undefined && target !== undefined) {
    bindings.set(second.name, fitted(g, target, second, narrow));
  }
  const { rewrite, newest, ownRules } = rewriting(g, training);
  const made = replayGraph(model.graph, { builder: g.builder, bindings, rewrite });
  const after = new Map(Array.from(state, ([name, value]) => [name, newest(value)] as const));
  return { output: made[0]!, others: made.slice(1), state: after, ownRules };
}

/** A fed value in the shape and type of the model's input. */
function fitted(g: Ops, value: string, input: ValueInfo, narrow: boolean): string {
  const [count, ...example] = g.shape(value);
  const dtype = checkedType(input);
  const shaped = g.reshape(value, shapeFor(input, count!, example));
  const stays = narrow && dtype === 'int64' && g.builder.type(value).dtype === 'int32';
  return stays ? shaped : g.cast(shaped, dtype);
}

/** A model written once for one batch of a training pass, to find out about it. */
export interface DryRun extends Omit<Forwarded, 'state' | 'others'> {
  readonly g: Ops;
  /** Names in the builder of parameters and buffers, by name. */
  readonly state: ReadonlyMap<string, string>;
  /** Dropouts that take effect in training. */
  readonly dropouts: number;
}

/**
 * @param batchShape [batch, …example]
 * @param frozen patterns of weights that are constants
 */
export function dryRun(
  model: Model,
  batchShape: readonly number[],
  frozen: readonly string[] = [],
): DryRun {
  const g = new Ops(new GraphBuilder());
  const state = new Map(
    vectorState(model, frozen).map(({ name, shape }) => {
      return [name, g.builder.input(name, { dtype: 'float32', shape })] as const;
    }),
  );
  const feed = (name: string, input: ValueInfo, shape: readonly number[]) =>
    g.builder.input(name, { dtype: checkedType(input), shape });
  const batch = feed('batch', modelInput(model), batchShape);
  const second = targetInput(model);
  const target = second && feed('target', second, [batchShape[0]!, ...ownExample(second)]);
  const masks = countingMasks(g);
  const made = forward({ g, model, batch, target, state, training: { dropout: masks } });
  return { g, output: made.output, ownRules: made.ownRules, state, dropouts: masks.count() };
}

/** Shape of the model's output for a batch of the given shape. */
export function outputShape(model: Model, batchShape: readonly number[]): readonly number[] {
  const { g, output } = dryRun(model, batchShape);
  return g.shape(output);
}
