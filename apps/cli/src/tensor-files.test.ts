import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { TensorType } from '@starling/serving';
import { describe, expect, test } from 'vitest';
import { temporaryDirectory } from '../../../test/helpers/temporary.ts';
import { readTensor, valuesOf } from './tensor-files.ts';

async function file(name: string, contents: string | Uint8Array): Promise<string> {
  const path = join(await temporaryDirectory(), name);
  await writeFile(path, contents);
  return path;
}

/** As numpy.save writes it, version 1. */
function npy(descr: string, shape: string, data: Uint8Array): Uint8Array {
  const text = `{'descr': '${descr}', 'fortran_order': False, 'shape': ${shape}, }`;
  const header = `${text.padEnd(117, ' ')}\n`;
  const prefix = Buffer.from('\x93NUMPY\x01\x00', 'latin1');
  const length = Buffer.from([header.length & 0xff, header.length >> 8]);
  return Buffer.concat([prefix, length, Buffer.from(header), data]);
}

const read = async (path: string, dtype: TensorType) => {
  const { shape, bytes, name } = await readTensor(path, { name: 'x', dtype, shape: [] });
  return { name, shape, values: valuesOf(dtype, bytes) };
};

describe('a tensor of a file', () => {
  test.each([
    ['float32', [1, 2, 3, 4]],
    ['float64', [1, 2, 3, 4]],
    ['int32', [1, 2, 3, 4]],
    ['int64', [1, 2, 3, 4]],
    ['uint8', [1, 2, 3, 4]],
    ['bool', [1, 2, 3, 4]],
  ] as const)('is read as %s from NumPy and from JSON', async (dtype, values) => {
    const array = npy('<f8', '(2, 2)', new Uint8Array(Float64Array.from(values).buffer));
    const expected = { name: 'x', shape: [2, 2], values };
    expect(await read(await file('a.npy', array), dtype)).toEqual(expected);
    expect(await read(await file('a.json', '[[1, 2], [3, 4]]'), dtype)).toEqual(expected);
  });

  test.each([
    ['no JSON', '{'],
    ['ragged', '[[1, 2], [3]]'],
    ['of text', '["a"]'],
    ['an object', '{"a": 1}'],
  ])('that is %s is refused, and named', async (_, text) => {
    await expect(read(await file('bad.json', text), 'float32')).rejects.toThrow(
      /^input: .*bad\.json/,
    );
  });

  test('that is damaged, or not there, is refused, and named', async () => {
    const short = npy('<f4', '(2, 2)', new Uint8Array(12));
    await expect(read(await file('short.npy', short), 'float32')).rejects.toThrow(/short\.npy/);
    await expect(read('/nowhere/x.npy', 'float32')).rejects.toThrow(/nowhere/);
  });
});
