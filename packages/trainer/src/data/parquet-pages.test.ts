import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { temporaryDirectory } from '../../../../test/helpers/temporary.ts';
import { planDataset } from './inspect.ts';
import { parquetBytes } from './testing/tables.ts';
import { ThriftError, ThriftReader } from './thrift.ts';

const table = parquetBytes(
  [
    { name: 'a', data: Float32Array.from([1, 2, 3, 4]) },
    { name: 'b', data: Int32Array.from([0, 1, 0, 1]) },
  ],
  4,
);
/** Of the first page: the magic word, then fields 1, 2 and 3, each a kind and a number. */
const SIZE = 7;
const PACKED = 9;

async function planned(change: Readonly<Record<number, number>>) {
  const path = join(await temporaryDirectory(), 'a.parquet');
  await writeFile(
    path,
    table.map((byte, i) => change[i] ?? byte),
  );
  return planDataset(path);
}

test('pages of a whole file are in order', async () => {
  expect([...table.subarray(4, 11)].filter((byte) => byte === 0x15)).toHaveLength(3);
  expect((await planned({})).plan.count).toBe(4);
});

describe('a page that its reader would follow for ever, or fill memory for, is refused', () => {
  // A zigzag number: odd ones are negative.
  test.each([
    ['goes back in the file', { [PACKED]: 0x01 }, /column "a": a page with -1 bytes, of which/],
    ['ends behind its column', { [PACKED]: 0x7e }, /column "a": a page with 63 bytes, of which/],
    ['unpacks to less than nothing', { [SIZE]: 0x01 }, /column "a": a page with -1 bytes unpacked/],
    ['has no header', { 4: 0xff }, /column "a": the header of a page is damaged/],
  ])('one that %s', async (_, change, message) => {
    await expect(planned(change)).rejects.toThrow(message);
  });

  test('one with more values than its column', async () => {
    // The number of values is the first field of the structure that follows.
    const place = table.indexOf(0x15, PACKED + 1) + 1;
    await expect(planned({ [place]: 0x7e })).rejects.toThrow(/63 values, where \d+ can be/);
  });
});

describe('the compact form of Thrift', () => {
  const read = (...bytes: number[]) => new ThriftReader(Uint8Array.from(bytes), 0).struct();

  test('numbers, structures, and what is left out', () => {
    // 1: −3, 3: a text, 4: {1: 300}, 6: a truth, 20: 7 by its own number.
    const fields = read(
      ...[0x15, 0x05, 0x28, 2, 0x61, 0x62, 0x1c, 0x15, 0xd8, 0x04, 0x00, 0x21],
      ...[0x05, 0x28, 0x0e, 0x00],
    );
    expect(fields).toEqual(
      new Map<number, unknown>([
        [1, -3],
        [4, new Map([[1, 300]])],
        [20, 7],
      ]),
    );
  });

  test.each([
    ['an end in the middle', [0x15]],
    ['a text that is longer than all', [0x18, 0xff, 0xff, 0xff, 0x7f, 0x00]],
    ['a list that is longer than all', [0x19, 0xf5, 0xff, 0xff, 0xff, 0x7f]],
    ['a number without end', [0x15, ...new Array<number>(12).fill(0xff)]],
    ['structures without end', new Array<number>(40).fill(0x1c)],
    ['a kind that is none', [0x1d]],
  ])('%s is refused', (_, bytes) => {
    expect(() => read(...bytes)).toThrow(ThriftError);
  });
});
