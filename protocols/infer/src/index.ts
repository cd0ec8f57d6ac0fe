/**
 * The wire protocol by which members of a swarm ask each other's models. `spec.md` is the text,
 * `vectors/` are its examples, good and bad.
 */
import { type Decoded, list, nullable, oneOf, struct, text, u32, union } from '@starling/core';

/** The one place of this protocol's version. */
export const INFER_VERSION = 1;
export const INFER_PROTOCOL = `/starling/infer/${INFER_VERSION}`;

export const INFER_LIMITS = {
  /** Of a header, in bytes. */
  headerBytesMax: 64 * 1024,
  /** Of a body, in bytes. */
  bodyBytesMax: 64 * 1024 * 1024,
  nameBytesMax: 64,
  versionBytesMax: 64,
  tensorNameBytesMax: 256,
  tensorsMax: 64,
  rankMax: 8,
  modelsMax: 64,
  messageBytesMax: 1024,
} as const;

/** Bytes of one element of each type. */
export const TENSOR_BYTES = {
  ...{ float32: 4, float64: 8, int32: 4, int64: 8 },
  ...{ uint8: 1, int8: 1, bool: 1 },
} as const;
export const TENSOR_TYPES = [
  ...(['float32', 'float64', 'int32', 'int64', 'uint8', 'int8', 'bool'] as const),
] as const;

const L = INFER_LIMITS;
const model = text(L.nameBytesMax);
const version = text(L.versionBytesMax);
const tensorName = text(L.tensorNameBytesMax);
const type = oneOf(TENSOR_TYPES);

const tensor = struct({ name: tensorName, type, shape: list(u32(), L.rankMax) });
export type InferTensor = Decoded<typeof tensor>;
const tensors = list(tensor, L.tensorsMax);

/** Null for a size that is open. */
const spec = struct({ name: tensorName, type, shape: list(nullable(u32()), L.rankMax) });
const specs = list(spec, L.tensorsMax);

export const inferRequest = union({
  /** What is served here, to this peer. */
  models: struct({}),
  infer: struct({
    model,
    /** Null for the newest. */
    version: nullable(version),
    inputs: tensors,
    /** Null for all. */
    outputs: nullable(list(tensorName, L.tensorsMax)),
  }),
});
export type InferRequest = Decoded<typeof inferRequest>;

export const REFUSALS = [
  ...(['unknown-model', 'bad-request', 'quota', 'busy', 'not-ready', 'failed'] as const),
] as const;

export const inferAnswer = union({
  models: struct({
    models: list(struct({ model, version, inputs: specs, outputs: specs }), L.modelsMax),
  }),
  outputs: struct({ version, outputs: tensors }),
  refused: struct({
    code: oneOf(REFUSALS),
    message: text(L.messageBytesMax),
    /** After which another try may do better; null where none will. */
    retrySeconds: nullable(u32()),
  }),
});
export type InferAnswer = Decoded<typeof inferAnswer>;

/** Bytes of a tensor's elements; more than any body where the shape is absurd. */
export const tensorBytes = ({ type: of, shape }: Omit<InferTensor, 'name'>): number =>
  shape.reduce((product, size) => product * size, TENSOR_BYTES[of]);

/** The tensors that a body has, one behind the other; undefined where its length is another. */
export function splitBody(
  headers: readonly InferTensor[],
  body: Uint8Array,
): readonly Uint8Array[] | undefined {
  let at = 0;
  const parts = headers.map((header) => {
    const start = at;
    at += tensorBytes(header);
    return body.subarray(start, at);
  });
  return at === body.length ? parts : undefined;
}
