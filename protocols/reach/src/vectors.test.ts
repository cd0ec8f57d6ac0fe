import { readFileSync } from 'node:fs';
import { type Codec, decodeCanonical, encodeCanonical, fromHex, toHex } from '@starling/core';
import { describe, expect, test } from 'vitest';
import { REACH_LIMITS, reachAnswer, reachRequest } from './index.ts';

interface Vector {
  readonly name: string;
  readonly type: 'request' | 'answer';
  readonly hex: string;
}

const CODECS: Readonly<Record<Vector['type'], Codec<unknown>>> = {
  request: reachRequest as Codec<unknown>,
  answer: reachAnswer as Codec<unknown>,
};

const read = <T>(name: string): readonly T[] =>
  JSON.parse(readFileSync(new URL(`../vectors/${name}.json`, import.meta.url), 'utf8'));

const decode = ({ type, hex }: Vector): unknown =>
  decodeCanonical(CODECS[type], fromHex(hex), REACH_LIMITS.messageBytesMax);

describe('good vectors', () => {
  test.each(read<Vector & { readonly value: unknown }>('good'))('$type: $name', (vector) => {
    expect(toHex(encodeCanonical(CODECS[vector.type], vector.value))).toBe(vector.hex);
    expect(decode(vector)).toEqual(vector.value);
  });
});

describe('bad vectors [N-1]', () => {
  test.each(read<Vector & { readonly why: string }>('bad'))('$type: $name', (vector) => {
    expect(() => decode(vector)).toThrow(vector.why);
  });

  test('a body beyond its limit is not even looked at', () => {
    const hex = toHex(new Uint8Array(REACH_LIMITS.messageBytesMax + 1));
    expect(() => decode({ name: 'long', type: 'request', hex })).toThrow('at most 4096');
  });
});
