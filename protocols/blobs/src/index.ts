/**
 * The wire protocol by which peers fetch content-addressed blobs from each other. `spec.md` is the
 * text, `vectors/` are its examples, good and bad.
 */
import { bytes, type Decoded, LIMITS, struct, u32, union } from '@starling/core';

/** The one place of this protocol's version. */
export const BLOBS_VERSION = 2;
export const BLOBS_PROTOCOL = `/starling/blobs/${BLOBS_VERSION}`;

/** Largest encoding of a header, in bytes; both are far below LIMITS.controlBytesMax. */
export const BLOB_HEADER_BYTES_MAX = 128;

/** Every piece of a blob but the last has so many bytes; a blob of one piece is sent whole. */
export const PIECE_BYTES = 1024 * 1024;
export const PIECES_MAX = LIMITS.bodyBytesMax / PIECE_BYTES;
/** Bytes of a leaf of the tree over the pieces. */
export const LEAF_BYTES = 32;

/** Pieces of a blob of `size` bytes. */
export const pieceCount = (size: number): number => Math.ceil(size / PIECE_BYTES);

/** Bytes of piece `index` of a blob of `size` bytes. */
export const pieceLength = (size: number, index: number): number =>
  Math.min(PIECE_BYTES, size - index * PIECE_BYTES);

/** `blob`: what the blob with this SHA-256 is made of; `piece`: one of its pieces. No body. */
export const blobRequest = union({
  blob: struct({ hash: bytes(32) }),
  piece: struct({ hash: bytes(32), index: u32(PIECES_MAX - 1) }),
});
export type BlobRequest = Decoded<typeof blobRequest>;

/**
 * `whole`: the body is the blob, `size` bytes, at most PIECE_BYTES. `tree`: the body is the leaf
 * hashes of its pieces, `root` is theirs, and `held` has a bit for each piece that the responder
 * has, piece 0 the lowest of the first byte; it is empty when it has them all. `piece`: the body is
 * the piece. `missing`: no body; a normal answer.
 */
export const blobResponse = union({
  whole: struct({ size: u32(PIECE_BYTES) }),
  tree: struct({ size: u32(LIMITS.bodyBytesMax), root: bytes(32), held: bytes(0, PIECES_MAX / 8) }),
  piece: struct({}),
  missing: struct({}),
});
export type BlobResponse = Decoded<typeof blobResponse>;
