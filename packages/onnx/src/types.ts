/** Element types that graphs of the house may hold. Others are refused when a model is read. */
export const DATA_TYPES = [
  'float32',
  'float64',
  'uint8',
  'int8',
  'int32',
  'int64',
  'bool',
] as const;
export type DataType = (typeof DATA_TYPES)[number];

/** Element types as numbers of the file format (`TensorProto.DataType`), for Cast. */
export const ELEMENT_TYPES: Readonly<Record<DataType, number>> = {
  float32: 1,
  uint8: 2,
  int8: 3,
  int32: 6,
  int64: 7,
  bool: 9,
  float64: 11,
};

export type TensorData =
  | Float32Array
  | Float64Array
  | Uint8Array
  | Int8Array
  | Int32Array
  | BigInt64Array;

/** A dense tensor in row-major order; `bool` is one byte per element. */
export interface Tensor {
  readonly dtype: DataType;
  readonly shape: readonly number[];
  readonly data: TensorData;
}

/** Type of a value whose every dimension is known. */
export interface ValueType {
  readonly dtype: DataType;
  readonly shape: readonly number[];
}

/** A dimension of a model's input: a size, or the name of an open one such as `batch`. */
export type Dimension = number | string;

export interface ValueInfo {
  readonly name: string;
  readonly dtype: DataType;
  readonly shape: readonly Dimension[];
}

export type Attribute =
  | { readonly kind: 'int'; readonly value: number }
  | { readonly kind: 'float'; readonly value: number }
  | { readonly kind: 'string'; readonly value: string }
  | { readonly kind: 'ints'; readonly value: readonly number[] }
  | { readonly kind: 'floats'; readonly value: readonly number[] }
  | { readonly kind: 'strings'; readonly value: readonly string[] }
  | { readonly kind: 'tensor'; readonly value: Tensor }
  | { readonly kind: 'graph'; readonly value: Graph };

export type Attributes = ReadonlyMap<string, Attribute>;

/** An operator call. An absent optional input is the empty name. */
export interface Node {
  readonly name: string;
  readonly op: string;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly attributes: Attributes;
}

export interface Graph {
  readonly name: string;
  /** In topological order. */
  readonly nodes: readonly Node[];
  /** In the order of the file. */
  readonly initializers: ReadonlyMap<string, Tensor>;
  readonly inputs: readonly ValueInfo[];
  readonly outputs: readonly ValueInfo[];
}

/** A graph whose operators have the meaning of `OPSET`, whatever the file said. */
export interface Model {
  readonly graph: Graph;
}

/** The operator set that is written: the newest that runs everywhere (decision 1). */
export const OPSET = 17;
export const IR_VERSION = 8;

export const int = (value: number): Attribute => ({ kind: 'int', value });
export const float = (value: number): Attribute => ({ kind: 'float', value });
export const ints = (value: readonly number[]): Attribute => ({ kind: 'ints', value });
export const text = (value: string): Attribute => ({ kind: 'string', value });

/** The attribute's number (int or float), or `fallback` when it is absent or of another kind. */
export function numberAttribute(node: Node, name: string, fallback: number): number {
  const found = node.attributes.get(name);
  return found?.kind === 'int' || found?.kind === 'float' ? found.value : fallback;
}

export function intsAttribute(node: Node, name: string): readonly number[] | undefined {
  const found = node.attributes.get(name);
  return found?.kind === 'ints' ? found.value : undefined;
}

export function textAttribute(node: Node, name: string, fallback: string): string {
  const found = node.attributes.get(name);
  return found?.kind === 'string' ? found.value : fallback;
}
