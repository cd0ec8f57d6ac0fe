/**
 * The little of the WebAssembly binary format that the kernels need, so that they can be read here
 * and no build step or binary is needed. Source: WebAssembly core specification 2.0 §5.
 */

type Bytes = readonly number[];

/** Value types. */
export const I32 = 0x7f;
export const V128 = 0x7b;

/** Unsigned LEB128. */
export function leb(value: number): number[] {
  return value < 0x80 ? [value] : [(value & 0x7f) | 0x80, ...leb(value >>> 7)];
}

/** Signed LEB128 of a value that is not negative: the last byte's bit 6 is its sign. */
export function signedLeb(value: number): number[] {
  return value < 0x40 ? [value] : [(value & 0x7f) | 0x80, ...signedLeb(value >>> 7)];
}

const sized = (bytes: Bytes): number[] => [...leb(bytes.length), ...bytes];
const list = (items: readonly Bytes[]): number[] => [...leb(items.length), ...items.flat()];
const section = (id: number, items: readonly Bytes[]): number[] => [id, ...sized(list(items))];
const name = (text: string): number[] => sized([...text].map((letter) => letter.charCodeAt(0)));

export const getLocal = (index: number): number[] => [0x20, ...leb(index)];
export const setLocal = (index: number): number[] => [0x21, ...leb(index)];
export const constant = (value: number): number[] => [0x41, ...signedLeb(value)];
export const I32_SUBTRACT = [0x6b] as const;

/** Operations on 128-bit vectors, by their names in the specification. */
export const SIMD = {
  'v128.and': [0xfd, 0x4e],
  'i32x4.add': [0xfd, 0xae, 0x01],
  'i32x4.sub': [0xfd, 0xb1, 0x01],
  'i64x2.add': [0xfd, 0xce, 0x01],
  'i64x2.shr_u': [0xfd, 0xcd, 0x01],
  'i64x2.extmul_low_i32x4_u': [0xfd, 0xde, 0x01],
  'i64x2.extmul_high_i32x4_u': [0xfd, 0xdf, 0x01],
} as const satisfies Readonly<Record<string, Bytes>>;

/** Loads 16 bytes at the address in local `index` plus `offset`; aligned to 2^4. */
export const loadVector = (index: number, offset: number): number[] => [
  ...getLocal(index),
  ...[0xfd, 0x00, 4, ...leb(offset)],
];

/** Stores the vector on the stack at the address below it plus `offset`; aligned to 2^4. */
export const storeVector = (offset: number): number[] => [0xfd, 0x0b, 4, ...leb(offset)];

/** A vector of two equal 64-bit lanes, given by their 8 little-endian bytes. */
export const vectorOfLanes = (lane: Bytes): number[] => [0xfd, 0x0c, ...lane, ...lane];

/**
 * `body` with local 0 as the place, from the end of its range down to 0: a downward loop needs no
 * second local for the end. Local 0 is a multiple of `step` and not 0.
 */
export const downTo0 = (step: number, body: Bytes): number[] => [
  ...[0x03, 0x40],
  ...[...getLocal(0), ...constant(step), ...I32_SUBTRACT, ...setLocal(0)],
  ...body,
  ...[...getLocal(0), 0x0d, 0x00, 0x0b],
];

export interface WasmFunction {
  readonly name: string;
  /** Vectors beside the parameter; all start as zero. */
  readonly vectors: number;
  readonly body: Bytes;
}

const codeOf = ({ vectors, body }: WasmFunction): number[] => {
  const locals = vectors === 0 ? list([]) : list([[...leb(vectors), V128]]);
  return sized([...locals, ...body, 0x0b]);
};

/**
 * The bytes of a module that exports `memory`, of at least `memoryBytes`, and `functions`, each of
 * one i32 parameter and no result.
 */
export function assembleModule(
  memoryBytes: number,
  functions: readonly WasmFunction[],
): Uint8Array<ArrayBuffer> {
  const pages = leb(Math.ceil(memoryBytes / 65536));
  const exported = functions.map((each, i) => [...name(each.name), 0x00, ...leb(i)]);
  return new Uint8Array([
    ...[0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00],
    ...section(1, [[0x60, 1, I32, 0]]),
    ...section(3, Array(functions.length).fill([0])),
    ...section(5, [[0x01, ...pages, ...pages]]),
    ...section(7, [[...name('memory'), 0x02, 0], ...exported]),
    ...section(10, functions.map(codeOf)),
  ]);
}
