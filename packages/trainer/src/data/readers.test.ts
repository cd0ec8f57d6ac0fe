import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ConfigError, ProtocolError } from '@starling/core';
import fc from 'fast-check';
import { zipSync } from 'fflate';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { inspectOffer } from '../dataset.ts';
import { writeIdx } from '../idx.ts';
import { planDataset } from './inspect.ts';
import { openDataSource } from './open-source.ts';
import { type DataWords, parseDataOptions } from './options.ts';
import { npyBytes, parquetBytes } from './testing/tables.ts';

let folder: string;
let made = 0;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'starling-readers-'));
});
afterAll(() => rm(folder, { recursive: true }));

type Files = Readonly<Record<string, string | Uint8Array>>;

/** A folder with these files, or the path of the only one. */
async function placed(files: Files): Promise<string> {
  const place = join(folder, `${made++}`);
  for (const [name, content] of Object.entries(files)) {
    const path = join(place, name);
    await mkdir(join(path, '..'), { recursive: true });
    await writeFile(path, content);
  }
  const [only, ...more] = Object.keys(files);
  return more.length === 0 ? join(place, only!) : place;
}

const png = (width: number, height: number, value = 7) =>
  sharp(new Uint8Array(width * height).fill(value), { raw: { width, height, channels: 1 } })
    .png()
    .toBuffer();

const images = writeIdx({ shape: [3, 2, 2], data: new Uint8Array(12).fill(5) });
const labels = writeIdx({ shape: [3], data: Uint8Array.of(0, 1, 1) });
const table = parquetBytes(
  [
    { name: 'a', data: Float32Array.from([1, 2, 3, 4]) },
    { name: 'b', data: Int32Array.from([0, 1, 0, 1]) },
  ],
  2,
);
const x = npyBytes('<f4', [3, 2], new Uint8Array(Float32Array.from([1, 2, 3, 4, 5, 6]).buffer));
const y = npyBytes('|u1', [3], Uint8Array.of(0, 1, 1));

/** The bytes with some of them turned over. */
function damaged(bytes: Uint8Array, from: number, to: number): Uint8Array {
  return bytes.map((byte, i) => (i >= from && i < to ? byte ^ 0xff : byte));
}

const fortran = (bytes: Uint8Array): Uint8Array =>
  Uint8Array.from(
    Buffer.from(bytes)
      .toString('latin1')
      .replace("'fortran_order': False", "'fortran_order': True "),
    (character) => character.charCodeAt(0),
  );

/** A zip of one file whose directory says that it holds `bytes`. */
function claiming(zip: Uint8Array, bytes: number): Uint8Array {
  const out = Buffer.from(zip);
  out.writeUInt32LE(bytes, out.indexOf(Buffer.from('PK\x01\x02', 'latin1')) + 24);
  return out;
}

type Case = readonly [name: string, Files, DataWords, RegExp];

