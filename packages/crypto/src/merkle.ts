import { assert, equalBytes } from '@starling/core';
import { sha256 } from './hash.ts';

const LEAF = new Uint8Array([0]);
const NODE = new Uint8Array([1]);

const leafHash = (leaf: Uint8Array): Uint8Array => sha256(LEAF, leaf);
const nodeHash = (left: Uint8Array, right: Uint8Array): Uint8Array => sha256(NODE, left, right);

/** Largest power of two below `count`, for count ≥ 2: where RFC 9162 cuts a tree in two. */
const cutOf = (count: number): number => 2 ** (31 - Math.clz32(count - 1));

function rootOf(hashes: readonly Uint8Array[], from: number, to: number): Uint8Array {
  if (to - from === 1) return hashes[from]!;
  const cut = from + cutOf(to - from);
  return nodeHash(rootOf(hashes, from, cut), rootOf(hashes, cut, to));
}

/** Hash of one leaf of a tree (RFC 9162 §2.1.1), 32 bytes. */
export const merkleLeaf = (leaf: Uint8Array): Uint8Array => leafHash(leaf);

/** `merkleRoot` from the leaves' hashes, which are each 32 bytes. */
export const merkleRootOfHashes = (hashes: readonly Uint8Array[]): Uint8Array =>
  hashes.length === 0 ? sha256() : rootOf(hashes, 0, hashes.length);

/** Merkle tree hash (RFC 9162 §2.1.1), 32 bytes; of no leaves it is SHA-256 of nothing. */
export function merkleRoot(leaves: readonly Uint8Array[]): Uint8Array {
  return merkleRootOfHashes(leaves.map(leafHash));
}

/**
 * Inclusion proof (RFC 9162 §2.1.3.1) of leaf `index`, from the bottom up, 32 bytes each.
 * @throws InvariantError when there is no such leaf
 */
export function merkleProof(leaves: readonly Uint8Array[], index: number): readonly Uint8Array[] {
  const inside = Number.isInteger(index) && index >= 0 && index < leaves.length;
  assert(inside, `no leaf ${index} of ${leaves.length}`);
  return merkleProofs(leaves)[index]!;
}

/** The inclusion proofs of all leaves; every node is hashed once. */
export function merkleProofs(leaves: readonly Uint8Array[]): readonly (readonly Uint8Array[])[] {
  const proofs: Uint8Array[][] = leaves.map(() => []);
  const hashOf = (from: number, to: number): Uint8Array => {
    if (to - from === 1) return leafHash(leaves[from]!);
    const cut = from + cutOf(to - from);
    const [left, right] = [hashOf(from, cut), hashOf(cut, to)];
    for (let i = from; i < to; i++) proofs[i]!.push(i < cut ? right : left);
    return nodeHash(left, right);
  };
  if (leaves.length > 0) hashOf(0, leaves.length);
  return proofs;
}

/**
 * Whether `leaf` is at `index` of the `count` leaves under `root` (RFC 9162 §2.1.3.2). Never
 * throws.
 */
export function verifyMerkleProof(
  root: Uint8Array,
  leaf: Uint8Array,
  index: number,
  count: number,
  proof: readonly Uint8Array[],
): boolean {
  const inside = Number.isInteger(index) && Number.isInteger(count) && index >= 0 && index < count;
  if (!inside || count > 2 ** 31) return false;
  let hash = leafHash(leaf);
  let [place, last] = [index, count - 1];
  for (const sibling of proof) {
    if (last === 0 || sibling.length !== 32) return false;
    if (place % 2 === 1 || place === last) {
      hash = nodeHash(sibling, hash);
      // The last node of a level without a partner moves up unchanged.
      while (place % 2 === 0 && place !== 0) [place, last] = [place >>> 1, last >>> 1];
    } else {
      hash = nodeHash(hash, sibling);
    }
    [place, last] = [place >>> 1, last >>> 1];
  }
  return last === 0 && equalBytes(hash, root);
}
