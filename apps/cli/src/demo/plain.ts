import { hashHex } from '@starling/crypto';
import { dequantiseSum, metricWords, updateCodec } from '@starling/federation';
import { type Slot, slotKey } from '@starling/rounds';
import { bytesOfWords } from '@starling/secagg';

export interface PlainOptions {
  readonly bits: number;
  readonly peersMax: number;
  readonly clippingNorm: number;
}

/**
 * What the very same inputs give without any secure aggregation: integer sums to compare with those
 * the peers opened, and plain FedAvg in floating point, carried over all rounds.
 */
export class PlainFedAvg {
  readonly #options: PlainOptions;
  readonly #inputs = new Map<string, Uint32Array>();
  readonly #opened = new Map<string, Set<string>>();
  #model: Float64Array;
  integerSumsEqual = true;

  constructor(initial: Float32Array, options: PlainOptions) {
    this.#model = Float64Array.from(initial);
    this.#options = options;
  }

  input(peer: string, round: number, slot: Slot, words: Uint32Array): void {
    this.#inputs.set(`${round}/${slotKey(slot)}/${peer}`, words);
  }

  /** SHA-256 of the sum that a peer opened. */
  opened(round: number, slot: Slot, hash: string): void {
    const place = `${round}/${slotKey(slot)}`;
    this.#opened.set(place, (this.#opened.get(place) ?? new Set()).add(hash));
  }

  /** Closes a certified round over its survivors. */
  close(round: number, slot: Slot, survivors: readonly string[]): void {
    const place = `${round}/${slotKey(slot)}`;
    const inputs = survivors.map((peer) => this.#inputs.get(`${place}/${peer}`));
    const first = inputs[0];
    if (first === undefined || inputs.some((words) => words === undefined)) {
      this.integerSumsEqual = false;
      return;
    }
    const mask = 2 ** this.#options.bits - 1;
    const sum = new Uint32Array(first.length);
    for (const words of inputs) {
      for (let i = 0; i < sum.length; i++) sum[i] = (sum[i]! + words![i]!) & mask;
    }
    const hashes = this.#opened.get(place) ?? new Set<string>();
    const equal = hashes.size === 1 && hashes.has(hashHex(bytesOfWords(sum)));
    this.integerSumsEqual &&= equal;
    this.#apply(inputs as Uint32Array[]);
    for (const key of this.#inputs.keys()) {
      if (key.startsWith(`${round}/`)) this.#inputs.delete(key);
    }
  }

  /** Mean of the single inputs, each back in floating point: not by way of their sum. */
  #apply(inputs: readonly Uint32Array[]): void {
    const codec = updateCodec(this.#options);
    const next = this.#model.slice();
    for (const words of inputs) {
      const update = dequantiseSum(words.subarray(0, words.length - metricWords(codec)), 1, codec);
      for (let i = 0; i < next.length; i++) next[i] = next[i]! + update[i]! / inputs.length;
    }
    this.#model = next;
  }

  get model(): Float32Array {
    return Float32Array.from(this.#model);
  }

  maxAbsDifference(vector: Float32Array): number {
    let most = 0;
    for (let i = 0; i < vector.length; i++) {
      most = Math.max(most, Math.abs(vector[i]! - this.#model[i]!));
    }
    return most;
  }
}
