import { assert, ProtocolError } from '@starling/core';

/** What the manifest and the roster say about the grid. */
export interface CodecOptions {
  /** Width of a ring word. */
  readonly bits: number;
  /** Most peers whose words may be added. */
  readonly peersMax: number;
  /** Bound of an update's L2 norm, and so of each coordinate's magnitude. */
  readonly clippingNorm: number;
}

/** The grid on which updates become ring integers: 2^v points from −c to c. */
export interface UpdateCodec extends CodecOptions {
  /** v: bits of one peer's value; v + ⌈log2 peersMax⌉ ≤ bits, so a sum stays exact in the ring. */
  readonly valueBits: number;
  /** 2^v − 1, the largest value of one peer. */
  readonly valueMax: number;
  /** c: coordinates beyond are clamped. */
  readonly range: number;
  /** 2c / (2^v − 1): distance of two grid points. */
  readonly step: number;
}

/** Finer grids cost head-room and gain nothing beside the noise of training. */
const VALUE_BITS_MAX = 18;
/** With fewer bits the metric coordinates cannot hold one example of the greatest loss. */
const VALUE_BITS_MIN = 5;

/** @throws ProtocolError 'codec' when so many peers leave too few bits for a value */
export function updateCodec({ bits, peersMax, clippingNorm }: CodecOptions): UpdateCodec {
  assert(Number.isInteger(bits) && bits >= 8 && bits <= 32, `ring bits: ${bits}`);
  assert(Number.isInteger(peersMax) && peersMax >= 1 && peersMax < 2 ** 31, `peers: ${peersMax}`);
  assert(Number.isFinite(clippingNorm) && clippingNorm > 0, `clipping norm: ${clippingNorm}`);
  const ceilLog2 = 32 - Math.clz32(peersMax - 1);
  const valueBits = Math.min(VALUE_BITS_MAX, bits - ceilLog2);
  if (valueBits < VALUE_BITS_MIN) {
    throw new ProtocolError('codec', `${bits} ring bits are too few for ${peersMax} peers`);
  }
  const valueMax = 2 ** valueBits - 1;
  const step = (2 * clippingNorm) / valueMax;
  return { bits, peersMax, clippingNorm, valueBits, valueMax, range: clippingNorm, step };
}

/**
 * Grid points of `update` by stochastic rounding: ⌊(clamp(x, −c, c) + c)·(2^v−1)/(2c) + u⌋. The
 * expected value is x itself, so rounding errors of many peers average out instead of adding up.
 * @param uniform 4 bytes per coordinate from a keystream; u is their little-endian value / 2^32
 * @throws ProtocolError 'not-finite' on NaN or Infinity: training diverged
 */
export function quantise(
  update: Float32Array,
  codec: UpdateCodec,
  uniform: Uint8Array,
): Uint32Array {
  assert(
    uniform.length === 4 * update.length,
    `${uniform.length} bytes for ${update.length} values`,
  );
  const { range, valueMax } = codec;
  const scale = valueMax / (2 * range);
  const random = new DataView(uniform.buffer, uniform.byteOffset, uniform.length);
  const out = new Uint32Array(update.length);
  for (let i = 0; i < update.length; i++) {
    const value = update[i]!;
    if (!Number.isFinite(value)) {
      throw new ProtocolError('not-finite', `coordinate ${i} of the update is ${value}`);
    }
    const place = (Math.min(range, Math.max(-range, value)) + range) * scale;
    const point = Math.floor(place + random.getUint32(4 * i, true) / 2 ** 32);
    // The scale may be rounded up by an ulp, which must not carry the last point over the edge.
    out[i] = Math.min(valueMax, point);
  }
  return out;
}

/**
 * The mean of `count` updates from the sum of their grid points, of one cell or of several added
 * up. Float64 operations in a fixed order, equal in every engine.
 * @param divisor sum of the updates' weights; their number when all count the same
 * @throws ProtocolError 'sum-out-of-range' where no `count` honest values can add up to the sum: a
 *   contributor used wrong masks
 */
export function dequantiseSum(
  sum: Uint32Array,
  count: number,
  codec: UpdateCodec,
  divisor: number = count,
): Float64Array {
  checkSums(sum, count, codec);
  const { step, range } = codec;
  const zero = count * range;
  const mean = new Float64Array(sum.length);
  for (let i = 0; i < sum.length; i++) mean[i] = (sum[i]! * step - zero) / divisor;
  return mean;
}

/**
 * `count` may be that of many cells together: the sums are whole numbers, below 2^32.
 * @throws ProtocolError 'sum-out-of-range' on a word above count · (2^v − 1)
 */
export function checkSums(sums: Uint32Array, count: number, codec: UpdateCodec): void {
  const sumMax = count * codec.valueMax;
  const legal = Number.isInteger(count) && count >= 1 && sumMax < 2 ** 32;
  assert(legal, `${count} contributors: their sum does not fit a word`);
  for (let i = 0; i < sums.length; i++) {
    if (sums[i]! > sumMax) {
      throw new ProtocolError('sum-out-of-range', `sum ${sums[i]} of coordinate ${i} > ${sumMax}`);
    }
  }
}
