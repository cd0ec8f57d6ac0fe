import { assert, utf8 } from '@starling/core';
import { deriveSecret, keystreamFrom } from '@starling/crypto';

/** Draws that are made at a time. */
const PIECE = 32 * 1_024;

/** Coordinates that are sent of `length`, at least one where there is any. */
export const chosenCount = (length: number, share: number): number =>
  Math.min(length, Math.max(1, Math.round(share * length)));

/**
 * Which coordinates all peers of a round send (random-k by a shared seed, Konečný et al. 2016,
 * §2): each set of `count` of the `length` is as likely as any other, in ascending order (selection
 * sampling: Fan, Muller & Rezucha 1962). Nobody says which they are, so they cost no bytes, and
 * sums are sums of the same coordinates.
 * @param seed 32 public bytes, the same for every peer of the round
 */
export function chosenCoordinates(length: number, count: number, seed: Uint8Array): Uint32Array {
  assert(count >= 0 && count <= length, `${count} coordinates of ${length}`);
  const chosen = new Uint32Array(count);
  const stream = keystreamFrom(deriveSecret(seed, utf8('coordinates')), 0);
  let found = 0;
  for (let from = 0; from < length && found < count; from += PIECE) {
    const draws = Math.min(PIECE, length - from);
    const bytes = stream.next(4 * draws);
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    for (let i = 0; i < draws; i++) {
      const lot = view.getUint32(4 * i, true) * (length - from - i);
      if (lot < (count - found) * 2 ** 32) chosen[found++] = from + i;
    }
  }
  return chosen;
}

/** The chosen values, in order. */
export function gather(values: Float32Array, chosen: Uint32Array): Float32Array {
  const out = new Float32Array(chosen.length);
  for (let i = 0; i < out.length; i++) out[i] = values[chosen[i]!]!;
  return out;
}

/** Puts values where they were chosen, the i-th to chosen[i], each times `scale`. */
export function scatter(
  out: Float32Array,
  values: ArrayLike<number>,
  chosen: Uint32Array,
  scale: number,
): void {
  for (let i = 0; i < chosen.length; i++) out[chosen[i]!] = scale * values[i]!;
}
