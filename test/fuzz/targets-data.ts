/** Data sets of every format but Parquet: planned, opened and read as the trainer does. */
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { ConfigError, ProtocolError } from '@starling/core';
import { zipSync } from 'fflate';
import sharp from 'sharp';
import { planDataset } from '../../packages/trainer/src/data/inspect.ts';
import { openDataSource } from '../../packages/trainer/src/data/open-source.ts';
import { type DataWords, parseDataOptions } from '../../packages/trainer/src/data/options.ts';
import { npyBytes } from '../../packages/trainer/src/data/testing/tables.ts';
import { writeIdx } from '../../packages/trainer/src/idx.ts';
import { promise, type Target } from './target.ts';

interface Format {
  readonly name: string;
  /** Path of the file that is fuzzed, below the data set's folder. */
  readonly file: string;
  readonly seeds: readonly Uint8Array[];
  readonly format?: Target['format'];
  /** What lies beside it. */
  readonly others?: Readonly<Record<string, Uint8Array>>;
  readonly words?: DataWords;
}

const bytesOf = (text: string): Uint8Array => new Uint8Array(Buffer.from(text));
const floats = (...values: number[]) => new Uint8Array(Float32Array.from(values).buffer);
const X = npyBytes('<f4', [3, 2], floats(1, 2, 3, 4, 5, 6));
const Y = npyBytes('|u1', [3], Uint8Array.of(0, 1, 1));
const IMAGES = writeIdx({ shape: [3, 2, 2], data: new Uint8Array(12).fill(5) });
const LABELS = writeIdx({ shape: [3], data: Uint8Array.of(0, 1, 1) });
async function picture(kind: 'png' | 'jpeg'): Promise<Uint8Array> {
  const pixels = Uint8Array.from({ length: 192 }, (_, i) => (7 * i) % 251);
  const image = sharp(pixels, { raw: { width: 8, height: 8, channels: 3 } });
  // No Buffer: its slices share memory, and mutators change slices.
  return new Uint8Array(await image[kind]().toBuffer());
}

async function formats(): Promise<readonly Format[]> {
  const [png, jpeg] = await Promise.all([picture('png'), picture('jpeg')]);
  return [
    {
      ...{ name: 'csv', file: 'a.csv', format: 'text' },
      seeds: [
        'a,b,label\n1,2.5,x\n-3,4e2,y\n"5",6,x\n',
        '1,2\n3,4\n',
        'a,b\r\n"x ""y""",2\r\nz,3\r\n',
      ].map(bytesOf),
    },
    {
      ...{ name: 'jsonLines', file: 'a.jsonl', format: 'text' },
      seeds: ['{"a":[1,2],"label":0}\n{"a":[3,4],"label":1}\n', '{"a":1,"b":"x"}\n{"b":"y"}'].map(
        bytesOf,
      ),
    },
    {
      ...{ name: 'text', file: 'a.txt', format: 'text' },
      seeds: [bytesOf('to be or not to be, that is the question: größe 🐦\n'.repeat(3))],
      words: { text: 'chars', sequence: '4' },
    },
    {
      ...{ name: 'npz', file: 'a.npz' },
      seeds: [zipSync({ 'x.npy': X, 'y.npy': Y }), zipSync({ 'x.npy': [X, { level: 0 }] })],
    },
    { name: 'npy', file: 'x.npy', seeds: [X, Y], others: { 'y.npy': Y } },
    {
      ...{ name: 'idxImages', file: 'images.idx3-ubyte', seeds: [IMAGES] },
      others: { 'labels.idx1-ubyte': LABELS },
    },
    {
      ...{ name: 'idxLabels', file: 'labels.idx1-ubyte', seeds: [LABELS] },
      others: { 'images.idx3-ubyte': IMAGES },
    },
    { name: 'png', file: 'cat/a.png', seeds: [png], others: { 'dog/b.png': png } },
    { name: 'jpeg', file: 'cat/a.jpg', seeds: [jpeg], others: { 'dog/b.png': png } },
  ];
}

/** Reads all examples; what kind of data they were. */
async function readAll(path: string, words: DataWords): Promise<string> {
  const { plan, problems } = await planDataset(path, parseDataOptions(words));
  if (problems.length > 0) return `problem: ${problems[0]!.replace(/[\d.]+/g, '#').slice(-40)}`;
  const source = await openDataSource(path, plan);
  try {
    const { count, inputs } = await source.read(0, plan.count);
    promise(count === plan.count, `${count} examples of ${plan.count}`);
    promise(inputs.every(Number.isFinite), 'an input that is no number');
    return `${plan.format} ${plan.target.kind}`;
  } finally {
    await source.close();
  }
}

export async function dataTargets(): Promise<readonly Target[]> {
  return (await formats()).map(
    ({ name, file, seeds, format = 'words', others = {}, words = {} }) => {
      let folder: string | undefined;
      return {
        name: `data.${name}`,
        ...{ format, seeds, isSlow: true },
        // Libraries load when first needed, and deflated zeros grow a thousandfold.
        memoryBase: 128 * 2 ** 20,
        refuses: (error) => error instanceof ProtocolError || error instanceof ConfigError,
        run: async (bytes) => {
          folder ??= await placed(others);
          const path = join(folder, file);
          await mkdir(dirname(path), { recursive: true });
          await writeFile(path, bytes);
          return readAll(Object.keys(others).length > 0 ? folder : path, words);
        },
        close: async () => {
          if (folder !== undefined) await rm(folder, { recursive: true });
          folder = undefined;
        },
      } satisfies Target;
    },
  );
}

async function placed(files: Readonly<Record<string, Uint8Array>>): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'starling-fuzz-'));
  for (const [name, bytes] of Object.entries(files)) {
    await mkdir(dirname(join(folder, name)), { recursive: true });
    await writeFile(join(folder, name), bytes);
  }
  return folder;
}
