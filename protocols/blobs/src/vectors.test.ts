import { readFileSync } from 'node:fs';
import { type Codec, decodeCanonical, encodeCanonical, fromHex, toHex } from '@starling/core';
import { describe, expect, test } from 'vitest';
import { BLOB_HEADER_BYTES_MAX, blobRequest, blobResponse } from './index.ts';

interface Vector {
  readonly name: string;
  readonly type: 'request' | 'response';
  readonly hex: string;
}
type GoodVector = Vector & { readonly value: Readonly<Record<string, string | number>> };
type BadVector = Vector & { readonly why: string };

const CODECS: Readonly<Record<Vector['type'], Codec<unknown>>> = {
  request: blobRequest as Codec<unknown>,
  response: blobResponse as Codec<unknown>,
};

/** Fields that a vector gives in hex. */
const BYTES = { hash: true, root: true, held: true };

const read = <T>(name: string): readonly T[] =>
  JSON.parse(readFileSync(new URL(`../vectors/${name}.json`, import.meta.url), 'utf8'));

describe('good vectors', () => {
  test.each(read<GoodVector>('good'))('$type: $name', ({ type, value, hex }) => {
    const wanted = Object.fromEntries(
      Object.entries(value).map(([key, each]) => [key, key in BYTES ? fromHex(`${each}`) : each]),
    );
    expect(toHex(encodeCanonical(CODECS[type], wanted))).toBe(hex);
    expect(decodeCanonical(CODECS[type], fromHex(hex), BLOB_HEADER_BYTES_MAX)).toEqual(wanted);
  });
});

describe('bad vectors [B-1]', () => {
  test.each(read<BadVector>('bad'))('$type: $name', ({ type, hex, why }) => {
    const decode = () => decodeCanonical(CODECS[type], fromHex(hex), BLOB_HEADER_BYTES_MAX);
    expect(decode).toThrow(why);
  });

  test('a header beyond its limit is not even looked at', () => {
    const long = new Uint8Array(BLOB_HEADER_BYTES_MAX + 1).fill(0xc1);
    const decode = () => decodeCanonical(blobRequest, long, BLOB_HEADER_BYTES_MAX);
    expect(decode).toThrow('129 bytes, at most 128');
  });
});
