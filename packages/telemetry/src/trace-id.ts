import { fromHex, type JobId, type PeerId } from '@starling/core';
import { hashHex } from '@starling/crypto';
import type { Slot } from '@starling/rounds';

const TRACE_HEX_CHARS = 32;
const SPAN_HEX_CHARS = 16;
const text = (words: string): Uint8Array => new TextEncoder().encode(words);

/**
 * The trace of a round: the first 16 bytes of SHA-256 over `starling/trace/1`, the 32 bytes of the
 * job's id, and the round as 8 bytes, big-endian. It follows from what all peers know, so that the
 * whole swarm logs one trace for one round, without a word about it on the wire.
 */
export const traceIdOf = (job: JobId, round: number): string =>
  hashHex(text('starling/trace/1'), fromHex(job), words64(round)).slice(0, TRACE_HEX_CHARS);

/**
 * This peer's part in one attempt of a round: 8 bytes of SHA-256 over `starling/attempt/1`, the
 * job's id, round, restarts and attempt (8 bytes each) and the peer's id. Other than the trace it
 * is the peer's own, since spans of one trace must have ids of their own.
 */
export const attemptIdOf = (job: JobId, round: number, slot: Slot, peer: PeerId): string =>
  hashHex(
    text('starling/attempt/1'),
    fromHex(job),
    words64(round, slot.restarts, slot.attempt),
    text(peer),
  ).slice(0, SPAN_HEX_CHARS);

function words64(...values: readonly number[]): Uint8Array {
  const bytes = new Uint8Array(8 * values.length);
  const view = new DataView(bytes.buffer);
  values.forEach((value, i) => {
    view.setBigUint64(8 * i, BigInt(value));
  });
  return bytes;
}
