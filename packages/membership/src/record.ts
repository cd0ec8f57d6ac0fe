import {
  bytes,
  type Decoded,
  decodeCanonical,
  encodeCanonical,
  list,
  nullable,
  struct,
  text,
} from '@starling/core';
import { descriptorCodec, MEMBERSHIP_LIMITS } from '@starling/protocol-membership';

const recordCodec = struct({
  descriptor: descriptorCodec,
  /** The pre-shared key; a secret. */
  key: nullable(bytes(32)),
  /** This peer's own; the authority has none. */
  credential: nullable(bytes(1, MEMBERSHIP_LIMITS.credentialBytesMax)),
  /** Addresses to start from, as the invite had them. */
  bootstrap: list(text(MEMBERSHIP_LIMITS.addressCharsMax), MEMBERSHIP_LIMITS.addressesMax),
});

/** What a peer keeps of the swarm that it is in. */
export type SwarmRecord = Decoded<typeof recordCodec>;

const RECORD_BYTES_MAX = 32 * 1024;

export const encodeRecord = (record: SwarmRecord): Uint8Array =>
  encodeCanonical(recordCodec, record);

/** @throws DecodeError */
export const decodeRecord = (encoded: Uint8Array): SwarmRecord =>
  decodeCanonical(recordCodec, encoded, RECORD_BYTES_MAX);