const FAULTS: readonly Case[] = [
  ['nothing', { 'a/readme.md': 'x', 'b.md': 'y' }, {}, /holds no data that can be read\. Wanted/],
  ['a packed file', { 'a.csv.gz': 'x' }, {}, /Unpack a\.csv\.gz first/],
  [
    'two kinds',
    { 'a.csv': 'a,b\n1,2', 'b.npz': 'x' },
    {},
    /csv \(1\) and npz \(1\)\. Give the path/,
  ],
  ['an empty CSV file', { 'a.csv': '' }, {}, /a\.csv in .*: is empty/],
  ['a header alone', { 'a.csv': 'a,b\n' }, {}, /a\.csv: holds no row/],
  ['a row too short', { 'a.csv': 'a,b\n1,2\n3\n' }, {}, /a\.csv:3: 1 fields.*2 columns/],
  ['a row too long', { 'a.csv': 'a,b\n1,2,3\n' }, {}, /a\.csv:2: 3 fields/],
  ['an open quote', { 'a.csv': 'a,b\n1,"2\n3,4\n' }, {}, /a\.csv:\d+: .*[Qq]uote/],
  ['two equal columns', { 'a.csv': 'a,a\n1,2\n' }, {}, /a\.csv:1: two columns are named "a"/],
  [
    'other columns',
    { 'a.csv': 'a,b\n1,2\n', 'b.csv': 'a,c\n1,2\n' },
    {},
    /b\.csv: has no column "b"/,
  ],
  ['a line that is no JSON', { 'a.jsonl': '{"a":1}\n{"a":' }, {}, /a\.jsonl:2: .*one JSON object/],
  ['a line that is no object', { 'a.jsonl': '[1]\n' }, {}, /a\.jsonl:1: no JSON object/],
  ['an object in an object', { 'a.jsonl': '{"a":{}}\n' }, {}, /a\.jsonl:1, key "a": an object/],
  ['a blank JSON Lines file', { 'a.jsonl': '\n\n' }, {}, /a\.jsonl: the file is empty/],
  ['no Parquet', { 'a.parquet': 'PAR1 not really PAR1' }, {}, /a\.parquet: .*Copy it again/],
  ['half a Parquet file', { 'a.parquet': table.slice(0, table.length >> 1) }, {}, /a\.parquet: /],
  [
    'a damaged Parquet page',
    { 'a.parquet': damaged(table, 4, 40) },
    {},
    /a\.parquet, column "a": .*damaged here; copy/,
  ],
  ['no NumPy file', { 'a.npy': 'hello world, no array' }, {}, /a\.npy: not a NumPy array file/],
  [
    'half an array',
    { 'x.npy': x.slice(0, -5), 'y.npy': y },
    {},
    /x\.npy: 19 bytes of data, expected 24/,
  ],
  ['a Fortran array', { 'a.npy': fortran(x) }, {}, /a\.npy: in Fortran order\. Save numpy/],
  [
    'texts as array',
    { 'a.npy': npyBytes('<U4', [2], new Uint8Array(32)) },
    {},
    /elements of type <U4/,
  ],
  [
    'half a zip',
    { 'a.npz': zipSync({ 'x.npy': x, 'y.npy': y }).slice(0, 300) },
    {},
    /a\.npz: .*Write it again/,
  ],
  [
    'a zip that claims gigabytes',
    { 'a.npz': claiming(zipSync({ 'x.npy': x }), 1_459_617_944) },
    {},
    /a\.npz: "x\.npy" cannot be 1459617944 bytes in \d+ of this file\. .*Write it again/,
  ],
  ['a zip without arrays', { 'a.npz': zipSync({ 'x.txt': x }) }, {}, /a\.npz: holds no array/],
  [
    'other lengths',
    { 'x.npy': x, 'y.npy': npyBytes('|u1', [2], Uint8Array.of(0, 1)) },
    {},
    /3 inputs, but 2 targets/,
  ],
  ['IDX images alone', { 'images.idx3-ubyte': images, 'b.txt': 'x' }, {}, /holds none of labels/],
  [
    'half an IDX file',
    { 'images.idx3-ubyte': images.slice(0, -3), 'labels.idx1-ubyte': labels },
    {},
    /images\.idx3-ubyte: 9 bytes of data, expected 12/,
  ],
  [
    'a file that is no image',
    { 'cat/a.png': 'hello', 'dog/b.png': 'x' },
    {},
    /a\.png: .*Open it in an image viewer/,
  ],
  [
    'text that is no UTF-8',
    { 'a.txt': Uint8Array.of(0x61, 0x0a, 0xff, 0xfe) },
    { text: 'chars' },
    /a\.txt.*, line 2: the text is not UTF-8\. Convert/,
  ],
  [
    'no tokenizer',
    { 'a.txt': 'hello' },
    { text: '/nowhere/tokenizer.json' },
    /tokenizer\.json: .*Hugging Face/,
  ],
  [
    'no alphabet',
    { 'a.txt': 'hello' },
    { text: 'chars:/nowhere/abc' },
    /\/nowhere\/abc: .*no such file/,
  ],
];
const PROBLEMS: readonly Case[] = [
  [
    'a missing value',
    { 'a.csv': 'a,b\n1,0\n,1\n' },
    {},
    /a\.csv:3, column "a": the value is missing; fill/,
  ],
  [
    'a word among numbers',
    { 'a.csv': 'a,b\n1,0\nx,1\n2,1\n' },
    {},
    /a\.csv:3, column "a": "x" is no number/,
  ],
  ['one example', { 'a.csv': 'a,b\n1,0\n' }, {}, /1 examples; at least 2 are needed/],
  [
    'labels beyond the classes',
    { 'a.csv': 'a,b\n1,0\n2,5\n' },
    { classes: '3' },
    /labels of 3 classes.*0 to 5/,
  ],
  [
    'an unknown class',
    { 'a.csv': 'a,b\n1,cat\n2,cow\n' },
    { classes: 'cat,dog' },
    /label "cow" is not among/,
  ],
  [
    'a shape of another size',
    { 'a.csv': 'a,b\n1,0\n2,1\n' },
    { shape: '2x2' },
    /2x2 has 4 elements, but an example has 1/,
  ],
  ['no input', { 'a.csv': 'a,b\nx,0\ny,1\n' }, {}, /no column of numbers is left/],
  [
    'lists of two lengths',
    { 'a.jsonl': '{"a":[1,2],"b":0}\n{"a":[1],"b":1}' },
    {},
    /a\.jsonl:2, column "a": a list of 1/,
  ],
  [
    'a number that is none',
    {
      'x.npy': npyBytes('<f4', [2, 1], new Uint8Array(Float32Array.of(1, Number.NaN).buffer)),
      'y.npy': npyBytes('|u1', [2], Uint8Array.of(0, 1)),
    },
    {},
    /x\.npy, row 1: NaN is no number/,
  ],
  [
    'a number beyond single precision',
    { 'a.csv': 'a,b\n1,0\n4e42,1\n' },
    {},
    /column "a": 1 to 4e\+42, which is beyond single precision; correct it/,
  ],
  [
    'a text too short',
    { 'a.txt': 'abc' },
    { sequence: '3' },
    /3 tokens are too few for sequences of 3/,
  ],
];
describe('what cannot be read is refused with file, place and what to do', () => {
  test.each(FAULTS)('%s', async (_, files, words, message) => {
    const path = await placed(files);
    const error = await planDataset(path, parseDataOptions(words)).catch((each: unknown) => each);
    expect(error).toBeInstanceOf(ProtocolError);
    expect((error as Error).message).toMatch(message);
  });

  test('images of other sizes, and half of one', async () => {
    const whole = await png(4, 4);
    const two = await placed({ 'cat/a.png': whole, 'dog/b.png': await png(5, 4) });
    await expect(planDataset(two)).rejects.toThrow(
      /b\.png: 4 by 5, others are 4 by 4\. Give --shape/,
    );
    expect((await planDataset(two, parseDataOptions({ shape: '4x4' }))).problems).toEqual([]);
    const half = await placed({ 'cat/a.png': whole, 'dog/b.png': whole.subarray(0, 60) });
    await expect(planDataset(half)).rejects.toThrow(/b\.png: .*Open it in an image viewer/);
  });

  test('a path that is not there', async () => {
    await expect(planDataset(join(folder, 'nowhere'))).rejects.toThrow(/nowhere: .*no such file/);
  });
});

