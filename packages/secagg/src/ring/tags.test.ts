import { fromHex, toHex, utf8 } from '@starling/core';
import { deriveSecret, keystream, Secret } from '@starling/crypto';
import { SECAGG_LABEL } from '@starling/protocol-secagg';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { addTags, isTag, sumInto, TAG_BYTES, tagger, tagOf } from './index.ts';
import { referenceTagKernel, splitTagKernel, tagKernel, wasmTagKernel } from './tag-kernels.ts';
import { tagCoefficients, tagWith } from './tags.ts';

const P = 2n ** 61n - 1n;
const seed = new Secret(new Uint8Array(32).fill(7));

/** The tag by its definition, from nothing but the keystream. */
function tagByDefinition(words: Uint32Array, seed: Secret, offset: number): bigint[] {
  return [0, 1, 2, 3].map((j) => {
    const label = utf8(`${SECAGG_LABEL}/tag-coefficients/${j}`);
    const stream = keystream(deriveSecret(seed, label), 4 * offset, 4 * words.length);
    const coefficients = new DataView(stream.buffer, stream.byteOffset, stream.length);
    return words.reduce(
      (sum, word, k) => (sum + BigInt(coefficients.getUint32(4 * k, true)) * BigInt(word)) % P,
      0n,
    );
  });
}

const componentsOf = (tag: Uint8Array): bigint[] => {
  const view = new DataView(tag.buffer, tag.byteOffset, tag.length);
  return [0, 8, 16, 24].map((at) => view.getBigUint64(at, true));
};

const tagOfComponents = (components: readonly bigint[]): Uint8Array => {
  const tag = new Uint8Array(TAG_BYTES);
  components.forEach((value, j) => {
    new DataView(tag.buffer).setBigUint64(8 * j, value, true);
  });
  return tag;
};

const anyWords = (maxLength: number) => fc.uint32Array({ maxLength });
const offsets = fc.oneof(fc.constant(0), fc.nat(1000), fc.integer({ min: 2 ** 31, max: 2 ** 33 }));
const component = fc.bigInt({ min: 0n, max: P - 1n });
const tags = fc.tuple(component, component, component, component).map(tagOfComponents);

