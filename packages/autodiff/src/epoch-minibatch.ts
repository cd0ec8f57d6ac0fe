import { type Augmentation, movedImages, withNoise } from './augmentation.ts';
import type { MinibatchPlan } from './epoch-plan.ts';
import type { GradientTerms } from './gradient-terms.ts';
import {
  type Factor,
  gatherRows,
  type MinibatchResult,
  normalised,
  type Training,
  trainMinibatch,
} from './minibatch.ts';
import type { Ops } from './ops.ts';
import type { Optimizer } from './optimizer-rules.ts';

/** What the steps of an epoch graph share; names are of the outermost graph. */
export interface EpochShared {
  readonly outer: Ops;
  readonly training: Training;
  readonly plan: MinibatchPlan;
  readonly resident: {
    readonly data: string;
    readonly targets: string | undefined;
    readonly order: string;
    readonly words: string | undefined;
    readonly scale: number;
    readonly augment: Augmentation | undefined;
    /** What is drawn for it in each minibatch; undefined where nothing is. */
    readonly moves: string | undefined;
    readonly noise: string | undefined;
    /** Which minibatches are the smaller last ones; undefined when none is. */
    readonly isLast: string | undefined;
    /** Of each step, where they differ. */
    readonly minibatches: string | undefined;
    readonly share: string | undefined;
    /** Of each step, where examples are drawn one by one. */
    readonly gradientNoise: string | undefined;
  };
  /** Greatest L2 norm of one example's gradient, where examples are drawn one by one. */
  readonly exampleClipping: number | undefined;
  readonly optimizer: Optimizer;
  /** Of the optimiser, each a scalar or with one element for each step. */
  readonly scalars: readonly string[];
  /** The learning rate, when gradients are to hold it. */
  readonly rate: string | undefined;
  readonly terms: GradientTerms;
}

export interface GradientInput {
  readonly iteration: string;
  readonly weights: readonly string[];
  /** Values of the buffers. */
  readonly statistics: readonly string[];
}

/** What is drawn at random for a minibatch, or for each of several. */
type Drawn = Pick<EpochShared['resident'], 'words' | 'moves' | 'noise'>;

export const drawnAt = (g: Ops, { words, moves, noise }: Drawn, at: string): Drawn => ({
  words: words && gatherRows(g, words, at),
  moves: moves && gatherRows(g, moves, at),
  noise: noise && gatherRows(g, noise, at),
});

export interface MinibatchInput extends Omit<GradientInput, 'iteration'>, Drawn {
  /** Rows of the data, [batchSize]. */
  readonly rows: string;
  /** Whether only the first `lastBatch` rows count; undefined when all always do. */
  readonly isLast: string | undefined;
  readonly factor: Factor | undefined;
}

/** A minibatch of the examples `rows`. */
export function gatheredMinibatch(
  g: Ops,
  shared: EpochShared,
  input: MinibatchInput,
): MinibatchResult {
  const { training, resident } = shared;
  const { rows, weights, statistics, words, factor } = input;
  const { parameters, buffers } = training.state;
  const values = new Map([
    ...parameters.map(({ name }, i) => [name, weights[i]!] as const),
    ...buffers.map(({ name }, i) => [name, statistics[i]!] as const),
  ]);
  return trainMinibatch(g, training, {
    batch: augmented(g, resident, input),
    target: resident.targets && gatherRows(g, resident.targets, rows),
    values,
    words,
    factor,
  });
}

/** The minibatch's examples, normalised and changed as was drawn. */
function augmented(g: Ops, resident: EpochShared['resident'], input: MinibatchInput): string {
  const { data, scale, augment } = resident;
  const plain = normalised(g, gatherRows(g, data, input.rows), scale);
  if (augment === undefined) return plain;
  const { moves, noise } = input;
  const moved = moves === undefined ? plain : movedImages(g, plain, moves, augment.crop);
  return noise === undefined ? moved : withNoise(g, moved, noise, augment.noise);
}