describe('what can be read and cannot train is a problem with what to do', () => {
  test.each(PROBLEMS)('%s', async (_, files, words, message) => {
    const path = await placed(files);
    const options = parseDataOptions(words);
    const { problems } = await planDataset(path, options);
    expect(problems.join('\n')).toMatch(message);
    const adding = inspectOffer('mine', path, { options });
    await expect(adding).rejects.toBeInstanceOf(ConfigError);
  });

  const wrong: readonly (readonly [DataWords, RegExp])[] = [
    [{ label: 'z' }, /label: there is no column "z"\. The columns are a, b/],
    [{ features: 'z*' }, /features: no column matches "z\*"/],
    [{ label: 'a,' }, /label: .*empty name/],
    [{ shape: '2x0' }, /shape: "2x0" is no shape/],
    [{ normalise: 'often' }, /normalise: "often" is no normalisation\. Choose/],
    [{ classes: 'a' }, /classes: "a" names no two/],
    [{ classes: '4000000000' }, /classes: 4000000000 are too many\. At most 100000/],
    [{ text: 'words' }, /text: "words" is no way to cut/],
    [{ sequence: '0' }, /sequence: "0" is no whole number/],
  ];
  test.each(wrong)('an option that names what is not there: %j', async (words, message) => {
    const path = await placed({ 'a.csv': 'a,b\n1,0\n2,1\n' });
    const planning = async () => planDataset(path, parseDataOptions(words));
    await expect(planning()).rejects.toThrow(message);
    await expect(planning()).rejects.toBeInstanceOf(ConfigError);
  });
});

