import { createGenerator, permutation } from '@starling/autodiff';
import { ProtocolError } from '@starling/core';
import { inputWidth } from './example-set.ts';
import { exampleBytes } from './resident.ts';
import { type DataSource, type Examples, type SourceInfo, targetWidth } from './source.ts';
import type { Split } from './split.ts';

/** Consecutive examples that are read in one go. */
interface Block {
  readonly from: number;
  readonly count: number;
}

/** A part of a data set that fits into memory: what to read, and how to use it. */
export interface Shard {
  readonly blocks: readonly Block[];
  /** Examples in its blocks. */
  readonly count: number;
  /** Which of these examples belong to the wanted part of the split, in the order to use them. */
  readonly indices: Int32Array;
}

export interface ShardOptions {
  /** Memory that one shard's examples take at most. */
  readonly bytesMax: number;
  readonly split: Split;
  readonly part: 'training' | 'validation';
  /** Draws the order of blocks and of the examples in a shard. */
  readonly seed: number;
}

/**
 * Blocks in a shard. Files are often sorted, by class or by time: a shard of blocks from many
 * places is nearer to a sample of the whole.
 */
const BLOCKS_PER_SHARD = 8;

/**
 * How a data set is cut: examples in a block, and in all shards but the last.
 * @throws ProtocolError `data-too-large` when not even one example fits
 */
export function planShards(info: SourceInfo, bytesMax: number) {
  const most = Math.floor(bytesMax / exampleBytes(info));
  if (most < 1) {
    const what = `one example takes ${exampleBytes(info)} bytes of memory, at most ${bytesMax}`;
    throw new ProtocolError('data-too-large', what);
  }
  const block = Math.max(1, Math.floor(Math.min(most, info.count) / BLOCKS_PER_SHARD));
  const size = Math.min(most, block * BLOCKS_PER_SHARD);
  return { size, block };
}

/**
 * Cuts a data set into shards of bounded memory, each example once. Blocks are drawn in an order of
 * their own and the examples of each shard are shuffled; equal seeds give equal shards. Nothing is
 * read yet.
 */
export function* drawShards(
  info: SourceInfo,
  { bytesMax, split, part, seed }: ShardOptions,
): Generator<Shard> {
  const { size, block } = planShards(info, bytesMax);
  const generator = createGenerator(seed);
  const order = permutation(Math.ceil(info.count / block), generator);
  const perShard = size / block;
  for (let first = 0; first < order.length; first += perShard) {
    // Read forwards: in some formats a place is found only from the places before it.
    const drawn = order.slice(first, first + perShard).sort();
    const blocks = Array.from(drawn, (at): Block => {
      const from = at * block;
      return { from, count: Math.min(block, info.count - from) };
    });
    const wanted = wantedIndices(blocks, split, part);
    yield {
      blocks,
      count: blocks.reduce((sum, { count }) => sum + count, 0),
      indices: permutation(wanted.length, generator).map((at) => wanted[at]!),
    };
  }
}

function wantedIndices(
  blocks: readonly Block[],
  split: Split,
  part: ShardOptions['part'],
): Int32Array {
  const parts: Int32Array[] = [];
  let first = 0;
  for (const { from, count } of blocks) {
    parts.push(split.indices(part, from, count).map((index) => first + index));
    first += count;
  }
  const all = new Int32Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const each of parts) {
    all.set(each, at);
    at += each.length;
  }
  return all;
}

/** Reads a shard's examples into the rows of `room` from `row` on, block by block. */
export async function readShard(
  source: DataSource,
  { blocks }: Shard,
  { inputs, targets }: Pick<Examples, 'inputs' | 'targets'>,
  row: number,
): Promise<void> {
  const { info } = source;
  let at = row;
  for (const { from, count } of blocks) {
    const read = await source.read(from, count);
    inputs.set(read.inputs, at * inputWidth(info));
    if (read.targets !== null) targets?.set(read.targets, at * targetWidth(info.target));
    at += count;
  }
}
