/**
 * The SIMD kernel, assembled here so that it can be read and no build step or binary is needed.
 * In WAT, with one such function for `i32x4.add` and one for `i32x4.sub`:
 *
 *     (memory (export "memory") 4)        ;; target tile, then mask tile, 128 KiB each
 *     (func (export "add") (param $at i32)  ;; bytes left: a multiple of 64, not 0
 *       (loop
 *         (local.set $at (i32.sub (local.get $at) (i32.const 64)))
 *         ;; four times, for offset k = 0, 16, 32, 48:
 *         (v128.store offset=k (local.get $at)
 *           (i32x4.add (v128.load offset=k (local.get $at))
 *                      (v128.load offset=131072+k (local.get $at))))
 *         (br_if 0 (local.get $at))))
 *
 * Opcodes: WebAssembly core specification 2.0 §5.4.
 */

/** Bytes of one tile: half the second-level cache of small machines, with the mask beside it. */
export const TILE_BYTES = 128 * 1024;
/** The kernel's step: a tile is rounded up to a multiple of it. */
export const STEP_BYTES = 64;

const I32 = 0x7f;
const LOCAL_GET_AT = [0x20, 0x00];
const LOCAL_SET_AT = [0x21, 0x00];
const I32X4 = { add: [0xfd, 0xae, 0x01], subtract: [0xfd, 0xb1, 0x01] } as const;

/** LEB128, unsigned. */
function leb(value: number): number[] {
  return value < 0x80 ? [value] : [(value & 0x7f) | 0x80, ...leb(value >>> 7)];
}

const sized = (bytes: readonly number[]): number[] => [...leb(bytes.length), ...bytes];
const list = (items: readonly (readonly number[])[]): number[] => [
  ...leb(items.length),
  ...items.flat(),
];
const section = (id: number, items: readonly (readonly number[])[]): number[] => [
  id,
  ...sized(list(items)),
];
const name = (text: string): number[] => sized([...text].map((letter) => letter.charCodeAt(0)));

/** Alignment 2^4, then the offset. */
const load = (offset: number): number[] => [...LOCAL_GET_AT, 0xfd, 0x00, 4, ...leb(offset)];
const store = (offset: number): number[] => [0xfd, 0x0b, 4, ...leb(offset)];

function kernelBody(operation: readonly number[]): number[] {
  const lanes = [0, 16, 32, 48].flatMap((k) => [
    ...LOCAL_GET_AT,
    ...load(k),
    ...load(TILE_BYTES + k),
    ...operation,
    ...store(k),
  ]);
  // 64 as a signed LEB128 needs two bytes: bit 6 of a single one would be its sign.
  const stepBack = [...LOCAL_GET_AT, 0x41, 0xc0, 0x00, 0x6b, ...LOCAL_SET_AT];
  const loop = [0x03, 0x40, ...stepBack, ...lanes, ...LOCAL_GET_AT, 0x0d, 0x00, 0x0b];
  return sized([0x00, ...loop, 0x0b]);
}

/** The module's bytes: exports `memory`, `add` and `subtract`. */
export function assembleKernel(): Uint8Array<ArrayBuffer> {
  const pages = (2 * TILE_BYTES) / 65536;
  return new Uint8Array([
    ...[0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00],
    ...section(1, [[0x60, 1, I32, 0]]),
    ...section(3, [[0], [0]]),
    ...section(5, [[0x01, ...leb(pages), ...leb(pages)]]),
    ...section(7, [
      [...name('memory'), 0x02, 0],
      [...name('add'), 0x00, 0],
      [...name('subtract'), 0x00, 1],
    ]),
    ...section(10, [kernelBody(I32X4.add), kernelBody(I32X4.subtract)]),
  ]);
}
