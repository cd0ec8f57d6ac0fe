import { assembleKernel, MASKS_MAX, maskAt, STEP_BYTES, TILE_BYTES } from './wasm-module.ts';
import { addWords, subtractWords, wordsOfBytes } from './words.ts';

export type Sign = 1 | -1;

/**
 * Adds masks to one tile at a time: `load` it, `apply` the same stretch of every mask, `store` it.
 * A tile has at most TILE_WORDS words; masks have as many bytes as the tile. Masks of one sign in
 * a row are cheaper than masks of changing signs. Not re-entrant.
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

/** `memory`, and the functions of wasm-module.ts by their names. */
type KernelExports = { readonly memory: WebAssembly.Memory } & Readonly<
  Record<string, (bytes: number) => void>
>;

function createWasmKernel(module: WebAssembly.Module): TileKernel {
  const functions = new WebAssembly.Instance(module).exports as unknown as KernelExports;
  const { buffer } = functions.memory;
  const tileWords = new Uint32Array(buffer, 0, TILE_WORDS);
  const slots = Array.from(
    { length: MASKS_MAX },
    (_, mask) => new Uint8Array(buffer, maskAt(mask), TILE_BYTES),
  );
  let bytes = 0;
  // Masks wait in their slots until all are full, the sign changes or the tile is wanted.
  let waiting = 0;
  let waitingSign: Sign = 1;
  const flush = () => {
    if (waiting > 0 && bytes > 0) {
      functions[`${waitingSign === 1 ? 'add' : 'subtract'}${waiting}`]!(bytes);
    }
    waiting = 0;
  };
  return {
    name: 'wasm',
    load: (tile) => {
      waiting = 0;
      tileWords.set(tile);
      // Words past the tile's end, up to the kernel's step, are computed and never stored.
      bytes = STEP_BYTES * Math.ceil(tile.byteLength / STEP_BYTES);
    },
    apply: (mask, sign) => {
      if (waiting === MASKS_MAX || sign !== waitingSign) flush();
      waitingSign = sign;
      slots[waiting]!.set(mask);
      waiting += 1;
    },
    store: (tile) => {
      flush();
      tile.set(tileWords.subarray(0, tile.length));
    },
  };
}

const moduleBytes = assembleKernel();

/** Undefined where the engine has no WASM SIMD. */
export const wasmKernel: TileKernel | undefined = WebAssembly.validate(moduleBytes)
  ? createWasmKernel(new WebAssembly.Module(moduleBytes))
  : undefined;

/** The fastest this engine has. */
export const tileKernel: TileKernel = wasmKernel ?? unrolledKernel;
