import { assembleKernel, STEP_BYTES, TILE_BYTES } from './wasm-module.ts';
import { addWords, subtractWords, wordsOfBytes } from './words.ts';

export type Sign = 1 | -1;

/**
 * Adds masks to one tile at a time: `load` it, `apply` the same stretch of every mask, `store` it.
 * A tile has at most TILE_WORDS words; masks have as many bytes as the tile. Not re-entrant.
 */
export interface TileKernel {
  readonly name: 'wasm' | 'unrolled' | 'reference';
  load(tile: Uint32Array): void;
  apply(mask: Uint8Array, sign: Sign): void;
  store(tile: Uint32Array): void;
}

export const TILE_WORDS = TILE_BYTES / 4;

/** Works in place on the tile it was given. */
function inPlace(
  name: 'unrolled' | 'reference',
  apply: (tile: Uint32Array, mask: Uint32Array, sign: Sign) => void,
): TileKernel {
  let current: Uint32Array = new Uint32Array(0);
  return {
    name,
    load: (tile) => {
      current = tile;
    },
    apply: (mask, sign) => apply(current, wordsOfBytes(mask), sign),
    store: () => {
      current = new Uint32Array(0);
    },
  };
}

/** The definition, word by word: what the other two are tested against. */
export const referenceKernel: TileKernel = inPlace('reference', (tile, mask, sign) => {
  for (let i = 0; i < tile.length; i++) tile[i] = tile[i]! + sign * mask[i]!;
});

/** Plain JavaScript, for engines without WASM SIMD. */
export const unrolledKernel: TileKernel = inPlace('unrolled', (tile, mask, sign) => {
  if (sign === 1) addWords(tile, mask);
  else subtractWords(tile, mask);
});

interface KernelExports {
  readonly memory: WebAssembly.Memory;
  readonly add: (bytes: number) => void;
  readonly subtract: (bytes: number) => void;
}

function createWasmKernel(module: WebAssembly.Module): TileKernel {
  const instance = new WebAssembly.Instance(module);
  const { memory, add, subtract } = instance.exports as unknown as KernelExports;
  const tileWords = new Uint32Array(memory.buffer, 0, TILE_WORDS);
  const maskBytes = new Uint8Array(memory.buffer, TILE_BYTES, TILE_BYTES);
  return {
    name: 'wasm',
    load: (tile) => tileWords.set(tile),
    apply: (mask, sign) => {
      maskBytes.set(mask);
      // Words past the tile's end, up to the kernel's step, are computed and never stored.
      const bytes = STEP_BYTES * Math.ceil(mask.length / STEP_BYTES);
      if (bytes === 0) return;
      if (sign === 1) add(bytes);
      else subtract(bytes);
    },
    store: (tile) => tile.set(tileWords.subarray(0, tile.length)),
  };
}

const moduleBytes = assembleKernel();

/** Undefined where the engine has no WASM SIMD. */
export const wasmKernel: TileKernel | undefined = WebAssembly.validate(moduleBytes)
  ? createWasmKernel(new WebAssembly.Module(moduleBytes))
  : undefined;

/** The fastest this engine has. */
export const tileKernel: TileKernel = wasmKernel ?? unrolledKernel;
