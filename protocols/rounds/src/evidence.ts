import { bytes, type Decoded, LIMITS, list, struct, u32, union } from '@starling/core';

/** Accusers of one piece of evidence: all of a roster, at most. */
const ACCUSERS_MAX = LIMITS.rosterPeersMax;
const place = { round: u32(1_000_000), restarts: u32(1_000) };
const envelope = bytes(1, LIMITS.controlBytesMax);

/**
 * What convinces a peer that was not there: envelopes under their senders' own signatures. Spec
 * protocols/rounds/spec.md §4.8.
 */
export const evidenceCodec = union({
  /** Two different envelopes of one sender in one slot. */
  equivocation: struct({ ...place, first: envelope, second: envelope }),
  /** More accusations of one member than its roster can have liars. */
  testimony: struct({ ...place, accusations: list(envelope, ACCUSERS_MAX) }),
});
export type Evidence = Decoded<typeof evidenceCodec>;

/** Bytes of a piece of evidence, as it travels and is kept. */
export const EVIDENCE_BYTES_MAX = LIMITS.controlBytesMax - 64;
