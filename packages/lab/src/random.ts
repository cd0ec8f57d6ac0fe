import { createGenerator, type Generator } from '@starling/autodiff';
import { utf8 } from '@starling/core';
import { sha256 } from '@starling/crypto';

/** What something drawn at random is for: a name, and numbers such as seed, round and client. */
export type Purpose = readonly [name: string, ...numbers: number[]];

/** 32 bytes that are a function of the purpose alone. */
export const drawnBytes = (...purpose: Purpose): Uint8Array =>
  sha256(utf8(`starling/lab/${purpose.join('/')}`));

/** The same as a 32-bit number. */
export function drawnSeed(...purpose: Purpose): number {
  const bytes = drawnBytes(...purpose);
  return new DataView(bytes.buffer, bytes.byteOffset).getUint32(0);
}

/** A stream of its own for each purpose: a draw more in one place changes nothing elsewhere. */
export const generatorFor = (...purpose: Purpose): Generator =>
  createGenerator(drawnSeed(...purpose));

/** A number of the standard normal distribution (Box and Muller). */
export const normal = (generator: Generator): number =>
  Math.sqrt(-2 * Math.log(generator.uniform() + 2 ** -33)) *
  Math.cos(2 * Math.PI * generator.uniform());
