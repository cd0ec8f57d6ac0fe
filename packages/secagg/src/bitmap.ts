/** Members of a roster as bits: least significant bit of byte 0 is member 0. */
export function toBitmap(members: Iterable<number>, count: number): Uint8Array {
  const out = new Uint8Array(Math.ceil(count / 8));
  for (const member of members) out[member >> 3]! |= 1 << (member & 7);
  return out;
}

/**
 * Set bits in ascending order; undefined when the length is wrong or a bit beyond `count` is set.
 */
export function fromBitmap(bitmap: Uint8Array, count: number): readonly number[] | undefined {
  if (bitmap.length !== Math.ceil(count / 8)) return undefined;
  const members: number[] = [];
  for (let bit = 0; bit < bitmap.length * 8; bit++) {
    if ((bitmap[bit >> 3]! & (1 << (bit & 7))) === 0) continue;
    if (bit >= count) return undefined;
    members.push(bit);
  }
  return members;
}
