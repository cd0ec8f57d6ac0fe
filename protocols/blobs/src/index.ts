/**
 * The wire protocol by which peers fetch content-addressed blobs from each other. `spec.md` is the
 * text, `vectors/` are its examples, good and bad.
 */
import { bytes, type Decoded, LIMITS, struct, u32, union } from '@starling/core';

/** The one place of this protocol's version. */
export const BLOBS_VERSION = 1;
export const BLOBS_PROTOCOL = `/starling/blobs/${BLOBS_VERSION}`;

/** Largest encoding of a header, in bytes; both are far below LIMITS.controlBytesMax. */
export const BLOB_HEADER_BYTES_MAX = 64;

/** Asks for the blob with this SHA-256. The request has no body. */
export const blobRequest = struct({ hash: bytes(32) });
export type BlobRequest = Decoded<typeof blobRequest>;

/** `found`: the body is the blob, `size` bytes. `missing`: no body; a normal answer. */
export const blobResponse = union({
  found: struct({ size: u32(LIMITS.bodyBytesMax) }),
  missing: struct({}),
});
export type BlobResponse = Decoded<typeof blobResponse>;
