/**
 * What all mutators share, and the one that knows no format. Nothing here or in the mutators of
 * one format imports a package: what is fuzzed has no hand in how.
 */

/** A seeded generator; every draw follows from the seed. */
export interface Dice {
  /** Uniform integer in [0, below). */
  below(below: number): number;
  chance(probability: number): boolean;
  pick<T>(items: readonly T[]): T;
  bytes(length: number): Uint8Array;
}

/** One changed copy of `input`; `others` give parts to put in. The input stays as it is. */
export type Mutator = (dice: Dice, input: Uint8Array, others: readonly Uint8Array[]) => Uint8Array;

/** Inputs beyond this find nothing that smaller ones do not. */
export const INPUT_BYTES_MAX = 64 * 1024;

const EDGE_BYTES = [0x00, 0x01, 0x7f, 0x80, 0x81, 0x90, 0xa0, 0xc0, 0xc1, 0xc4, 0xdc, 0xdf, 0xff];
/** Where sizes and signs turn. */
export const EDGE_WORDS = [
  0,
  1,
  2,
  0x7f,
  0x80,
  0xff,
  0x100,
  0x7fff,
  0x8000,
  0xffff,
  0x10000,
  2 ** 24,
  2 ** 31 - 1,
  2 ** 31,
  2 ** 32 - 1,
];

const join = (...parts: readonly Uint8Array[]): Uint8Array => new Uint8Array(Buffer.concat(parts));

/** `range` of the input: where it starts and ends. */
function rangeOf(dice: Dice, input: Uint8Array, most = 64): readonly [number, number] {
  const from = dice.below(input.length + 1);
  return [from, Math.min(input.length, from + dice.below(most))];
}

type Edit = Mutator;
const EDITS: readonly Edit[] = [
  (dice, input) => changed(input, (out) => flipBit(dice, out)),
  (dice, input) => changed(input, (out) => setByte(dice, out, dice.pick(EDGE_BYTES))),
  (dice, input) => changed(input, (out) => setByte(dice, out, dice.below(256))),
  (dice, input) => changed(input, (out) => setWord(dice, out)),
  (dice, input) => {
    const [from, to] = rangeOf(dice, input);
    return join(input.subarray(0, from), input.subarray(to));
  },
  (dice, input) => {
    const [from, to] = rangeOf(dice, input);
    return join(input.subarray(0, to), input.subarray(from));
  },
  (dice, input) => {
    const at = dice.below(input.length + 1);
    return join(input.subarray(0, at), dice.bytes(1 + dice.below(16)), input.subarray(at));
  },
  (dice, input) => input.slice(0, dice.below(input.length + 1)),
  (dice, input) => join(input, dice.bytes(1 + dice.below(16))),
  (dice, input, others) => {
    const other = dice.pick(others);
    const [from, to] = rangeOf(dice, other);
    const at = dice.below(input.length + 1);
    return join(input.subarray(0, at), other.subarray(from, to), input.subarray(at));
  },
];

function changed(input: Uint8Array, change: (out: Uint8Array) => void): Uint8Array {
  const out = input.slice();
  if (out.length > 0) change(out);
  return out;
}

function flipBit(dice: Dice, out: Uint8Array): void {
  out[dice.below(out.length)]! ^= 1 << dice.below(8);
}

function setByte(dice: Dice, out: Uint8Array, value: number): void {
  out[dice.below(out.length)] = value;
}

/** Four bytes, aligned more often than not, in either order. */
function setWord(dice: Dice, out: Uint8Array): void {
  if (out.length < 4) return;
  const at = dice.below(out.length - 3);
  const place = dice.chance(0.7) ? at - (at % 4) : at;
  new DataView(out.buffer).setUint32(place, dice.pick(EDGE_WORDS), dice.chance(0.5));
}

/** One to four edits of bytes, with no idea of what they mean. */
export const mutateBytes: Mutator = (dice, input, others) => {
  let out = input;
  for (let left = 1 + dice.below(4); left > 0; left--) out = dice.pick(EDITS)(dice, out, others);
  return out.slice(0, INPUT_BYTES_MAX);
};

/** Mostly by structure, sometimes by bytes, sometimes both; now and then nothing of the input. */
export const mixed =
  (structured: Mutator): Mutator =>
  (dice, input, others) => {
    if (dice.chance(0.02)) return dice.bytes(dice.below(80));
    if (dice.chance(0.2)) return mutateBytes(dice, input, others);
    const out = structured(dice, input, others).slice(0, INPUT_BYTES_MAX);
    return dice.chance(0.1) ? mutateBytes(dice, out, others) : out;
  };
