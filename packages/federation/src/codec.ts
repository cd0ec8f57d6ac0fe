import { assert, ProtocolError } from '@starling/core';
import { SIGMA_MAX } from '@starling/privacy';

/** What the manifest and the roster say about the grid. */
export interface CodecOptions {
  /** Width of a ring word. */
  readonly bits: number;
  /** Most peers whose words may be added. */
  readonly peersMax: number;
  /** Bound of an update's L2 norm, and so of each coordinate's magnitude. */
  readonly clippingNorm: number;
  /** Coordinates beyond are clamped; the clipping norm unless told. Not with noise. */
  readonly range?: number;
  /** What every peer adds to its update; nothing when absent. */
  readonly noise?: NoiseOptions;
}

/** Noise that hides one peer's update in the sum of all (distributed discrete Gaussian). */
export interface NoiseOptions {
  /** Standard deviation, in a sum, of the noise that counts, over the clipping norm. */
  readonly multiplier: number;
  /** Fewest updates in a sum, and fewest of them whose noise counts. */
  readonly survivorsMin: number;
  readonly honestMin: number;
}

/** The grid on which updates become ring integers: 2^v points from −range to range. */
export interface UpdateCodec extends CodecOptions {
  /** v: bits of one peer's value; v + ⌈log2 peersMax⌉ ≤ bits, so a sum stays exact in the ring. */
  readonly valueBits: number;
  /** 2^v − 1, the largest value of one peer; 2^v − 2 with noise, so that 0 is on the grid. */
  readonly valueMax: number;
  /** Standard deviation of one peer's noise, in steps of the grid; 0 without. */
  readonly sigma: number;
  /** What each peer adds, so that sums with their noise stay above 0; 0 without noise. */
  readonly offset: number;
  /** valueMax + 2 · offset: the sum of n updates is within 0 and n times this. */
  readonly wordMax: number;
  /** r: coordinates beyond are clamped. */
  readonly range: number;
  /** 2r / (2^v − 1): distance of two grid points. */
  readonly step: number;
}

/** Finer grids cost head-room and gain nothing beside the noise of training. */
const VALUE_BITS_MAX = 18;
/** With fewer, the error of one peer is as large as what it has to say. */
const VALUE_BITS_MIN = 4;

/**
 * @throws ProtocolError 'codec' when so many peers leave too few bits for a value, or noise is too
 *   little for the grid or too much for the ring
 */
export function updateCodec(options: CodecOptions): UpdateCodec {
  const { bits, peersMax, clippingNorm, noise, range = clippingNorm } = options;
  assert(Number.isInteger(bits) && bits >= 8 && bits <= 32, `ring bits: ${bits}`);
  assert(Number.isInteger(peersMax) && peersMax >= 1 && peersMax < 2 ** 31, `peers: ${peersMax}`);
  assert(Number.isFinite(clippingNorm) && clippingNorm > 0, `clipping norm: ${clippingNorm}`);
  const ceilLog2 = 32 - Math.clz32(peersMax - 1);
  const valueBits = Math.min(VALUE_BITS_MAX, bits - ceilLog2);
  if (valueBits < VALUE_BITS_MIN) {
    throw new ProtocolError('codec', `${bits} ring bits are too few for ${peersMax} peers`);
  }
  if (noise !== undefined) return noisyCodec(options, noise, valueBits);
  return { ...options, ...plainGrid(valueBits, range) };
}

/** A grid without noise: 2^valueBits points from −range to range. */
export function plainGrid(
  valueBits: number,
  range: number,
): Omit<UpdateCodec, 'bits' | 'peersMax' | 'clippingNorm' | 'noise'> {
  const valueMax = 2 ** valueBits - 1;
  const step = (2 * range) / valueMax;
  return { valueBits, valueMax, sigma: 0, offset: 0, wordMax: valueMax, range, step };
}

