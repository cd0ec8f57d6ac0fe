import { createGenerator, permutation } from '@starling/autodiff';
import { ProtocolError } from '@starling/core';
import { exampleBytes, type Split } from './resident.ts';
import { type DataSource, type Examples, type SourceInfo, targetArray } from './source.ts';

/** Consecutive examples that are read in one go. */
interface Block {
  readonly from: number;
  readonly count: number;
}

/** A part of a data set that fits into memory. */
export interface Shard {
  /** Place in the order of drawing, from 0, and how many there are. */
  readonly index: number;
  readonly of: number;
  readonly examples: Examples;
  /** Which of these examples belong to the wanted part of the split, in the order to use them. */
  readonly indices: Int32Array;
}

export interface ShardOptions {
  /** Memory that one shard's examples take at most. */
  readonly bytesMax: number;
  readonly split: Split;
  readonly part: 'training' | 'validation';
  /** Draws the order of blocks and of the examples in a shard; the order of the files without. */
  readonly seed?: number;
}

/**
 * Blocks in a shard. Files are often sorted, by class or by time: a shard of blocks from many
 * places is nearer to a sample of the whole.
 */
const BLOCKS_PER_SHARD = 8;

/** Number of shards that a data set of this kind is read in, and examples in all but the last. */
export function planShards(info: SourceInfo, bytesMax: number) {
  const most = Math.floor(bytesMax / exampleBytes(info));
  if (most < 1) {
    const what = `one example takes ${exampleBytes(info)} bytes of memory, at most ${bytesMax}`;
    throw new ProtocolError('data-too-large', what);
  }
  const shards = Math.ceil(info.count / most);
  // A set that fits is one shard; else whole blocks, so that all shards but one have equal size.
  const blocks = shards === 1 ? 1 : BLOCKS_PER_SHARD;
  const block = Math.max(1, Math.floor(Math.min(most, info.count) / blocks));
  const size = Math.min(most, info.count, block * blocks);
  return { shards: Math.ceil(Math.ceil(info.count / block) / (size / block)), size, block };
}

/**
 * Goes through a data set in shards of bounded memory, each example once. With a seed, blocks are
 * drawn in an order of its own and the examples of each shard are shuffled; equal seeds give equal
 * shards.
 * @throws ProtocolError `data-too-large` when not even one example fits
 */
export async function* drawShards(
  source: DataSource,
  { bytesMax, split, part, seed }: ShardOptions,
): AsyncGenerator<Shard> {
  const { info } = source;
  const { shards, size, block } = planShards(info, bytesMax);
  const count = Math.ceil(info.count / block);
  const generator = seed === undefined ? undefined : createGenerator(seed);
  const order =
    generator === undefined
      ? Int32Array.from({ length: count }, (_, i) => i)
      : permutation(count, generator);
  const perShard = size / block;
  for (let index = 0; index < shards; index++) {
    // Read forwards: in some formats a place is found only from the places before it.
    const drawn = order.slice(index * perShard, (index + 1) * perShard).sort();
    const blocks = Array.from(drawn, (at): Block => {
      const from = at * block;
      return { from, count: Math.min(block, info.count - from) };
    });
    const indices = wantedIndices(blocks, split, part);
    const use =
      generator === undefined
        ? indices
        : permutation(indices.length, generator).map((at) => indices[at]!);
    yield { index, of: shards, examples: await readBlocks(source, blocks), indices: use };
  }
}

function wantedIndices(blocks: readonly Block[], split: Split, part: ShardOptions['part']) {
  const found: number[] = [];
  let first = 0;
  for (const { from, count } of blocks) {
    for (const index of split.indices(part, from, count)) found.push(first + index);
    first += count;
  }
  return Int32Array.from(found);
}

async function readBlocks(source: DataSource, blocks: readonly Block[]): Promise<Examples> {
  const [only, ...more] = blocks;
  if (only !== undefined && more.length === 0) return source.read(only.from, only.count);
  const { info } = source;
  const count = blocks.reduce((sum, block) => sum + block.count, 0);
  const width = info.shape.reduce((product, dim) => product * dim, 1);
  const kinds = { uint8: Uint8Array, int32: Int32Array, float32: Float32Array };
  const inputs = new kinds[info.elements.dtype](count * width);
  const targets = targetArray(info.target, count);
  let first = 0;
  for (const { from, count: size } of blocks) {
    const read = await source.read(from, size);
    inputs.set(read.inputs, first * width);
    if (read.targets !== null) targets?.set(read.targets, first * (read.targets.length / size));
    first += size;
  }
  return { count, inputs, targets };
}
