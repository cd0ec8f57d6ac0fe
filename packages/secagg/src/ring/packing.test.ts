import { concatBytes, LIMITS, ProtocolError } from '@starling/core';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  bytesOfWords,
  chunkLayout,
  fitsRingBudget,
  maskTo,
  packedBytes,
  packInto,
  packWords,
  ringBudget,
  sumInto,
  unpackInto,
  unpackWords,
  wordsOfBytes,
} from './index.ts';

const WIDTHS = Array.from({ length: 25 }, (_, i) => i + 8);
const width = fc.constantFrom(...WIDTHS);
const wordsOf = (bits: number): fc.Arbitrary<Uint32Array> =>
  fc.uint32Array({ maxLength: 100, size: 'max', max: 2 ** bits - 1 });
const packed = width.chain((bits) => fc.record({ bits: fc.constant(bits), words: wordsOf(bits) }));

/** Packing by its definition: one large number. */
function packByDefinition(words: Uint32Array, bits: number): Uint8Array {
  let number = 0n;
  for (const [i, word] of words.entries()) number |= BigInt(word) << BigInt(i * bits);
  return Uint8Array.from({ length: packedBytes(words.length, bits) }, (_, i) =>
    Number((number >> BigInt(8 * i)) & 255n),
  );
}

describe('packing', () => {
  test.each(WIDTHS)('%i bits: follows the definition and comes back', (bits) => {
    fc.assert(
      fc.property(wordsOf(bits), fc.nat(7), (words, shift) => {
        const bytes = packWords(words, bits);
        expect(bytes).toEqual(packByDefinition(words, bits));
        // Wherever the bytes lie in a larger buffer.
        const moved = concatBytes(new Uint8Array(shift), bytes).subarray(shift);
        expect(unpackWords(moved, bits, words.length)).toEqual(words);
      }),
      { numRuns: 40 },
    );
  });

  test('a word too wide is our bug', () => {
    expect(() => packWords(new Uint32Array([0, 2 ** 24]), 24)).toThrow(/exceeds 24/);
    expect(() => packWords(new Uint32Array(64).with(3, 2 ** 24), 24)).toThrow(/exceeds 24/);
    expect(() => packWords(new Uint32Array(1), 7)).toThrow(/ring bits/);
    expect(() => packWords(new Uint32Array(1), 33)).toThrow(/ring bits/);
  });

  test('other lengths and padding that is not zero are refused', () => {
    fc.assert(
      fc.property(packed, ({ bits, words }) => {
        const bytes = packWords(words, bits);
        const longer = concatBytes(bytes, new Uint8Array(1));
        expect(() => unpackWords(longer, bits, words.length)).toThrow(ProtocolError);
        const used = (words.length * bits) % 8;
        if (used === 0) return;
        bytes[bytes.length - 1]! |= 1 << used;
        expect(() => unpackWords(bytes, bits, words.length)).toThrow(/padding/);
      }),
    );
  });

  test('into memory that is there, whatever it held', () => {
    fc.assert(
      fc.property(packed, ({ bits, words }) => {
        const memory = new Uint8Array(8 + packedBytes(words.length, bits)).fill(255);
        packInto(memory.subarray(8), words, bits);
        expect(memory.subarray(8)).toEqual(packWords(words, bits));
        const back = new Uint32Array(words.length).fill(9);
        unpackInto(back, memory.subarray(8), bits);
        expect(back).toEqual(words);
      }),
    );
    expect(() => packInto(new Uint8Array(4), new Uint32Array(2), 24)).toThrow(/4 bytes/);
    expect(() => packInto(new Uint8Array(7).subarray(1), new Uint32Array(2), 24)).toThrow(
      /address/,
    );
  });

  test('views of words and bytes share memory when aligned', () => {
    const words = new Uint32Array([1, 2]);
    wordsOfBytes(bytesOfWords(words))[1] = 9;
    expect(words[1]).toBe(9);
    expect(() => wordsOfBytes(new Uint8Array(5))).toThrow(/whole words/);
  });
});

describe('sums', () => {
  test('wrap modulo 2^32 and are exact within the budget', () => {
    const peers = fc.array(fc.uint32Array({ minLength: 19, maxLength: 19 }), {
      minLength: 1,
    });
    fc.assert(
      fc.property(peers, width, (vectors, bits) => {
        const exact = Array.from({ length: 19 }, () => 0n);
        const sum = new Uint32Array(19);
        for (const vector of vectors) {
          maskTo(vector, bits);
          sumInto(sum, vector);
          for (let i = 0; i < 19; i++) exact[i] = exact[i]! + BigInt(vector[i]!);
        }
        const modulus = fitsRingBudget(bits, vectors.length) ? 2n ** 64n : 2n ** 32n;
        expect([...sum].map(BigInt)).toEqual(exact.map((value) => value % modulus));
      }),
    );
    expect(() => sumInto(new Uint32Array(1), new Uint32Array(2))).toThrow(/ring length/);
  });

  test('the budget: bits + ⌈log2 peers⌉ ≤ 32', () => {
    expect(ringBudget(24, 64)).toBe(30);
    expect(ringBudget(24, 128)).toBe(31);
    expect(ringBudget(32, 1)).toBe(32);
    expect(ringBudget(27, 32)).toBe(32);
    expect(() => ringBudget(27, 33)).toThrow(/may wrap/);
    expect(() => ringBudget(24, 0)).toThrow();
  });
});

describe('chunk layout', () => {
  test('chunks tile the vector, and packed chunks tile the packed vector', () => {
    const chunkBytes = fc.integer({ min: 64, max: 4096 });
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 5000 }),
        width,
        chunkBytes,
        (length, bits, chunkBytes) => {
          const layout = chunkLayout(length, bits, { chunkBytes });
          const words = Uint32Array.from({ length }, (_, i) => (i * 2654435761) % 2 ** bits);
          const parts: Uint8Array[] = [];
          let next = 0;
          for (let i = 0; i < layout.count; i++) {
            expect(layout.offsetOf(i)).toBe(next);
            next += layout.wordsOf(i);
            const part = packWords(words.subarray(layout.offsetOf(i), next), bits);
            expect(part.length).toBe(layout.bytesOf(i));
            expect(part.length).toBeLessThanOrEqual(chunkBytes);
            parts.push(part);
          }
          expect(next).toBe(length);
          expect(concatBytes(...parts)).toEqual(packWords(words, bits));
        },
      ),
    );
  });

  test('the longest vector fits the limits, and nobody asks for a chunk that is not there', () => {
    expect(chunkLayout(LIMITS.vectorLengthMax, 32).count).toBeLessThanOrEqual(LIMITS.chunksMax);
    const layout = chunkLayout(10, 24);
    expect([layout.count, layout.wordsOf(0)]).toEqual([1, 10]);
    expect(() => layout.wordsOf(1)).toThrow(/chunk 1 of 1/);
    expect(() => chunkLayout(0, 24)).toThrow(/vector length/);
    expect(() => chunkLayout(10, 24, { chunkBytes: 3 })).toThrow(/chunk of 3/);
  });
});
