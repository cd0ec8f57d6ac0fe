import { assert, equalBytes, toHex } from '@starling/core';
import { sha256 } from '@starling/crypto';
import { inlineCompute } from '@starling/node';
import {
  type ChunkSum,
  type MaskTerm,
  ringBudget,
  type SessionCompute,
  type SessionConfig,
  type SessionEvent,
} from '@starling/secagg';

type Task<K> = Extract<SessionCompute, { task: K }>;

/** What one member of a benchmark's cell holds: a node's vectors and kernels, without a node. */
export class CellHost {
  readonly #config: SessionConfig;
  readonly #input: Uint32Array;
  /** `chunk/member`, `sum/chunk/hash`. */
  readonly #bytes = new Map<string, Uint8Array>();
  result: Uint32Array | undefined;

  constructor(config: SessionConfig, input: Uint32Array) {
    this.#config = config;
    this.#input = input;
  }

  chunk(chunk: number, of: number): Uint8Array {
    return this.#held(`${chunk}/${of}`);
  }

  sum(sum: ChunkSum): Uint8Array {
    return this.#held(sumName(sum));
  }

  /** Takes another's chunk; the answer is its hash, as a node computes it for every chunk. */
  keepChunk(chunk: number, from: number, body: Uint8Array): Uint8Array {
    this.#bytes.set(`${chunk}/${from}`, body);
    return sha256(body);
  }

  plain(sum: ChunkSum): Uint8Array {
    return this.#held(plainName(sum));
  }

  /** Takes a sum that was fetched, and checks it as a node checks every blob. */
  keepSum(sum: ChunkSum, body: Uint8Array): void {
    this.#keepPart(sumName(sum), sum, body);
  }

  keepPlain(sum: ChunkSum, body: Uint8Array): void {
    this.#keepPart(plainName(sum), sum, body);
  }

  #keepPart(name: string, { hash }: ChunkSum, body: Uint8Array): void {
    assert(equalBytes(sha256(body), hash), 'a fetched sum has another hash');
    this.#bytes.set(name, body);
  }

  async compute(compute: SessionCompute): Promise<SessionEvent> {
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

  get #peers(): number {
    return this.#config.members.length;
  }

  #held(name: string): Uint8Array {
    const bytes = this.#bytes.get(name);
    assert(bytes !== undefined, `${name} is counted as here, but is not`);
    return bytes;
  }

  async #mask({ terms }: Task<'mask'>): Promise<SessionEvent> {
    const { shape, self } = this.#config;
    const task = { words: this.#input, terms: plain(terms), shape };
    const { chunks, hashes } = await inlineCompute.run('mask', task);
    for (const [chunk, bytes] of chunks.entries()) this.#bytes.set(`${chunk}/${self}`, bytes);
    return { kind: 'masked', chunkHashes: hashes };
  }

  async #sum({ chunks, members }: Task<'sum'>): Promise<SessionEvent> {
    const { shape } = this.#config;
    const parts = chunks.map((chunk) => {
      return { chunk, packed: members.map((member) => this.chunk(chunk, member)) };
    });
    const { sums } = await inlineCompute.run('sum', { parts, shape, peers: this.#peers });
    for (const sum of sums) this.#bytes.set(sumName(sum), sum.bytes);
    return { kind: 'summed', sums: sums.map(({ chunk, hash }) => ({ chunk, hash })) };
  }

  async #tagChunks({ chunks, seed }: Task<'tag-chunks'>): Promise<SessionEvent> {
    const { shape } = this.#config;
    const parts = chunks.map(({ chunk, of }) => ({ chunk, bytes: this.chunk(chunk, of) }));
    const task = { parts, bits: shape.bits, shape, seed: seed.reveal() };
    const { tags } = await inlineCompute.run('tag', task);
    return { kind: 'chunks-tagged', tags: chunks.map((each, i) => ({ ...each, tag: tags[i]! })) };
  }

  async #tagSums({ sums, seed }: Task<'tag-sums'>): Promise<SessionEvent> {
    const { shape } = this.#config;
    const parts = sums.map((sum) => ({ chunk: sum.chunk, bytes: this.sum(sum) }));
    const bits = ringBudget(shape.bits, this.#peers);
    const { tags } = await inlineCompute.run('tag', { parts, bits, shape, seed: seed.reveal() });
    return { kind: 'sums-tagged', tags: sums.map((each, i) => ({ ...each, tag: tags[i]! })) };
  }

  async #unmaskChunks({ sums, terms }: Task<'unmask-chunks'>): Promise<SessionEvent> {
    const { shape } = this.#config;
    const parts = sums.map((sum) => ({ chunk: sum.chunk, bytes: this.sum(sum) }));
    const task = { parts, terms: plain(terms), shape, peers: this.#peers };
    const opened = await inlineCompute.run('unmask-chunks', task);
    for (const sum of opened.sums) this.#bytes.set(plainName(sum), sum.bytes);
    const found = opened.sums.map(({ chunk, hash }) => ({ chunk, hash }));
    return { kind: 'chunks-unmasked', sums: found };
  }

  async #assemble({ sums, survivors }: Task<'assemble'>): Promise<SessionEvent> {
    const { shape } = this.#config;
    const chunks = sums.map((sum) => this.plain(sum));
    return this.#opened(await inlineCompute.run('assemble', { chunks, shape, survivors }));
  }

  async #unmask({ sums, terms, survivors }: Task<'unmask'>): Promise<SessionEvent> {
    const { shape } = this.#config;
    const packed = sums.map((sum) => this.sum(sum));
    const task = { sums: packed, terms: plain(terms), shape, peers: this.#peers, survivors };
    return this.#opened(await inlineCompute.run('unmask', task));
  }

  #opened({ words, inRange }: { words: Uint32Array; inRange: boolean }): SessionEvent {
    this.result = words;
    return { kind: 'unmasked', result: 'sum', inRange };
  }
}

const plainName = ({ chunk, hash }: ChunkSum): string => `plain/${chunk}/${toHex(hash)}`;

const sumName = ({ chunk, hash }: ChunkSum): string => `sum/${chunk}/${toHex(hash)}`;

const plain = (terms: readonly MaskTerm[]) =>
  terms.map(({ seed, sign }) => ({ seed: seed.reveal(), sign }));
