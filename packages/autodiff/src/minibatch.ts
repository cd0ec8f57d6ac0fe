import { int, type Model } from '@starling/onnx';
import { backward } from './backward.ts';
import { dropoutMasks } from './dropout.ts';
import { forward } from './forward.ts';
import { LOSS_SCALE, type Precision, productsInHalf } from './half-precision.ts';
import { type LossKind, type LossOptions, type LossTerms, lossTerms } from './losses.ts';
import type { ModelState } from './model-state.ts';
import type { Ops } from './ops.ts';

/** What all minibatches of a graph share; names are of the outermost graph. */
export interface Training {
  readonly model: Model;
  readonly loss: LossKind;
  readonly lossOptions: LossOptions | undefined;
  readonly state: ModelState;
  /** float32 unless told. */
  readonly precision?: Precision | undefined;
}

export interface Minibatch {
  /** [batch, …example], as numbers or indices. */
  readonly batch: string;
  readonly target: string | undefined;
  /** Values of parameters and buffers by name. */
  readonly values: ReadonlyMap<string, string>;
  /** Random words of the dropouts, absent when nothing is dropped. */
  readonly words: string | undefined;
  /** What the gradients are multiplied by. */
  readonly factor?: Factor | undefined;
  /** Whether 32-bit indices stay so where the model says 64; see `ForwardOptions`. */
  readonly narrow?: boolean | undefined;
}

/** A float32 scalar, and where it is made: what follows from it alone is written there. */
export interface Factor {
  readonly at: Ops;
  readonly value: string;
}

export interface MinibatchResult {
  /** Of each parameter. */
  readonly gradients: readonly string[];
  /** Each buffer behind this minibatch. */
  readonly buffers: readonly string[];
  readonly loss: string;
}

/** Forward and backward pass over one minibatch. */
export function trainMinibatch(
  g: Ops,
  { model, loss, lossOptions, state, precision }: Training,
  { batch, target, values, words, factor, narrow }: Minibatch,
): MinibatchResult {
  const examples = g.shape(batch)[0]!;
  const masks = words === undefined ? undefined : dropoutMasks(g, words);
  const made = forward({
    g,
    model,
    batch,
    target,
    state: values,
    training: { dropout: masks },
    narrow,
  });
  const { output, ownRules } = made;
  const terms = lossTerms(g, { loss, options: lossOptions, output, target, examples });
  const wanted = state.parameters.map(({ name }) => values.get(name)!);
  const isHalf = precision === 'float16';
  const seed = seedOf(g, terms, isHalf ? enlarged(g, factor) : factor);
  const nodes = [...g.builder.nodes];
  const found = backward({ g, nodes, output, seed, wanted, ownRules });
  if (isHalf) productsInHalf(g.builder);
  const back = isHalf ? 1 / LOSS_SCALE : 1;
  return {
    gradients: wanted.map((name) => g.scale(found.get(name) ?? g.zeros(g.shape(name)), back)),
    buffers: state.buffers.map(({ name }) => made.state.get(name)!),
    loss: terms.mean,
  };
}

const enlarged = (g: Ops, factor: Factor | undefined): Factor =>
  factor === undefined
    ? { at: g, value: g.number(LOSS_SCALE) }
    : { at: factor.at, value: factor.at.scale(factor.value, LOSS_SCALE) };

/** Gradient of the mean loss with respect to the output, times `factor`. */
function seedOf(g: Ops, { error, slope, weight }: LossTerms, factor: Factor | undefined): string {
  if (factor === undefined) {
    if (typeof weight === 'number') return g.scale(error(), slope / weight);
    return g.mul(error(), g.div(g.number(slope), weight));
  }
  if (typeof weight === 'number') {
    return g.mul(error(), factor.at.scale(factor.value, slope / weight));
  }
  return g.mul(error(), g.div(factor.at.scale(factor.value, slope), weight));
}

/** Rows of `table` [rows, …] at an index or a list of them. */
export const gatherRows = (g: Ops, table: string, rows: string): string =>
  g.call('Gather', [table, rows], { axis: int(0) });

/** Gathered data times `scale`, as float32; indices without a scale stay integers. */
export const normalised = (g: Ops, batch: string, scale: number): string =>
  scale === 1 ? batch : g.scale(g.cast(batch, 'float32'), scale);
