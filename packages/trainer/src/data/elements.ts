import { ConfigError } from '@starling/core';
import type { ElementInfo, RawNumbers } from './source.ts';

/** How numbers are prepared for a model. */
export type Normalisation =
  /** Mean 0, standard deviation 1. */
  | { readonly kind: 'standard' }
  /** From 0 to 1. */
  | { readonly kind: 'minmax' }
  | { readonly kind: 'scale'; readonly factor: number }
  | { readonly kind: 'none' };

/**
 * A data set's own conversion: bytes stay bytes and the graph multiplies; else each number becomes
 * (x − shift) · factor in double precision, rounded once. One shift and factor for each feature, or
 * one of all.
 */
export type ElementPlan =
  | Exclude<ElementInfo, { readonly dtype: 'float32' }>
  | {
      readonly dtype: 'float32';
      readonly shift: readonly number[];
      readonly factor: readonly number[];
    };

/**
 * Reads `standard`, `minmax`, `none`, `scale:0.5` or `scale:1/255`.
 * @throws ConfigError
 */
export function parseNormalisation(text: string): Normalisation {
  if (text === 'standard' || text === 'minmax' || text === 'none') return { kind: text };
  const [, above, below = '1'] = /^scale:([\d.e+-]+)(?:\/([\d.e+-]+))?$/i.exec(text) ?? [];
  const factor = Number(above) / Number(below);
  if (Number.isFinite(factor) && factor !== 0) return { kind: 'scale', factor };
  const hint = 'Choose standard, minmax, none, or scale:FACTOR such as scale:1/255';
  throw new ConfigError('normalise', `"${text}" is no normalisation`, hint);
}

export interface NumberRange {
  readonly min: number;
  readonly max: number;
  readonly mean: number;
  readonly deviation: number;
}

/** What is known of a stream of numbers when all have been seen; memory does not grow. */
export class Moments {
  count = 0;
  min = Number.POSITIVE_INFINITY;
  max = Number.NEGATIVE_INFINITY;
  /** Whether all numbers are whole. */
  whole = true;
  #first = 0;
  #sum = 0;
  #squares = 0;

  add(value: number): void {
    if (this.count === 0) this.#first = value;
    this.count++;
    if (value < this.min) this.min = value;
    if (value > this.max) this.max = value;
    if (this.whole && !Number.isInteger(value)) this.whole = false;
    // About the first value: sums of squares of large numbers would leave nothing of a deviation.
    const offset = value - this.#first;
    this.#sum += offset;
    this.#squares += offset * offset;
  }

  get mean(): number {
    return this.count === 0 ? 0 : this.#first + this.#sum / this.count;
  }

  /** Standard deviation of the population. */
  get deviation(): number {
    if (this.count === 0) return 0;
    const mean = this.#sum / this.count;
    return Math.sqrt(Math.max(0, this.#squares / this.count - mean * mean));
  }

  /** Null where there was none. */
  get range(): NumberRange | null {
    const { count, min, max, mean, deviation } = this;
    return count === 0 ? null : { min, max, mean, deviation };
  }

  /** Whether a byte holds each number. */
  get fitsByte(): boolean {
    return this.whole && this.min >= 0 && this.max <= 255;
  }
}

/**
 * @param features what was seen of each feature, or of all numbers as one
 * @param bytes whether every number is a whole one from 0 to 255
 */
export function planElements(
  normalisation: Normalisation,
  features: readonly Moments[],
  bytes: boolean,
): ElementPlan {
  // Bytes without a scale would reach the model as integers.
  if (normalisation.kind === 'scale' && bytes && normalisation.factor !== 1) {
    return { dtype: 'uint8', scale: normalisation.factor };
  }
  const parts = features.map((moments) => affine(normalisation, moments));
  return {
    dtype: 'float32',
    shift: collapsed(parts.map(({ shift }) => shift)),
    factor: collapsed(parts.map(({ factor }) => factor)),
  };
}

/**
 * The first of several features that hold a number which single precision does not, once it is
 * prepared; −1 where all do.
 */
export function beyondFloat(plan: ElementPlan, features: readonly Moments[]): number {
  if (plan.dtype !== 'float32') return -1;
  const { shift, factor } = plan;
  const fits = (value: number, feature: number) =>
    Number.isFinite(Math.fround((value - pick(shift, feature)) * pick(factor, feature)));
  return features.findIndex(
    ({ count, min, max }, i) => count > 0 && !(fits(min, i) && fits(max, i)),
  );
}

/** As targets are: numbers as they are. */
export const PLAIN: ElementPlan = { dtype: 'float32', shift: [0], factor: [1] };

function affine(normalisation: Normalisation, { min, max, mean, deviation }: Moments) {
  // A feature that is always the same tells nothing: it becomes 0.
  const inverse = (range: number) => (range > 0 ? 1 / range : 1);
  switch (normalisation.kind) {
    case 'standard':
      return { shift: mean, factor: inverse(deviation) };
    case 'minmax':
      return { shift: min, factor: inverse(max - min) };
    case 'scale':
      return { shift: 0, factor: normalisation.factor };
    case 'none':
      return { shift: 0, factor: 1 };
  }
}

/** One number where all are the same. */
const collapsed = (values: readonly number[]): readonly number[] =>
  values.every((value) => value === values[0]) ? values.slice(0, 1) : values;

/** Rows of `features` numbers in the form that a graph is fed with. */
export function convertElements(
  plan: ElementPlan,
  raw: RawNumbers,
  features: number,
): Uint8Array | Float32Array | Int32Array {
  if (plan.dtype === 'uint8') return raw instanceof Uint8Array ? raw : Uint8Array.from(raw);
  if (plan.dtype === 'int32') return raw instanceof Int32Array ? raw : Int32Array.from(raw);
  const out = new Float32Array(raw.length);
  const { shift, factor } = plan;
  for (let i = 0; i < raw.length; i++) {
    const feature = i % features;
    out[i] = (raw[i]! - pick(shift, feature)) * pick(factor, feature);
  }
  return out;
}

/** Entry of a feature in a list that has one for each, or one for all. */
export const pick = (values: readonly number[], feature: number): number =>
  values.length === 1 ? values[0]! : values[feature]!;