describe('any damage is a refusal that names the place, or reads as numbers', () => {
  const good: readonly (readonly [name: string, Files])[] = [
    ['CSV', { 'a.csv': 'a,b,label\n1,2.5,x\n-3,4e2,y\n"5",6,x\n' }],
    ['JSON Lines', { 'a.jsonl': '{"a":[1,2],"label":0}\n{"a":[3,4],"label":1}\n' }],
    ['Parquet', { 'a.parquet': table }],
    ['NPZ', { 'a.npz': zipSync({ 'x.npy': x, 'y.npy': y }) }],
    ['NPY', { 'x.npy': x, 'y.npy': y }],
    ['IDX', { 'images.idx3-ubyte': images, 'labels.idx1-ubyte': labels }],
    ['text', { 'a.txt': 'to be or not to be, that is the question' }],
  ];
  test.each(good)('%s', async (_, files) => {
    const names = Object.keys(files);
    const words = names[0] === 'a.txt' ? { text: 'chars', sequence: '4' } : {};
    const options = parseDataOptions(words);
    const edits = fc.record({
      file: fc.constantFrom(...names),
      at: fc.nat(10_000),
      byte: fc.integer({ min: 0, max: 255 }),
      // Inside of a Parquet page, its reader believes how long a run is.
      kind: fc.constantFrom(...(files['a.parquet'] ? ['cut'] : ['change', 'cut', 'insert'])),
    });
    await fc.assert(
      fc.asyncProperty(edits, async ({ file, at, byte, kind }) => {
        const before = new Uint8Array(Buffer.from(files[file]!));
        const place = at % (before.length + 1);
        const rest = before.subarray(kind === 'insert' ? place : place + 1);
        const after =
          kind === 'cut'
            ? before.subarray(0, place)
            : Buffer.concat([before.subarray(0, place), Uint8Array.of(byte), rest]);
        const path = await placed({ ...files, [file]: after });
        try {
          const { plan, problems } = await planDataset(path, options);
          if (problems.length > 0) return;
          const source = await openDataSource(path, plan);
          const { inputs, count } = await source.read(0, plan.count);
          await source.close();
          expect(count).toBe(plan.count);
          expect(inputs.every(Number.isFinite)).toBe(true);
        } catch (error) {
          if (!(error instanceof ProtocolError || error instanceof ConfigError)) throw error;
          expect(error.message.length).toBeGreaterThan(10);
        }
      }),
      { numRuns: 40 },
    );
  });
});

test('numbers that are no count of classes are their names', async () => {
  const path = await placed({ 'a.csv': 'a,label\n1,4294967294\n2,80331\n3,80331\n' });
  const { plan, problems } = await planDataset(path);
  expect(problems).toEqual([]);
  expect(plan.target).toEqual({ kind: 'classes', count: 2, names: ['80331', '4294967294'] });
  expect(plan.histogram).toEqual([2, 1]);
});

test('images are not made larger than any model takes them', async () => {
  const path = await placed({ 'cat/a.png': await png(4, 4), 'dog/b.png': await png(4, 4) });
  const options = parseDataOptions({ shape: '100000x100000' });
  await expect(planDataset(path, options)).rejects.toThrow(/100000x100000: too large\. /);
});

describe('files that change behind a plan', () => {
  test('are refused when their number or size is another', async () => {
    const path = await placed({ 'a.csv': 'a,b\n1,0\n2,1\n' });
    const { plan } = await planDataset(path);
    await writeFile(path, 'a,b\n1,0\n2,1\n3,1\n');
    await expect(openDataSource(path, plan)).rejects.toThrow(
      /holds 1 csv files of 16 bytes, but held 1 csv files of 12 bytes\. Add the data set again/,
    );
  });

  test('are refused where they no longer hold what was found', async () => {
    const path = await placed({ 'a.csv': 'a,b\n1,0\n2,1\n3,0\n' });
    const { plan } = await planDataset(path);
    await writeFile(path, 'a,b\n1,0\n2,1\n3,7\n');
    const source = await openDataSource(path, plan);
    await expect(source.read(0, 3)).rejects.toThrow(/a\.csv:4, column "b": "?7"? is none of the 2/);
    await source.close();
  });
});

test('CSV that a spreadsheet or R wrote reads as it was meant', async () => {
  const rows = fc.array(
    fc.record({
      // A written zero has no sign, and what is beyond single precision is a problem of its own.
      number: fc.double({ min: -1e38, max: 1e38, noNaN: true }).map((value) => value + 0),
      name: fc.constantFrom('plain', 'with, comma', 'with "quotes"', 'line\nbreak', 'ß'),
    }),
    { minLength: 2, maxLength: 40, size: 'max' },
  );
  const quoted = (text: string) => `"${text.replaceAll('"', '""')}"`;
  await fc.assert(
    fc.asyncProperty(rows, fc.constantFrom('\n', '\r\n'), fc.boolean(), async (all, end, bom) => {
      const lines = all.map(({ number, name }) => `${number},${quoted(name)}`);
      const text = `${bom ? '\ufeff' : ''}${['number,name', ...lines].join(end)}${end}`;
      const path = await placed({ 'a.csv': text });
      const { plan } = await planDataset(path, parseDataOptions({ label: 'name' }));
      expect(plan.count).toBe(all.length);
      const source = await openDataSource(path, plan);
      const { inputs, targets } = await source.read(0, all.length);
      await source.close();
      const names = plan.target.kind === 'classes' ? plan.target.names! : [];
      // Text after `trim`: fields are names, not prose.
      expect(Array.from(targets!, (target) => names[target])).toEqual(all.map(({ name }) => name));
      expect([...inputs]).toEqual(all.map(({ number }) => Math.fround(number)));
    }),
    { numRuns: 30 },
  );
});
