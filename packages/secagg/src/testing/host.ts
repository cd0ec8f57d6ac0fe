import { assert, toHex } from '@starling/core';
import { sha256 } from '@starling/crypto';
import {
  addMasks,
  bytesOfWords,
  chunkLayout,
  maskTo,
  packWords,
  sumInto,
  tagOf,
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
  keepSum(chunk: number, sum: Uint32Array): Uint8Array;
  /** The plain sum with this hash, to give to others. */
  plainOf(chunk: number, hash: Uint8Array): Uint32Array | undefined;
  keepPlain(chunk: number, words: Uint32Array): Uint8Array;
  /** A masked chunk that is here, of this member or of others. */
  chunkOf(chunk: number, of: number): Uint8Array | undefined;
}

/** With `lies`, every sum this host makes is one too large in its first word. */
export function createHost(
  self: number,
  shape: RingShape,
  input: Uint32Array,
  lies: boolean = false,
): Host {
  return new MemoryHost(self, shape, input, lies);
}

class MemoryHost implements Host {
  readonly input: Uint32Array;
  masked: readonly Uint8Array[] = [];
  result: Uint32Array | undefined;
  readonly #self: number;
  readonly #shape: RingShape;
  readonly #chunks = new Map<string, Uint8Array>();
  /** `chunk/hash` → sum. */
  readonly #sums = new Map<string, Uint32Array>();
  readonly #plain = new Map<string, Uint32Array>();
  #lies: boolean;

  constructor(self: number, shape: RingShape, input: Uint32Array, lies: boolean) {
    this.#lies = lies;
    this.#self = self;
    this.#shape = shape;
    this.input = input;
  }

  compute(compute: SessionCompute): SessionEvent {
    switch (compute.task) {
      case 'mask':
        return this.#mask(compute);
      case 'sum':
        return this.#sum(compute);
      case 'tag-chunks':
        return this.#tagChunks(compute);
      case 'tag-sums':
        return this.#tagSums(compute);
      case 'unmask-chunks':
        return this.#unmaskChunks(compute);
      case 'assemble':
        return this.#assemble(compute);
      default:
        return this.#unmask(compute);
    }
  }

  keepChunk(chunk: number, from: number, body: Uint8Array): void {
    this.#chunks.set(`${chunk}/${from}`, body);
  }

  sumOf(chunk: number, hash: Uint8Array): Uint32Array | undefined {
    return this.#sums.get(`${chunk}/${toHex(hash)}`);
  }

  chunkOf(chunk: number, of: number): Uint8Array | undefined {
    return this.#chunks.get(`${chunk}/${of}`);
  }

  keepSum(chunk: number, sum: Uint32Array): Uint8Array {
    const hash = sha256(bytesOfWords(sum));
    this.#sums.set(`${chunk}/${toHex(hash)}`, sum);
    return hash;
  }

  plainOf(chunk: number, hash: Uint8Array): Uint32Array | undefined {
    return this.#plain.get(`${chunk}/${toHex(hash)}`);
  }

  keepPlain(chunk: number, words: Uint32Array): Uint8Array {
    const hash = sha256(packWords(words, this.#shape.bits));
    this.#plain.set(`${chunk}/${toHex(hash)}`, words);
    return hash;
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
      if (this.#lies) sum[0]! += 1;
      return { chunk, hash: this.keepSum(chunk, sum) };
    });
    return { kind: 'summed', sums };
  }

  #tagChunks({ chunks, seed }: Task<'tag-chunks'>): SessionEvent {
    // It knows the truth: asked later, to find out who lied, it gives the right sum.
    this.#lies = false;
    const layout = this.#layout();
    const tags = chunks.map(({ chunk, of }) => {
      const body = this.chunkOf(chunk, of);
      assert(body !== undefined, `asked to tag chunk ${chunk} of ${of}, which is not here`);
      const words = unpackWords(body, this.#shape.bits, layout.wordsOf(chunk));
      return { chunk, of, tag: tagOf(words, seed, layout.offsetOf(chunk)) };
    });
    return { kind: 'chunks-tagged', tags };
  }

  #tagSums({ sums, seed }: Task<'tag-sums'>): SessionEvent {
    const layout = this.#layout();
    const tags = sums.map(({ chunk, hash }) => {
      const sum = this.sumOf(chunk, hash);
      assert(sum !== undefined, `asked to tag a sum of chunk ${chunk} that is not here`);
      return { chunk, hash, tag: tagOf(sum, seed, layout.offsetOf(chunk)) };
    });
    return { kind: 'sums-tagged', tags };
  }

  #unmaskChunks({ sums, terms }: Task<'unmask-chunks'>): SessionEvent {
    const layout = this.#layout();
    const opened = sums.map(({ chunk, hash }): ChunkSum => {
      const words = this.sumOf(chunk, hash)?.slice();
      assert(words !== undefined, `asked to unmask a sum of chunk ${chunk} that is not here`);
      addMasks(words, terms, layout.offsetOf(chunk));
      maskTo(words, this.#shape.bits);
      return { chunk, hash: this.keepPlain(chunk, words) };
    });
    return { kind: 'chunks-unmasked', sums: opened };
  }

  #assemble({ sums, survivors }: Task<'assemble'>): SessionEvent {
    const layout = this.#layout();
    const total = new Uint32Array(this.#shape.length);
    for (const { chunk, hash } of sums) {
      const words = this.plainOf(chunk, hash);
      assert(words !== undefined, `the plain sum of chunk ${chunk} is not here`);
      total.set(words, layout.offsetOf(chunk));
    }
    return this.#opened(total, survivors);
  }

  #unmask({ sums, terms, survivors }: Task<'unmask'>): SessionEvent {
    const layout = this.#layout();
    const total = new Uint32Array(this.#shape.length);
    for (const { chunk, hash } of sums) {
      const sum = this.sumOf(chunk, hash);
      assert(sum !== undefined, `asked to unmask without the sum of chunk ${chunk}`);
      total.set(sum, layout.offsetOf(chunk));
    }
    addMasks(total, terms, 0);
    maskTo(total, this.#shape.bits);
    return this.#opened(total, survivors);
  }

  #opened(total: Uint32Array, survivors: number): SessionEvent {
    this.result = total;
    const greatest = survivors * this.#shape.coordinateMax;
    const digest = sha256(packWords(total, this.#shape.bits));
    const inRange = total.every((word) => word <= greatest);
    return { kind: 'unmasked', result: 'sum', inRange, digest };
  }
}
