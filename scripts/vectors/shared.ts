/** What the makers of test vectors share: values as JSON, and the faults every codec must refuse. */
import {
  type Codec,
  concatBytes,
  decodeCanonical,
  encodeCanonical,
  errorMessage,
  fromHex,
  LIMITS,
  packWire,
  toHex,
  type Wire,
} from '@starling/core';
import type { BadVector, GoodVector } from '../../test/helpers/vectors.ts';

export type { BadVector, GoodVector };

/** A value as JSON: byte strings become `0x` and hex. */
export function toJson(value: unknown): unknown {
  if (value instanceof Uint8Array) return `0x${toHex(value)}`;
  if (Array.isArray(value)) return value.map(toJson);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, toJson(item)]));
}

export function good<T>(name: string, type: string, codec: Codec<T>, value: T): GoodVector {
  return { name, type, value: toJson(value), hex: toHex(encodeCanonical(codec, value)) };
}

/** @throws Error when the bytes are good after all */
export function bad<T>(
  name: string,
  type: string,
  codec: Codec<T>,
  encoded: Uint8Array | string,
): BadVector {
  const bytes = typeof encoded === 'string' ? fromHex(encoded) : encoded;
  try {
    decodeCanonical(codec, bytes, LIMITS.controlBytesMax);
  } catch (error) {
    return { name, type, hex: toHex(bytes), why: errorMessage(error) };
  }
  throw new Error(`${type}: ${name} decodes: ${toHex(bytes)}`);
}

/** A structure that breaks a limit which its own codec would not write. */
export const badWire = <T>(name: string, type: string, codec: Codec<T>, wire: Wire): BadVector =>
  bad(name, type, codec, packWire(wire));

/** Faults of the encoding itself, planted into a good `union` value `[kind < 16, […]]`. */
export function encodingFaults<T>(type: string, codec: Codec<T>, sample: T): BadVector[] {
  const bytes = encodeCanonical(codec, sample);
  const rest = bytes.subarray(2);
  const withLead = (...lead: number[]) => concatBytes(new Uint8Array(lead), rest);
  const kind = bytes[1]!;
  const fault = (name: string, encoded: Uint8Array | string) => bad(name, type, codec, encoded);
  return [
    fault('no bytes at all', ''),
    fault('torn before the last byte', bytes.subarray(0, -1)),
    fault('a byte after the end', concatBytes(bytes, new Uint8Array([0]))),
    fault('a map', '81a16100'),
    fault('an extension type', 'd40100'),
    fault('the timestamp extension', 'd6ff00000000'),
    fault('a 32-bit float', 'ca00000000'),
    fault('a 64-bit integer', 'cf0000000000000001'),
    fault('a list with a 32-bit length', 'dd00000001c0'),
    fault('a list of 65535 items that are not there', 'dcffff'),
    fault('a byte string of 2^32 − 1 bytes that are not there', 'c6ffffffff'),
    fault('thirteen lists in one another', `${'91'.repeat(13)}c0`),
    fault('nil', 'c0'),
    fault('kind as a byte where a bare integer does', withLead(0x92, 0xcc, kind)),
    fault('kind as a float', concatBytes(new Uint8Array([0x92]), floatOf(kind), rest)),
    fault('kind as minus zero', concatBytes(fromHex('92cb8000000000000000'), rest)),
    fault('kind as NaN', concatBytes(fromHex('92cb7ff8000000000000'), rest)),
    fault('kind below zero', withLead(0x92, 0xff)),
    fault('kind beyond the last', withLead(0x92, 0x7f)),
    fault('a list length in the long form', withLead(0xdc, 0, 2, kind)),
    fault('a third item beside kind and fields', withLead(0x93, kind).slice()),
  ];
}

function floatOf(value: number): Uint8Array {
  const out = new Uint8Array(9);
  out[0] = 0xcb;
  new DataView(out.buffer).setFloat64(1, value);
  return out;
}

/** Bytes 0, 1, 2, … from `first` on: recognisable in a dump. */
export const ramp = (length: number, first = 0): Uint8Array =>
  Uint8Array.from({ length }, (_, i) => first + i);
