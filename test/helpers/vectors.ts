import { readdirSync, readFileSync } from 'node:fs';
import { type Codec, decodeCanonical, encodeCanonical, fromHex, toHex } from '@starling/core';
import { expect, test } from 'vitest';

/** An entry of a protocol's `vectors/good.json`. */
export interface GoodVector {
  readonly name: string;
  readonly type: string;
  /** Byte strings stand as `0x…`. */
  readonly value: unknown;
  readonly hex: string;
}

/** An entry of a protocol's `vectors/bad.json`: what must be refused, and why. */
export interface BadVector {
  readonly name: string;
  readonly type: string;
  readonly hex: string;
  /** Part of the error's message. */
  readonly why: string;
}

/** In the value of a vector `0x…` stands for bytes. */
export function revive(value: unknown): unknown {
  if (typeof value === 'string' && value.startsWith('0x')) return fromHex(value.slice(2));
  if (Array.isArray(value)) return value.map(revive);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, revive(item)]));
}

/** Reads the vectors that lie beside a protocol's `src`. */
export const vectorsBeside = (test: string) => {
  const folder = new URL('../vectors/', test);
  return {
    files: readdirSync(folder).sort(),
    read: <T>(file: string): readonly T[] =>
      JSON.parse(readFileSync(new URL(file, folder), 'utf8')) as T[],
  };
};

export interface VectorTests {
  /** `import.meta.url` of the test. */
  readonly beside: string;
  /** Codecs by the vectors' `type`. */
  readonly codecs: Readonly<Record<string, Codec<unknown>>>;
  readonly bytesMax: number;
}

/** Every value of `good.json` is encoded as it says, and decoded again. */
export function walkGood({ beside, codecs, bytesMax }: VectorTests): void {
  const vectors = vectorsBeside(beside).read<GoodVector>('good.json');
  test.each(vectors)('$type: $name', ({ type, value, hex }) => {
    const codec = codecs[type]!;
    const wanted = revive(value);
    expect(toHex(encodeCanonical(codec, wanted))).toBe(hex);
    expect(decodeCanonical(codec, fromHex(hex), bytesMax)).toEqual(wanted);
  });
}

/** Nothing of `bad.json` is decoded. */
export function walkBad({ beside, codecs, bytesMax }: VectorTests): void {
  const vectors = vectorsBeside(beside).read<BadVector>('bad.json');
  test.each(vectors)('$type: $name', ({ type, hex, why }) => {
    const decode = () => decodeCanonical(codecs[type]!, fromHex(hex), bytesMax);
    expect(decode).toThrow(expect.objectContaining({ name: 'DecodeError', message: why }));
  });
}
