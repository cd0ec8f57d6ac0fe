import { badRequest } from './failure.ts';
import { bytesOf, type NamedTensor, shapeText, type TensorSpec } from './tensors.ts';

/** A request as a model takes it. */
export interface CheckedRequest {
  /** In the order of the model's inputs. */
  readonly inputs: readonly NamedTensor[];
  /** Of the first axis; 1 where rows of several requests do not run together. */
  readonly rows: number;
  /** Requests of one key can run together. */
  readonly key: string;
  /** Outputs that are wanted. */
  readonly outputs: ReadonlySet<string>;
}

export interface Signature {
  readonly inputs: readonly TensorSpec[];
  readonly outputs: readonly TensorSpec[];
  readonly isBatchable: boolean;
  readonly rowsMax: number;
}

/** Elements of all inputs of a request, at most. */
export const ELEMENTS_MAX = 16 * 1024 * 1024;

/**
 * Holds a request against what a model takes.
 * @throws ServingError `bad-request` that names the tensor, and what was expected
 */
export function checkRequest(
  { inputs, outputs, isBatchable, rowsMax }: Signature,
  given: readonly NamedTensor[],
  wanted: readonly string[] | undefined,
): CheckedRequest {
  const byName = new Map(given.map((tensor) => [tensor.name, tensor]));
  if (byName.size < given.length) throw badRequest('an input is there twice');
  const elements = given.reduce((sum, { shape }) => sum + shape.reduce((a, b) => a * b, 1), 0);
  if (!(elements <= ELEMENTS_MAX)) {
    throw badRequest(`the inputs have ${elements} elements, at most ${ELEMENTS_MAX} are taken`);
  }
  const ordered = inputs.map((spec) => checkInput(spec, byName.get(spec.name)));
  if (ordered.length < given.length) {
    const known = new Set(inputs.map(({ name }) => name));
    const extra = given.find(({ name }) => !known.has(name))!;
    throw badRequest(`the model has no input "${extra.name}"; it has ${namesOf(inputs)}`);
  }
  const rows = isBatchable ? rowsOf(ordered, rowsMax) : 1;
  const rest = isBatchable ? ordered.map(({ shape }) => shape.slice(1).join('x')).join(';') : '';
  return { inputs: ordered, rows, key: rest, outputs: wantedOf(outputs, wanted) };
}

const namesOf = (specs: readonly TensorSpec[]): string =>
  specs.map(({ name }) => `"${name}"`).join(', ');

function checkInput(spec: TensorSpec, tensor: NamedTensor | undefined): NamedTensor {
  const { name, dtype, shape } = spec;
  if (tensor === undefined) throw badRequest(`input "${name}" is missing`);
  if (tensor.dtype !== dtype) {
    throw badRequest(`input "${name}" is ${tensor.dtype}, the model takes ${dtype}`);
  }
  const fits =
    tensor.shape.length === shape.length &&
    shape.every((size, i) => size === null || size === tensor.shape[i]);
  if (!fits) {
    const found = `has the shape ${shapeText(tensor.shape)}`;
    throw badRequest(`input "${name}" ${found}, the model takes ${shapeText(shape)}`);
  }
  const expected = bytesOf(tensor);
  if (tensor.bytes.length !== expected) {
    const found = `${tensor.bytes.length} bytes of data`;
    throw badRequest(
      `input "${name}" has ${found}, its shape ${shapeText(tensor.shape)} makes ${expected}`,
    );
  }
  if (dtype === 'bool' && tensor.bytes.some((byte) => byte > 1)) {
    throw badRequest(`input "${name}" has bytes that are neither 0 nor 1, and is bool`);
  }
  return tensor;
}

function rowsOf(inputs: readonly NamedTensor[], rowsMax: number): number {
  const [first] = inputs;
  const rows = first?.shape[0] ?? 0;
  const other = inputs.find(({ shape }) => shape[0] !== rows);
  if (other !== undefined) {
    const counts = `"${first!.name}" has ${rows} rows and "${other.name}" ${other.shape[0]}`;
    throw badRequest(`${counts}: all inputs must have the same number`);
  }
  if (rows < 1) throw badRequest('there is not one row of input');
  if (rows <= rowsMax) return rows;
  throw badRequest(`${rows} rows in one request, at most ${rowsMax} are taken: send several`);
}

function wantedOf(
  outputs: readonly TensorSpec[],
  wanted: readonly string[] | undefined,
): ReadonlySet<string> {
  const names = new Set(outputs.map(({ name }) => name));
  if (wanted === undefined) return names;
  const unknown = wanted.find((name) => !names.has(name));
  if (unknown === undefined) return new Set(wanted);
  throw badRequest(`the model has no output "${unknown}"; it has ${namesOf(outputs)}`);
}
