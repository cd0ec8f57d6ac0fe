import { assembleTagKernel, SUMS_AT, TAG_STEP_BYTES, TAG_TILE_BYTES } from './tag-module.ts';
import { wordsOfBytes } from './words.ts';

/**
 * Inner products of one tile with coefficients: `load` the tile, then `dot` as often as there are
 * coefficient streams. A tile has at most TAG_TILE_WORDS words. Not re-entrant.
 */
export interface TagKernel {
  readonly name: 'wasm' | 'split' | 'reference';
  load(tile: Uint32Array): void;
  /**
   * Σ coefficient·word over the tile, the exact integer.
   * @param coefficients as many little-endian words as the tile has
   */
  dot(coefficients: Uint8Array): bigint;
}

export const TAG_TILE_WORDS = TAG_TILE_BYTES / 4;

function onWords(
  name: 'split' | 'reference',
  dot: (words: Uint32Array, coefficients: Uint32Array) => bigint,
): TagKernel {
  let tile: Uint32Array = new Uint32Array(0);
  return {
    name,
    load: (words) => {
      tile = words;
    },
    dot: (coefficients) => dot(tile, wordsOfBytes(coefficients)),
  };
}

/** The definition: what the other two are tested against. */
export const referenceTagKernel: TagKernel = onWords('reference', (words, coefficients) => {
  let sum = 0n;
  for (let i = 0; i < words.length; i++) sum += BigInt(words[i]!) * BigInt(coefficients[i]!);
  return sum;
});

/** Products below 2^48 that a float64 adds without rounding. */
const EXACT_PRODUCTS = 16;

/** Plain JavaScript, for engines without WASM SIMD: the coefficient in two halves of 16 bits. */
export const splitTagKernel: TagKernel = onWords('split', (words, coefficients) => {
  // Two sums in base 2^32, one for each half.
  let [low0, low1, high0, high1] = [0, 0, 0, 0];
  for (let i = 0; i < words.length; ) {
    let low = 0;
    let high = 0;
    for (const end = Math.min(words.length, i + EXACT_PRODUCTS); i < end; i++) {
      const coefficient = coefficients[i]!;
      low += words[i]! * (coefficient & 0xffff);
      high += words[i]! * (coefficient >>> 16);
    }
    low0 += low >>> 0;
    low1 += Math.floor(low / 2 ** 32);
    high0 += high >>> 0;
    high1 += Math.floor(high / 2 ** 32);
  }
  const joined = (digit0: number, digit1: number) => BigInt(digit0) + (BigInt(digit1) << 32n);
  return joined(low0, low1) + (joined(high0, high1) << 16n);
});

interface TagExports {
  readonly memory: WebAssembly.Memory;
  readonly dot: (bytes: number) => void;
}

function createWasmTagKernel(module: WebAssembly.Module): TagKernel {
  const { memory, dot } = new WebAssembly.Instance(module).exports as unknown as TagExports;
  const tile = new Uint32Array(memory.buffer, 0, TAG_TILE_WORDS);
  const other = new Uint8Array(memory.buffer, TAG_TILE_BYTES, TAG_TILE_BYTES);
  const sums = new BigUint64Array(memory.buffer, SUMS_AT, 4);
  let bytes = 0;
  return {
    name: 'wasm',
    load: (words) => {
      tile.set(words);
      bytes = TAG_STEP_BYTES * Math.ceil(words.byteLength / TAG_STEP_BYTES);
      // What an earlier, longer tile left behind would count: zeros do not.
      tile.fill(0, words.length, bytes / 4);
    },
    dot: (coefficients) => {
      if (bytes === 0) return 0n;
      other.set(coefficients);
      dot(bytes);
      return sums[0]! + sums[1]! + ((sums[2]! + sums[3]!) << 32n);
    },
  };
}

const moduleBytes = assembleTagKernel();

/** Undefined where the engine has no WASM SIMD. */
export const wasmTagKernel: TagKernel | undefined = WebAssembly.validate(moduleBytes)
  ? createWasmTagKernel(new WebAssembly.Module(moduleBytes))
  : undefined;

/** The fastest this engine has. */
export const tagKernel: TagKernel = wasmTagKernel ?? splitTagKernel;
