/**
 * The wire protocol by which a peer learns from others how they see it. `spec.md` is the text,
 * `vectors/` are its examples, good and bad.
 */
import { type Decoded, list, nullable, struct, text, u32 } from '@starling/core';

/** The one place of this protocol's version. */
export const REACH_VERSION = 1;
export const REACH_PROTOCOL = `/starling/reach/${REACH_VERSION}`;

export const REACH_LIMITS = {
  /** Of a request or an answer, in bytes. */
  messageBytesMax: 4096,
  addressesMax: 4,
  addressBytesMax: 128,
  faultBytesMax: 200,
  /** Between two requests of one peer for which somebody is dialled. */
  dialEveryMs: 10_000,
} as const;

const address = text(REACH_LIMITS.addressBytesMax);

export const reachRequest = struct({ addresses: list(address, REACH_LIMITS.addressesMax) });
export type ReachRequest = Decoded<typeof reachRequest>;

export const reachAnswer = struct({
  /** From where the asking peer comes; null when its connection is relayed. */
  observed: nullable(address),
  /** Wall clock since 1970. */
  seconds: u32(),
  millis: u32(999),
  /** Null for one that could be dialled, else why not. */
  dialled: list(
    struct({ address, fault: nullable(text(REACH_LIMITS.faultBytesMax)) }),
    REACH_LIMITS.addressesMax,
  ),
});
export type ReachAnswer = Decoded<typeof reachAnswer>;
