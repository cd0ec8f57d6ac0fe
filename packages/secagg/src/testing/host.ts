import { assert, equalBytes } from '@starling/core';
import { sha256 } from '@starling/crypto';
import {
  addMasks,
  bytesOfWords,
  chunkLayout,
  maskTo,
  packWords,
  sumInto,
  unpackWords,
} from '../ring/index.ts';
import type { ChunkSum, RingShape, SessionCompute, SessionEvent } from '../types.ts';

type Task<K extends SessionCompute['task']> = Extract<SessionCompute, { task: K }>;

/** What a host holds for one session: vectors behind handles, chunks, sums. In line, no worker. */
export interface Host {
  readonly input: Uint32Array;
  /** Packed masked chunks of this member, once computed. */
  readonly masked: readonly Uint8Array[];
  /** The opened sum, once computed. */
  readonly result: Uint32Array | undefined;
  compute(compute: SessionCompute): SessionEvent;
  keepChunk(chunk: number, from: number, body: Uint8Array): void;
  /** The sum with this hash, to give to others. */
  sumOf(chunk: number, hash: Uint8Array): Uint32Array | undefined;
  keepSum(chunk: number, sum: Uint32Array): void;
}

export function createHost(self: number, shape: RingShape, input: Uint32Array): Host {
  return new MemoryHost(self, shape, input);
}

class MemoryHost implements Host {
  readonly input: Uint32Array;
  masked: readonly Uint8Array[] = [];
  result: Uint32Array | undefined;
  readonly #self: number;
  readonly #shape: RingShape;
  readonly #chunks = new Map<string, Uint8Array>();
  readonly #sums = new Map<number, Uint32Array>();

  constructor(self: number, shape: RingShape, input: Uint32Array) {
    this.#self = self;
    this.#shape = shape;
    this.input = input;
  }

  compute(compute: SessionCompute): SessionEvent {
    if (compute.task === 'mask') return this.#mask(compute);
    return compute.task === 'sum' ? this.#sum(compute) : this.#unmask(compute);
  }

  keepChunk(chunk: number, from: number, body: Uint8Array): void {
    this.#chunks.set(`${chunk}/${from}`, body);
  }

  sumOf(chunk: number, hash: Uint8Array): Uint32Array | undefined {
    const sum = this.#sums.get(chunk);
    return sum && equalBytes(sha256(bytesOfWords(sum)), hash) ? sum : undefined;
  }

  keepSum(chunk: number, sum: Uint32Array): void {
    this.#sums.set(chunk, sum);
  }

  #layout() {
    return chunkLayout(this.#shape.length, this.#shape.bits, {
      chunkBytes: this.#shape.chunkBytes,
    });
  }

  #mask({ terms }: Task<'mask'>): SessionEvent {
    const layout = this.#layout();
    this.masked = Array.from({ length: layout.count }, (_, chunk) => {
      const at = layout.offsetOf(chunk);
      const words = this.input.slice(at, at + layout.wordsOf(chunk));
      addMasks(words, terms, at);
      maskTo(words, this.#shape.bits);
      return packWords(words, this.#shape.bits);
    });
    for (const [chunk, body] of this.masked.entries()) this.keepChunk(chunk, this.#self, body);
    return { kind: 'masked', chunkHashes: this.masked.map((body) => sha256(body)) };
  }

  #sum({ chunks, members }: Task<'sum'>): SessionEvent {
    const layout = this.#layout();
    const sums = chunks.map((chunk): ChunkSum => {
      const sum = new Uint32Array(layout.wordsOf(chunk));
      for (const member of members) {
        const body = this.#chunks.get(`${chunk}/${member}`);
        assert(body !== undefined, `asked to add chunk ${chunk} of ${member}, which is not here`);
        sumInto(sum, unpackWords(body, this.#shape.bits, sum.length));
      }
      this.keepSum(chunk, sum);
      return { chunk, hash: sha256(bytesOfWords(sum)) };
    });
    return { kind: 'summed', sums };
  }

  #unmask({ terms, survivors }: Task<'unmask'>): SessionEvent {
    const layout = this.#layout();
    const total = new Uint32Array(this.#shape.length);
    for (let chunk = 0; chunk < layout.count; chunk++) {
      const sum = this.#sums.get(chunk);
      assert(sum !== undefined, `asked to unmask without the sum of chunk ${chunk}`);
      total.set(sum, layout.offsetOf(chunk));
    }
    addMasks(total, terms, 0);
    maskTo(total, this.#shape.bits);
    this.result = total;
    const greatest = survivors * this.#shape.coordinateMax;
    return { kind: 'unmasked', result: 'sum', inRange: total.every((word) => word <= greatest) };
  }
}