/** So few steps of the grid and the sum of peers' noise is no discrete Gaussian any more. */
const SIGMA_MIN = 3;
const NOISY_BITS_MIN = 5;
/**
 * Standard deviations of a sum's noise that its range has room for: a sum of honest updates is
 * beyond with a probability of 2·e^−72.
 */
const DEVIATIONS = 12;

/**
 * The finest grid on which value and noise of `peersMax` peers fit the ring. Noise of σ has its
 * share z · c / √h of all that h honest peers add. + − × ÷ and square roots alone: peers agree on
 * it.
 */
function noisyCodec(options: CodecOptions, noise: NoiseOptions, widest: number): UpdateCodec {
  const { bits, peersMax, clippingNorm } = options;
  const { multiplier, survivorsMin, honestMin } = noise;
  assert(
    multiplier > 0 && honestMin >= 1 && survivorsMin >= honestMin,
    'noise without honest peers',
  );
  for (let valueBits = widest; valueBits >= NOISY_BITS_MIN; valueBits--) {
    const valueMax = 2 ** valueBits - 2;
    const sigma = (multiplier * valueMax) / (2 * Math.sqrt(honestMin));
    const offset = Math.ceil((DEVIATIONS * sigma) / Math.sqrt(survivorsMin));
    const wordMax = valueMax + 2 * offset;
    if (sigma > SIGMA_MAX || peersMax * wordMax >= 2 ** bits) continue;
    if (sigma < SIGMA_MIN) {
      const least = `less than ${SIGMA_MIN} steps of the grid that ${bits} ring bits allow`;
      throw new ProtocolError('codec', `a noise multiplier of ${multiplier} is ${least}`);
    }
    const grid = { valueBits, valueMax, sigma, offset, wordMax };
    return { ...options, ...grid, range: clippingNorm, step: (2 * clippingNorm) / valueMax };
  }
  const problem = `are too few for ${peersMax} peers with a noise multiplier of ${multiplier}`;
  throw new ProtocolError('codec', `${bits} ring bits ${problem}`);
}

/** Hides what is on the grid, in place: noise and offset are added, modulo the ring. */
export function addNoise(words: Uint32Array, noise: Int32Array, codec: UpdateCodec): void {
  assert(noise.length === words.length, `${noise.length} draws for ${words.length} words`);
  const mask = codec.bits === 32 ? 0xffffffff : 2 ** codec.bits - 1;
  for (let i = 0; i < words.length; i++) words[i] = (words[i]! + noise[i]! + codec.offset) & mask;
}

/**
 * Sum of squares of grid points around 0, in steps; exact below 2^53. For grids with noise alone.
 */
export function squaredSteps(words: Uint32Array, codec: UpdateCodec): number {
  const zero = codec.valueMax / 2;
  let squares = 0;
  for (let i = 0; i < words.length; i++) squares += (words[i]! - zero) ** 2;
  return squares;
}

/**
 * Grid points of `update` by stochastic rounding: ⌊(clamp(x, −r, r) + r)·(2^v−1)/(2r) + u⌋. The
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
  const { step, range, offset } = codec;
  const zero = count * (range + offset * step);
  const mean = new Float64Array(sum.length);
  for (let i = 0; i < sum.length; i++) mean[i] = (sum[i]! * step - zero) / divisor;
  return mean;
}

/**
 * `count` may be that of many cells together: the sums are whole numbers, below 2^32.
 * @throws ProtocolError 'sum-out-of-range' on a word above count · wordMax
 */
export function checkSums(sums: Uint32Array, count: number, codec: UpdateCodec): void {
  const sumMax = count * codec.wordMax;
  const legal = Number.isInteger(count) && count >= 1 && sumMax < 2 ** 32;
  assert(legal, `${count} contributors: their sum does not fit a word`);
  for (let i = 0; i < sums.length; i++) {
    if (sums[i]! > sumMax) {
      throw new ProtocolError('sum-out-of-range', `sum ${sums[i]} of coordinate ${i} > ${sumMax}`);
    }
  }
}
