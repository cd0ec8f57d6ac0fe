/**
 * The SIMD kernel that adds masks, assembled from code that can be read. In WAT, for n = 1 … 4
 * masks, with one such function for `i32x4.add` and one for `i32x4.sub`:
 *
 *     (memory (export "memory") 8)       ;; target tile, then the mask tiles, 96 KiB each
 *     (func (export "add{n}") (param $at i32)  ;; bytes left: a multiple of 64, not 0
 *       (loop
 *         (local.set $at (i32.sub (local.get $at) (i32.const 64)))
 *         ;; four times, for offset k = 0, 16, 32, 48; here for n = 2:
 *         (v128.store offset=k (local.get $at)
 *           (i32x4.add
 *             (i32x4.add (v128.load offset=k (local.get $at))
 *                        (v128.load offset=98304+k (local.get $at)))
 *             (v128.load offset=196608+k (local.get $at))))
 *         (br_if 0 (local.get $at))))
 */
import {
  assembleModule,
  downTo0,
  getLocal,
  loadVector,
  SIMD,
  storeVector,
} from './wasm-assembler.ts';

/**
 * Bytes of one tile: large enough that calls into the cipher cost little, and small enough that
 * what the cipher allocates stays below the 128 KiB from which malloc asks the system.
 */
export const TILE_BYTES = 96 * 1024;
/** The kernel's step: a tile is rounded up to a multiple of it. */
export const STEP_BYTES = 64;
/** Masks added in one pass, so that the target is read and written once for all of them. */
export const MASKS_MAX = 4;

const bodyOf = (operation: readonly number[], masks: number): number[] =>
  downTo0(
    STEP_BYTES,
    [0, 16, 32, 48].flatMap((k) => [
      ...getLocal(0),
      ...loadVector(0, k),
      ...Array.from({ length: masks }, (_, mask) => [
        ...loadVector(0, maskAt(mask) + k),
        ...operation,
      ]).flat(),
      ...storeVector(k),
    ]),
  );

/** Where the tile of mask `mask` lies. */
export const maskAt = (mask: number): number => (1 + mask) * TILE_BYTES;

/** The module's bytes: exports `memory`, and `add` and `subtract` for 1 to MASKS_MAX masks. */
export const assembleKernel = (): Uint8Array<ArrayBuffer> =>
  assembleModule(
    maskAt(MASKS_MAX),
    Array.from({ length: MASKS_MAX }, (_, i) => [
      { name: `add${i + 1}`, vectors: 0, body: bodyOf(SIMD['i32x4.add'], i + 1) },
      { name: `subtract${i + 1}`, vectors: 0, body: bodyOf(SIMD['i32x4.sub'], i + 1) },
    ]).flat(),
  );
