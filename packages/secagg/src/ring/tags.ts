import { assert, utf8 } from '@starling/core';
import { deriveSecret, keystreamFrom, type Secret } from '@starling/crypto';
import { SECAGG_LABEL } from '@starling/protocol-secagg';
import { TAG_TILE_WORDS, type TagKernel, tagKernel } from './tag-kernels.ts';

/** 2^61 − 1, a Mersenne prime: sums are reduced by folding. */
const TAG_MODULUS = 2n ** 61n - 1n;
/** Independent coefficient streams: a wrong sum passes one with probability about 2^−32. */
const TAG_COMPONENTS = 4;
const COMPONENT_BYTES = 8;

/** Bytes of a tag: four little-endian integers of 8 bytes, each below 2^61 − 1. */
export const TAG_BYTES = TAG_COMPONENTS * COMPONENT_BYTES;

/**
 * The linear tag of a stretch of a vector: component j is Σ_k ρ_j[o+k]·words[k] mod 2^61 − 1,
 * where ρ_j is the keystream of a secret derived from `seed`, read as little-endian words. Linear:
 * the tag of an integer sum is the sum of the tags (`addTags`), as long as that sum fits 32 bits.
 * @param words of any width up to 32 bits
 * @param seed 32 bytes, unknown to everybody before the words were fixed
 * @param wordOffset o: index of `words[0]` in the whole vector
 * @returns TAG_BYTES bytes
 */
export function tagOf(words: Uint32Array, seed: Secret, wordOffset: number): Uint8Array {
  return tagWith(tagKernel, tagCoefficients(seed), words, wordOffset);
}

/** `tagOf` under one seed for many stretches: the seed's streams are derived once. */
export function tagger(seed: Secret): (words: Uint32Array, wordOffset: number) => Uint8Array {
  const coefficients = tagCoefficients(seed);
  return (words, wordOffset) => tagWith(tagKernel, coefficients, words, wordOffset);
}

/** Seeds of the coefficient streams ρ_0 … ρ_3. */
export function tagCoefficients(seed: Secret): readonly Secret[] {
  return Array.from({ length: TAG_COMPONENTS }, (_, j) =>
    deriveSecret(seed, utf8(`${SECAGG_LABEL}/tag-coefficients/${j}`)),
  );
}

/** `tagOf` on a chosen kernel, for tests and benchmarks. */
export function tagWith(
  kernel: TagKernel,
  coefficients: readonly Secret[],
  words: Uint32Array,
  wordOffset: number,
): Uint8Array {
  assert(Number.isInteger(wordOffset) && wordOffset >= 0, `word offset: ${wordOffset}`);
  const streams = coefficients.map((each) => keystreamFrom(each, 4 * wordOffset));
  const sums = coefficients.map(() => 0n);
  for (let at = 0; at < words.length; at += TAG_TILE_WORDS) {
    const tile = words.subarray(at, at + TAG_TILE_WORDS);
    kernel.load(tile);
    for (const [j, stream] of streams.entries()) {
      sums[j] = sums[j]! + kernel.dot(stream.next(4 * tile.length));
    }
  }
  return bytesOf(sums);
}

/** The components modulo p as a tag. */
function bytesOf(components: readonly bigint[]): Uint8Array {
  const tag = new DataView(new ArrayBuffer(TAG_BYTES));
  for (const [j, component] of components.entries()) {
    tag.setBigUint64(COMPONENT_BYTES * j, component % TAG_MODULUS, true);
  }
  return new Uint8Array(tag.buffer);
}

/** Whether bytes from a peer are a tag: the right length, and every component reduced. */
export function isTag(bytes: Uint8Array): boolean {
  if (bytes.length !== TAG_BYTES) return false;
  const tag = viewOf(bytes);
  for (let at = 0; at < TAG_BYTES; at += COMPONENT_BYTES) {
    if (tag.getBigUint64(at, true) >= TAG_MODULUS) return false;
  }
  return true;
}

/**
 * Sum of tags, component by component; zero for none.
 * @param tags at most 2^20, each checked by `isTag`
 * @throws InvariantError on a tag of another length
 */
export function addTags(tags: readonly Uint8Array[]): Uint8Array {
  assert(tags.length <= 2 ** 20, `${tags.length} tags`);
  // 32 bits at a time, in float64: for 128 tags of 1000 chunks BigInt would take ten times as long.
  const sums = new Float64Array(TAG_BYTES / 4);
  for (const bytes of tags) {
    assert(bytes.length === TAG_BYTES, `tag of ${bytes.length} bytes`);
    const tag = viewOf(bytes);
    for (let i = 0; i < sums.length; i++) sums[i] = sums[i]! + tag.getUint32(4 * i, true);
  }
  return bytesOf(
    Array.from({ length: TAG_COMPONENTS }, (_, j) => {
      return BigInt(sums[2 * j]!) + (BigInt(sums[2 * j + 1]!) << 32n);
    }),
  );
}

const viewOf = ({ buffer, byteOffset, length }: Uint8Array): DataView =>
  new DataView(buffer, byteOffset, length);
