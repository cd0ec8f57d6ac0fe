/**
 * The SIMD kernel of the linear tags. In WAT:
 *
 *     (memory (export "memory") 3)       ;; words, coefficients: 64 KiB each; then the sums
 *     (func (export "dot") (param $at i32)  ;; bytes left: a multiple of 32, not 0
 *       (local $low v128) (local $high v128) (local $product v128)
 *       (loop
 *         (local.set $at (i32.sub (local.get $at) (i32.const 32)))
 *         ;; four times, for offset k = 0, 16 and half = low, high:
 *         (local.set $product (i64x2.extmul_{half}_i32x4_u
 *           (v128.load offset=k (local.get $at))
 *           (v128.load offset=65536+k (local.get $at))))
 *         (local.set $low (i64x2.add (local.get $low)
 *           (v128.and (local.get $product) (v128.const i64x2 0xffffffff 0xffffffff))))
 *         (local.set $high (i64x2.add (local.get $high)
 *           (i64x2.shr_u (local.get $product) (i32.const 32))))
 *         (br_if 0 (local.get $at)))
 *       (v128.store offset=131072 (i32.const 0) (local.get $low))
 *       (v128.store offset=131088 (i32.const 0) (local.get $high)))
 *
 * A 64-bit lane holds 2^32 summands below 2^32, a tile brings it 2^13: nothing is folded here.
 */
import {
  assembleModule,
  constant,
  downTo0,
  getLocal,
  loadVector,
  SIMD,
  setLocal,
  storeVector,
  vectorOfLanes,
} from './wasm-assembler.ts';

/** Bytes of one tile. */
export const TAG_TILE_BYTES = 64 * 1024;
/** The kernel's step: a tile is filled up with zeros to a multiple of it. */
export const TAG_STEP_BYTES = 32;
/** Where four 64-bit sums lie after a call: two of low halves of products, two of high halves. */
export const SUMS_AT = 2 * TAG_TILE_BYTES;

const [LOW, HIGH, PRODUCT] = [1, 2, 3];
const LOW_HALVES = vectorOfLanes([0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0]);

const HALVES = [SIMD['i64x2.extmul_low_i32x4_u'], SIMD['i64x2.extmul_high_i32x4_u']];

/** Adds the two products that `multiply` takes from the vectors at offset `k`. */
const addProducts = (k: number, multiply: readonly number[]): number[] => [
  ...[...loadVector(0, k), ...loadVector(0, TAG_TILE_BYTES + k), ...multiply],
  ...setLocal(PRODUCT),
  ...[...getLocal(LOW), ...getLocal(PRODUCT), ...LOW_HALVES, ...SIMD['v128.and']],
  ...[...SIMD['i64x2.add'], ...setLocal(LOW)],
  ...[...getLocal(HIGH), ...getLocal(PRODUCT), ...constant(32), ...SIMD['i64x2.shr_u']],
  ...[...SIMD['i64x2.add'], ...setLocal(HIGH)],
];

/** The module's bytes: exports `memory` and `dot`. */
export const assembleTagKernel = (): Uint8Array<ArrayBuffer> =>
  assembleModule(SUMS_AT + 32, [
    {
      name: 'dot',
      vectors: 3,
      body: [
        ...downTo0(
          TAG_STEP_BYTES,
          [0, 16].flatMap((k) => HALVES.flatMap((multiply) => addProducts(k, multiply))),
        ),
        ...[...constant(0), ...getLocal(LOW), ...storeVector(SUMS_AT)],
        ...[...constant(0), ...getLocal(HIGH), ...storeVector(SUMS_AT + 16)],
      ],
    },
  ]);
