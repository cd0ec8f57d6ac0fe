import { type ArrayFile, arrayOf, type ElementDecoder } from './arrays.ts';
import type { RangeFile } from './file-store.ts';
import { corrupt, type RawNumbers } from './source.ts';

/** What NumPy writes: https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html */
const MAGIC = '\x93NUMPY';
const PREFIX_BYTES = 12;
const HEADER_BYTES_MAX = 64 * 1024;

/**
 * A NumPy array file of numbers, versions 1 to 3.
 * @throws ProtocolError `dataset-corrupt` naming the file and, for kinds of arrays that cannot be
 *   read, how to write another
 */
export async function openNpy(file: RangeFile): Promise<ArrayFile> {
  const prefix = await file.read(0, Math.min(PREFIX_BYTES, file.byteLength));
  if (Buffer.from(prefix.subarray(0, 6)).toString('latin1') !== MAGIC || prefix.length < 12) {
    throw corrupt(file.name, 'not a NumPy array file', 'Write it with numpy.save');
  }
  const view = new DataView(prefix.buffer, prefix.byteOffset, prefix.byteLength);
  const isFirst = prefix[6] === 1;
  const headerStart = isFirst ? 10 : 12;
  const start = headerStart + (isFirst ? view.getUint16(8, true) : view.getUint32(8, true));
  if (start > Math.min(file.byteLength, HEADER_BYTES_MAX)) {
    throw corrupt(file.name, 'ends inside its header', 'Write it again with numpy.save');
  }
  const header = Buffer.from(await file.read(headerStart, start)).toString('utf8');
  const { type, shape } = readHeader(header, file.name);
  const { size, decode } = elementType(type, file.name);
  const expected = size * shape.reduce((product, dim) => product * dim, 1);
  if (file.byteLength - start !== expected) {
    const found = `${file.byteLength - start} bytes of data, expected ${expected}`;
    throw corrupt(file.name, `${found} for shape [${shape}]`, 'The file is damaged; copy it again');
  }
  return arrayOf(file, { shape, start, size, decode });
}

/** The header is a Python dictionary literal of three keys. */
function readHeader(header: string, where: string) {
  const type = /'descr':\s*'([^']+)'/.exec(header)?.[1];
  const order = /'fortran_order':\s*(True|False)/.exec(header)?.[1];
  const dims = /'shape':\s*\(([\d\s,L]*)\)/.exec(header)?.[1];
  if (type === undefined || order === undefined || dims === undefined) {
    const remedy = 'Structured arrays cannot be read: write plain numbers with numpy.save';
    throw corrupt(where, `a header that says ${header.trim().slice(0, 80)}`, remedy);
  }
  const shape = dims
    .split(',')
    .flatMap((dim) => (dim.trim() === '' ? [] : [Number.parseInt(dim, 10)]));
  if (order === 'True' && shape.length > 1) {
    throw corrupt(where, 'in Fortran order', 'Save numpy.ascontiguousarray(array) instead');
  }
  if (shape.length === 0) throw corrupt(where, 'a single number', 'Its rows must be the examples');
  return { type, shape };
}

type Element = readonly [size: number, read: (view: DataView, at: number) => number];

const ELEMENTS: Readonly<Record<string, (little: boolean) => Element>> = {
  i2: (little) => [2, (view, at) => view.getInt16(at, little)],
  i4: (little) => [4, (view, at) => view.getInt32(at, little)],
  i8: (little) => [8, (view, at) => Number(view.getBigInt64(at, little))],
  u2: (little) => [2, (view, at) => view.getUint16(at, little)],
  u4: (little) => [4, (view, at) => view.getUint32(at, little)],
  u8: (little) => [8, (view, at) => Number(view.getBigUint64(at, little))],
  f2: (little) => [2, (view, at) => halfToNumber(view.getUint16(at, little))],
  f4: (little) => [4, (view, at) => view.getFloat32(at, little)],
  f8: (little) => [8, (view, at) => view.getFloat64(at, little)],
};

function elementType(type: string, where: string): { size: number; decode: ElementDecoder } {
  const order = type[0];
  const kind = type.slice(1);
  if (kind === 'u1' || kind === 'b1') return { size: 1, decode: (bytes) => bytes };
  if (kind === 'i1') return { size: 1, decode: (bytes) => Int8Array.from(bytes) };
  const element = ELEMENTS[kind]?.(order !== '>');
  if (element === undefined) {
    const remedy = 'Save numbers, for instance array.astype("float32")';
    throw corrupt(where, `elements of type ${type}`, remedy);
  }
  const [size, read] = element;
  const decode = (bytes: Uint8Array): RawNumbers => {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const count = bytes.length / size;
    // Single precision holds itself and halves; double holds the others up to 2^53.
    const out = kind === 'f4' || kind === 'f2' ? new Float32Array(count) : new Float64Array(count);
    for (let i = 0; i < count; i++) out[i] = read(view, size * i);
    return out;
  };
  return { size, decode };
}

/** IEEE 754 binary16. */
function halfToNumber(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 0x1f;
  const fraction = bits & 0x3ff;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 31) return fraction === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}
