import { fromHex, toHex, u32be } from '@starling/core';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { merkleProof, merkleRoot, verifyMerkleProof } from './index.ts';

const leavesOf = (count: number): Uint8Array[] => Array.from({ length: count }, (_, i) => u32be(i));

/** The leaves of the Certificate Transparency reference tests. */
const CT_LEAVES = [
  '',
  '00',
  '10',
  '2021',
  '3031',
  '40414243',
  '5051525354555657',
  '606162636465666768696a6b6c6d6e6f',
].map(fromHex);

describe('Merkle tree', () => {
  test('Certificate Transparency roots of 0, 1, 2 and 8 leaves', () => {
    const root = (count: number): string => toHex(merkleRoot(CT_LEAVES.slice(0, count)));
    expect(root(0)).toBe('e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855');
    expect(root(1)).toBe('6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d');
    expect(root(2)).toBe('fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125');
    expect(root(8)).toBe('5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328');
  });

  test('every leaf of every small tree proves itself and nothing else', () => {
    for (let count = 1; count <= 33; count++) {
      const leaves = leavesOf(count);
      const root = merkleRoot(leaves);
      for (const [index, leaf] of leaves.entries()) {
        const proof = merkleProof(leaves, index);
        expect(verifyMerkleProof(root, leaf, index, count, proof)).toBe(true);
        expect(verifyMerkleProof(root, u32be(99), index, count, proof)).toBe(false);
        const other = (index + 1) % count;
        expect(verifyMerkleProof(root, leaf, other, count, proof)).toBe(count === 1);
      }
    }
  });

  test('a spoiled proof is refused', () => {
    const pick = fc.integer({ min: 2, max: 200 }).chain((count) =>
      fc.record({
        count: fc.constant(count),
        index: fc.nat(count - 1),
        place: fc.nat(),
        spoil: fc.constantFrom('flip', 'shorten', 'lengthen', 'truncate'),
      }),
    );
    fc.assert(
      fc.property(pick, ({ count, index, place, spoil }) => {
        const leaves = leavesOf(count);
        const proof = merkleProof(leaves, index).map((hash) => Uint8Array.from(hash));
        const at = place % proof.length;
        if (spoil === 'flip') proof[at]![place % 32]! ^= 1;
        if (spoil === 'shorten') proof.splice(at, 1);
        if (spoil === 'lengthen') proof.push(new Uint8Array(32));
        if (spoil === 'truncate') proof[at] = proof[at]!.subarray(1);
        expect(verifyMerkleProof(merkleRoot(leaves), leaves[index]!, index, count, proof)).toBe(
          false,
        );
      }),
    );
  });

  test('impossible places are false when checked, a bug when asked for', () => {
    const [root, leaf] = [merkleRoot([u32be(1)]), u32be(1)];
    for (const index of [-1, 1, 0.5, Number.NaN]) {
      expect(verifyMerkleProof(root, leaf, index, 1, [])).toBe(false);
    }
    expect(verifyMerkleProof(root, leaf, 0, Number.POSITIVE_INFINITY, [])).toBe(false);
    expect(() => merkleProof([leaf], 1)).toThrow(/no leaf/);
  });
});
