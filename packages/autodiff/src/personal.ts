import { assert, ProtocolError } from '@starling/core';
import { elementCount, type Model } from '@starling/onnx';
import { idlePatterns, isNamed } from './frozen.ts';
import type { MetricOutput } from './measured.ts';
import { modelState, type Parameter } from './model-state.ts';

/** Which weights of a model are not in a job's vector, by patterns of names; see `isNamed`. */
export interface WeightPatterns {
  /** They stay as launched. */
  readonly frozen: readonly string[];
  /** Each peer trains its own (FedPer, Arivazhagan et al. 2019). */
  readonly personal: readonly string[];
  /** Outputs of the model that are measured and not trained. */
  readonly metrics?: readonly MetricOutput[];
}

/** Every weight that training changes is in the vector. */
export const ALL_SHARED: WeightPatterns = { frozen: [], personal: [] };

/** A stretch of the whole vector. */
interface Stretch {
  readonly at: number;
  readonly length: number;
}

/**
 * A peer trains one whole vector, what `vectorState` lists. Here it is taken apart: the job's
 * vector, which all peers share, and this peer's own values, each in the order of the whole.
 * Running statistics can be personal like weights (FedBN, Li et al. 2021).
 */
export class VectorSplit {
  /** Of the job's vector. */
  readonly layout: { readonly parameters: number; readonly buffers: number };
  /** Patterns that match nothing which is trained, in a sentence each. */
  readonly warnings: readonly string[];
  readonly #shared: readonly Stretch[];
  readonly #own: readonly Stretch[];
  readonly #parameters: number;

  /** @throws ProtocolError `model-mismatch` when no weight is left to share */
  constructor(model: Model, { frozen, personal }: WeightPatterns) {
    const { parameters, buffers } = modelState(model, frozen);
    const isOwn = ({ name }: Parameter) => isNamed(name, personal);
    const isShared = (parameter: Parameter) => !isOwn(parameter);
    if (parameters.every(isOwn)) {
      const what = `no weight is left to share: ${personal.join(', ')} makes all personal`;
      throw new ProtocolError('model-mismatch', what);
    }
    const all = [...parameters, ...buffers];
    this.layout = {
      parameters: lengthOf(parameters.filter(isShared)),
      buffers: lengthOf(buffers.filter(isShared)),
    };
    this.#parameters = lengthOf(parameters);
    this.#shared = stretchesOf(all, isShared);
    this.#own = stretchesOf(all, isOwn);
    const names = all.map(({ name }) => name);
    this.warnings = idlePatterns(names, personal).map(
      (pattern) => `personal: "${pattern}" matches no weight that is trained`,
    );
  }

  /** Elements of a peer's own values; 0 where everything is shared. */
  get ownLength(): number {
    return total(this.#own);
  }

  /** The job's part of a whole vector; itself where that is all. */
  shared(whole: Float32Array): Float32Array {
    return this.ownLength === 0 ? whole : gathered(this.#shared, whole);
  }

  /** A peer's own part of a whole vector. */
  own(whole: Float32Array): Float32Array {
    return gathered(this.#own, whole);
  }

  /** The whole vector of both parts; the shared part itself where there is no other. */
  join(shared: Float32Array, own: Float32Array): Float32Array {
    checkLength('a vector', shared, total(this.#shared));
    checkLength('personal weights', own, this.ownLength);
    if (own.length === 0) return shared;
    const whole = new Float32Array(shared.length + own.length);
    scatter(this.#shared, shared, whole);
    scatter(this.#own, own, whole);
    return whole;
  }

  /** Values of the shared weights at their places among all; 0 at those of the personal ones. */
  spread(values: Float32Array): Float32Array {
    if (this.ownLength === 0) return values;
    assert(values.length === this.layout.parameters, `${values.length} values for shared weights`);
    const spread = new Float32Array(this.#parameters);
    const places = this.#shared.filter(({ at }) => at < this.#parameters);
    scatter(cutTo(places, this.#parameters), values, spread);
    return spread;
  }
}

const lengthOf = (parameters: readonly Parameter[]): number =>
  parameters.reduce((sum, { shape }) => sum + elementCount(shape), 0);

const total = (stretches: readonly Stretch[]): number =>
  stretches.reduce((sum, { length }) => sum + length, 0);

/** Places of the chosen parameters, neighbours as one. */
function stretchesOf(
  parameters: readonly Parameter[],
  chosen: (parameter: Parameter) => boolean,
): readonly Stretch[] {
  const stretches: Stretch[] = [];
  let at = 0;
  for (const parameter of parameters) {
    const length = elementCount(parameter.shape);
    const last = stretches.at(-1);
    if (chosen(parameter)) {
      if (last !== undefined && last.at + last.length === at) {
        stretches.splice(-1, 1, { at: last.at, length: last.length + length });
      } else stretches.push({ at, length });
    }
    at += length;
  }
  return stretches;
}

/** Nothing beyond `end`. */
const cutTo = (stretches: readonly Stretch[], end: number): readonly Stretch[] =>
  stretches.map(({ at, length }) => ({ at, length: Math.min(length, end - at) }));

function gathered(stretches: readonly Stretch[], whole: Float32Array): Float32Array {
  const part = new Float32Array(total(stretches));
  let to = 0;
  for (const { at, length } of stretches) {
    part.set(whole.subarray(at, at + length), to);
    to += length;
  }
  return part;
}

function scatter(stretches: readonly Stretch[], part: Float32Array, whole: Float32Array): void {
  let from = 0;
  for (const { at, length } of stretches) {
    whole.set(part.subarray(from, from + length), at);
    from += length;
  }
}

function checkLength(name: string, vector: Float32Array, length: number): void {
  if (vector.length === length) return;
  const what = `${name} of ${vector.length} elements for a model of ${length}`;
  throw new ProtocolError('model-mismatch', what);
}