describe('tags', () => {
  test('this engine runs the SIMD kernel', () => {
    expect(wasmTagKernel).toBeDefined();
    expect(tagKernel).toBe(wasmTagKernel);
  });

  test('are what the definition says', () => {
    fc.assert(
      fc.property(
        anyWords(50),
        offsets,
        fc.uint8Array({ minLength: 32, maxLength: 32 }),
        (...x) => {
          const [words, offset, key] = x;
          const tag = tagOf(words, new Secret(key), offset);
          expect(componentsOf(tag)).toEqual(tagByDefinition(words, new Secret(key), offset));
        },
      ),
    );
  });

  test('the tag that Python and OpenSSL compute for version 3 of the protocol', () => {
    const words = Uint32Array.from({ length: 1000 }, (_, i) => Math.imul(i, 2654435761) >>> 0);
    expect(toHex(tagOf(words, seed, 5))).toBe(
      '246cb2f8d453ef0e7ab8e1841dfecb190f2f56f93bed4412aedfbfeb4d071905',
    );
  });

  test('every kernel computes what the reference computes', () => {
    // Around a step of the SIMD kernel (8 words) and around a tile (16,384), at extreme values.
    const lengths = fc.oneof(fc.nat(40), fc.integer({ min: 16_380, max: 16_390 }), fc.nat(40_000));
    const fill = fc.constantFrom<'random' | number>('random', 0, 1, 2 ** 31, 2 ** 32 - 1);
    const coefficients = tagCoefficients(seed);
    fc.assert(
      fc.property(lengths, fill, offsets, (length, fill, offset) => {
        const words = new Uint32Array(keystream(seed, 0, 4 * length).buffer, 0, length);
        if (fill !== 'random') words.fill(fill);
        const expected = tagWith(referenceTagKernel, coefficients, words, offset);
        for (const kernel of [splitTagKernel, wasmTagKernel!]) {
          expect(tagWith(kernel, coefficients, words, offset), kernel.name).toEqual(expected);
        }
      }),
      { numRuns: 40 },
    );
  });

  test('the greatest inner product of one tile is exact', () => {
    const words = new Uint32Array(16_384).fill(2 ** 32 - 1);
    for (const kernel of [splitTagKernel, wasmTagKernel!, referenceTagKernel]) {
      kernel.load(words);
      const product = kernel.dot(new Uint8Array(words.byteLength).fill(255));
      expect(product, kernel.name).toBe(16_384n * (2n ** 32n - 1n) ** 2n);
    }
  });

  test('the tag of a sum is the sum of the tags', () => {
    const vectors = fc.integer({ min: 0, max: 60 }).chain((length) =>
      fc.array(fc.uint32Array({ minLength: length, maxLength: length, max: 2 ** 24 - 1 }), {
        minLength: 1,
        maxLength: 128,
        size: 'max',
      }),
    );
    fc.assert(
      fc.property(vectors, offsets, (vectors, offset) => {
        const sum = new Uint32Array(vectors[0]!.length);
        for (const vector of vectors) sumInto(sum, vector);
        const added = addTags(vectors.map((vector) => tagOf(vector, seed, offset)));
        expect(added).toEqual(tagOf(sum, seed, offset));
        expect(isTag(added)).toBe(true);
      }),
      { numRuns: 50 },
    );
  });

  test('tags of the pieces of a vector add up to its tag', () => {
    fc.assert(
      fc.property(anyWords(100), fc.nat(100), offsets, (words, cut, offset) => {
        const of = tagger(seed);
        const at = Math.min(cut, words.length);
        const pieces = [of(words.subarray(0, at), offset), of(words.subarray(at), offset + at)];
        expect(addTags(pieces)).toEqual(of(words, offset));
      }),
    );
  });

  test('one wrong word changes every component', () => {
    fc.assert(
      fc.property(
        fc.uint32Array({ minLength: 1, maxLength: 40, size: 'max' }),
        fc.nat(),
        (words, at) => {
          const right = componentsOf(tagOf(words, seed, 0));
          words[at % words.length]! += 1;
          const wrong = componentsOf(tagOf(words, seed, 0));
          for (let j = 0; j < 4; j++) expect(wrong[j]).not.toBe(right[j]);
        },
      ),
    );
  });
});

describe('sums of tags', () => {
  test('are taken modulo 2^61 − 1', () => {
    const greatest = tagOfComponents([P - 1n, P - 1n, P - 1n, P - 1n]);
    const list = fc.array(fc.oneof(tags, fc.constant(greatest)), { maxLength: 130, size: 'max' });
    fc.assert(
      fc.property(list, (list) => {
        const expected = [0, 1, 2, 3].map(
          (j) => list.reduce((sum, tag) => sum + componentsOf(tag)[j]!, 0n) % P,
        );
        expect(componentsOf(addTags(list))).toEqual(expected);
      }),
    );
    expect(addTags([])).toEqual(new Uint8Array(TAG_BYTES));
    expect(() => addTags([new Uint8Array(31)])).toThrow(/31 bytes/);
  });

  test('a component that is not reduced, or another length, is no tag', () => {
    expect(isTag(new Uint8Array(TAG_BYTES))).toBe(true);
    for (const length of [0, 31, 33]) expect(isTag(new Uint8Array(length))).toBe(false);
    for (let j = 0; j < 4; j++) {
      const of = (value: bigint) => tagOfComponents([0n, 0n, 0n, 0n].with(j, value));
      expect(isTag(of(P - 1n))).toBe(true);
      for (const value of [P, P + 1n, 2n ** 64n - 1n]) expect(isTag(of(value))).toBe(false);
    }
    // Wherever it lies in a larger buffer.
    const moved = fromHex(`00${'ff'.repeat(3)}${'00'.repeat(32)}`).subarray(3);
    expect([moved.length, isTag(moved.subarray(1))]).toEqual([33, true]);
  });
});
