import { badRequest, ServingError } from '../failure.ts';
import { type NamedTensor, shapeText, type TensorType } from '../tensors.ts';

interface Whole {
  readonly least: number;
  readonly most: number;
}
const WHOLE: Readonly<Partial<Record<TensorType, Whole>>> = {
  int32: { least: -(2 ** 31), most: 2 ** 31 - 1 },
  int64: { least: Number.MIN_SAFE_INTEGER, most: Number.MAX_SAFE_INTEGER },
  uint8: { least: 0, most: 255 },
  int8: { least: -128, most: 127 },
};

const ARRAYS = {
  ...{ float32: Float32Array, float64: Float64Array, int32: Int32Array },
  ...{ uint8: Uint8Array, int8: Int8Array, bool: Uint8Array },
} as const;

type Described = Omit<NamedTensor, 'bytes'>;

/**
 * Numbers of a JSON array, nested or flat, as elements.
 * @throws ServingError `bad-request` that names the tensor and what is wrong with its data
 */
export function elementsOf(tensor: Described, data: readonly unknown[]): Uint8Array {
  const { name, dtype, shape } = tensor;
  const length = shape.reduce((product, size) => product * size, 1);
  const flat = Array.isArray(data[0]) ? flattened(tensor, data) : data;
  if (flat.length !== length) {
    const expected = `the shape ${shapeText(shape)} makes ${length}`;
    throw badRequest(`input "${name}" has ${flat.length} elements of data, ${expected}`);
  }
  const whole = WHOLE[dtype];
  const isRight = dtype === 'bool' ? isTruth : whole ? isWithin(whole) : isNumber;
  const wrong = flat.findIndex((value) => !isRight(value));
  if (wrong !== -1) {
    const found = wordOf(flat[wrong]);
    throw badRequest(`input "${name}", element ${wrong}: ${found} is no ${dtype}`);
  }
  const numbers = flat as readonly number[];
  const array =
    dtype === 'int64'
      ? BigInt64Array.from(numbers, BigInt)
      : new ARRAYS[dtype](numbers as readonly number[] as number[]);
  return new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
}

/** A value in a few characters; what is nested may be nested too deep to be written. */
const wordOf = (value: unknown): string =>
  typeof value === 'object' && value !== null
    ? 'a list or an object'
    : JSON.stringify(value).slice(0, 40);

/** Nested data must have the shape in every part: a ragged row would shift all that follow. */
function flattened({ name, shape }: Described, data: readonly unknown[]): readonly unknown[] {
  let level: readonly unknown[] = [data];
  for (const [axis, size] of shape.entries()) {
    const odd = level.find((each) => !Array.isArray(each) || each.length !== size);
    if (odd !== undefined) {
      const found = Array.isArray(odd) ? `${odd.length} parts` : 'a number';
      const where = `its nested data have ${found} on axis ${axis}`;
      throw badRequest(`input "${name}": ${where}, the shape ${shapeText(shape)} has ${size}`);
    }
    level = level.flat();
  }
  return level;
}

const isNumber = (value: unknown): boolean => typeof value === 'number';
const isTruth = (value: unknown): boolean => typeof value === 'boolean';
const isWithin =
  ({ least, most }: Whole) =>
  (value: unknown): boolean =>
    Number.isInteger(value) && (value as number) >= least && (value as number) <= most;

/**
 * A tensor's elements as JSON has them, flat.
 * @throws ServingError where JSON has no word for one of them
 */
export function dataOf({ name, dtype, bytes }: NamedTensor): (number | boolean)[] {
  // What came off a stream lies anywhere.
  const { buffer } = new Uint8Array(bytes);
  if (dtype === 'bool') return Array.from(new Uint8Array(buffer), (value) => value !== 0);
  const values: number[] =
    dtype === 'int64'
      ? Array.from(new BigInt64Array(buffer), Number)
      : Array.from(new ARRAYS[dtype](buffer));
  const isSayable = dtype === 'int64' ? Number.isSafeInteger : Number.isFinite;
  const odd = values.find((value) => !isSayable(value));
  if (odd === undefined) return values;
  const hint = 'ask for it as binary data';
  throw new ServingError('failed', `output "${name}" has ${odd}, which JSON cannot say: ${hint}`);
}
