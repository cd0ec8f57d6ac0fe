import { type Codec, decodeCanonical } from '@starling/core';
import { describe, expect, test } from 'vitest';
import { vectorsBeside, walkBad, walkGood } from '../../../test/helpers/vectors.ts';
import { INFER_LIMITS, inferAnswer, inferRequest, splitBody, tensorBytes } from './index.ts';

const vectors = {
  beside: import.meta.url,
  codecs: {
    request: inferRequest as Codec<unknown>,
    answer: inferAnswer as Codec<unknown>,
  },
  bytesMax: INFER_LIMITS.headerBytesMax,
};

test('every file of vectors is walked', () => {
  expect(vectorsBeside(import.meta.url).files).toEqual(['bad.json', 'good.json']);
});

describe('good vectors', () => walkGood(vectors));

describe('bad vectors [I-1]', () => {
  walkBad(vectors);

  test('a header beyond its limit is not even looked at', () => {
    const long = new Uint8Array(INFER_LIMITS.headerBytesMax + 1);
    expect(() => decodeCanonical(inferRequest, long, vectors.bytesMax)).toThrow('at most 65536');
  });
});

describe('bodies [I-2]', () => {
  const pair = [
    { name: 'a', type: 'int64', shape: [3] },
    { name: 'b', type: 'bool', shape: [] },
  ] as const;

  test('are cut where the tensors end', () => {
    expect(splitBody(pair, new Uint8Array(25))?.map(({ length }) => length)).toEqual([24, 1]);
    expect(splitBody([], new Uint8Array(0))).toEqual([]);
  });

  test.each([24, 26, 0])('of %i bytes in place of 25 are none', (length) => {
    expect(splitBody(pair, new Uint8Array(length))).toBeUndefined();
  });

  test('nor are those of a shape that no body can have', () => {
    const huge = { name: 'a', type: 'float64', shape: Array(8).fill(2 ** 32 - 1) } as const;
    expect(tensorBytes(huge)).toBeGreaterThan(2 ** 53);
    expect(splitBody([huge, { ...huge, name: 'b' }], new Uint8Array(64))).toBeUndefined();
  });
});
