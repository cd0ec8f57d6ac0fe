import { ProtocolError, toHex } from '@starling/core';
import { merkleLeaf, merkleRootOfHashes } from '@starling/crypto';
import {
  type BlobResponse,
  LEAF_BYTES,
  PIECE_BYTES,
  pieceCount,
  pieceLength,
} from '@starling/protocol-blobs';

/** What a blob of several pieces is made of. */
export interface BlobTree {
  /** Bytes of the blob. */
  readonly size: number;
  /** In hex, to compare trees by. */
  readonly root: string;
  /** Leaf hashes, 32 bytes each, one after the other. */
  readonly leaves: Uint8Array;
}

export type TreeHeader = Extract<BlobResponse, { kind: 'tree' }>;

/** A peer's tree, with the pieces that it holds; all of them when `held` is undefined. */
export interface ClaimedTree extends BlobTree {
  readonly held: ReadonlySet<number> | undefined;
}

export const leafAt = (leaves: Uint8Array, index: number): Uint8Array =>
  leaves.subarray(index * LEAF_BYTES, (index + 1) * LEAF_BYTES);

/** Reads the pieces one by one, so that no turn of the event loop hashes more than one. */
export async function treeOf(
  size: number,
  read: (at: number, length: number) => Promise<Uint8Array | undefined>,
): Promise<BlobTree | undefined> {
  const count = pieceCount(size);
  const leaves = new Uint8Array(count * LEAF_BYTES);
  for (let index = 0; index < count; index++) {
    const piece = await read(index * PIECE_BYTES, pieceLength(size, index));
    if (piece === undefined) return undefined;
    leaves.set(merkleLeaf(piece), index * LEAF_BYTES);
  }
  return { size, root: rootOf(leaves), leaves };
}

function rootOf(leaves: Uint8Array): string {
  const count = leaves.length / LEAF_BYTES;
  const hashes = Array.from({ length: count }, (_, index) => leafAt(leaves, index));
  return toHex(merkleRootOfHashes(hashes));
}

/** Checks that the parts of a peer's answer fit together. @throws ProtocolError 'malformed' */
export function claimOf({ size, root, held }: TreeHeader, leaves: Uint8Array): ClaimedTree {
  const count = pieceCount(size);
  if (count < 2) throw new ProtocolError('malformed', `a tree for a blob of ${size} bytes`);
  if (leaves.length !== count * LEAF_BYTES) {
    throw new ProtocolError('malformed', `${leaves.length} bytes of leaves for ${count} pieces`);
  }
  if (rootOf(leaves) !== toHex(root))
    throw new ProtocolError('malformed', 'leaves of another root');
  const bytes = Math.ceil(count / 8);
  if (held.length !== 0 && held.length !== bytes) {
    throw new ProtocolError('malformed', `${held.length} bytes of bits for ${count} pieces`);
  }
  return { size, root: toHex(root), leaves, held: held.length === 0 ? undefined : setOf(held) };
}

function setOf(bits: Uint8Array): ReadonlySet<number> {
  const out = new Set<number>();
  for (let index = 0; index < bits.length * 8; index++) {
    if (((bits[index >> 3]! >> (index & 7)) & 1) === 1) out.add(index);
  }
  return out;
}

/** A bit for each of `count` pieces, piece 0 the lowest of the first byte. */
export function bitsOf(held: ReadonlySet<number>, count: number): Uint8Array {
  const bits = new Uint8Array(Math.ceil(count / 8));
  for (const index of held) bits[index >> 3]! |= 1 << (index & 7);
  return bits;
}
