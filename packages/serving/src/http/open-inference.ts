import type { z } from 'zod';
import { badRequest } from '../failure.ts';
import type { InferAnswer, InferRequest } from '../served-model.ts';
import { bytesOf, DATATYPES, type NamedTensor, typeOfDatatype } from '../tensors.ts';
import { dataOf, elementsOf } from './json-data.ts';
import { type InferBody, type InferResponse, inferRequestSchema } from './schemas.ts';

/** Bytes of JSON in a request: to parse more would hold up the daemon's loop too long. */
export const JSON_BYTES_MAX = 2 * 1024 * 1024;
/** Elements of all outputs in JSON, for the same reason. */
export const JSON_ELEMENTS_MAX = 128 * 1024;
/** Bytes of a request whose tensors are binary. */
export const BODY_BYTES_MAX = 64 * 1024 * 1024;

/** Where the JSON of a body with binary tensors ends, by the extension of that name. */
export const HEADER_LENGTH = 'inference-header-content-length';

/** A request as it came. */
export interface ReadRequest {
  readonly request: InferRequest;
  readonly id: string | undefined;
  /** Whether an output is wanted as binary data. */
  readonly isBinary: (output: string) => boolean;
}

/**
 * Reads an inference request of version 2 of the Open Inference Protocol.
 * @param headerLength value of the header field of that name
 * @throws ServingError `bad-request` that says what is wrong, and where
 */
export function readRequest(body: Uint8Array, headerLength: string | undefined): ReadRequest {
  const jsonBytes = headerLength === undefined ? body.length : Number(headerLength);
  if (!(Number.isInteger(jsonBytes) && jsonBytes >= 0 && jsonBytes <= body.length)) {
    throw badRequest(`${HEADER_LENGTH}: ${headerLength} is no length within ${body.length} bytes`);
  }
  if (jsonBytes > JSON_BYTES_MAX) {
    const hint = `send larger ones as binary data, up to ${BODY_BYTES_MAX} bytes`;
    throw badRequest(`${jsonBytes} bytes of JSON, at most ${JSON_BYTES_MAX} are taken: ${hint}`);
  }
  const parsed = inferRequestSchema.safeParse(parseJson(body.subarray(0, jsonBytes)));
  if (!parsed.success) throw badRequest(issueText(parsed.error));
  const { id, inputs, outputs, parameters } = parsed.data;
  const read = tensorsOf(inputs, body.subarray(jsonBytes));
  const all = parameters?.['binary_data_output'] === true;
  const wishes = new Map(
    outputs?.map((output) => [output.name, output.parameters?.['binary_data']] as const),
  );
  return {
    id,
    request: { inputs: read, outputs: outputs?.map(({ name }) => name) },
    isBinary: (output) => (wishes.get(output) ?? all) === true,
  };
}

function parseJson(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('utf8'));
  } catch (error) {
    throw badRequest(`the body is no JSON (${(error as Error).message})`);
  }
}

function issueText({ issues }: z.ZodError): string {
  const { path, message } = issues[0]!;
  return path.length === 0 ? message : `${path.join('.')}: ${message}`;
}

function tensorsOf(inputs: InferBody['inputs'], binary: Uint8Array): readonly NamedTensor[] {
  let at = 0;
  const tensors = inputs.map(({ name, datatype, shape, data, parameters }) => {
    const dtype = typeOfDatatype(datatype);
    if (dtype === undefined) {
      const known = Object.values(DATATYPES).join(', ');
      throw badRequest(`input "${name}": datatype ${datatype} is not one of ${known}`);
    }
    const tensor = { name, dtype, shape };
    const size = parameters?.['binary_data_size'];
    if (size === undefined) {
      if (data === undefined) throw badRequest(`input "${name}" has no data`);
      return { ...tensor, bytes: elementsOf(tensor, data) };
    }
    if (data !== undefined) throw badRequest(`input "${name}" has data and binary_data_size`);
    const expected = bytesOf(tensor);
    if (size !== expected) {
      const words = `binary_data_size is ${size}, datatype and shape make ${expected}`;
      throw badRequest(`input "${name}": ${words}`);
    }
    const bytes = binary.subarray(at, at + expected);
    at += expected;
    if (at > binary.length) throw badRequest(`input "${name}": its binary data are cut short`);
    return { ...tensor, bytes };
  });
  if (at === binary.length) return tensors;
  throw badRequest(`${binary.length - at} bytes of binary data belong to no input`);
}

/** A response, ready to send. */
export interface WrittenResponse {
  readonly body: Uint8Array;
  readonly headers: Readonly<Record<string, string>>;
}

/** @throws ServingError where an output cannot be said in JSON */
export function writeResponse(
  model: string,
  { version, outputs }: InferAnswer,
  { id, isBinary }: Pick<ReadRequest, 'id' | 'isBinary'>,
): WrittenResponse {
  const binary = outputs.filter(({ name }) => isBinary(name));
  const said = outputs.filter(({ name }) => !isBinary(name));
  const elements = said.reduce((sum, { shape }) => sum + shape.reduce((a, b) => a * b, 1), 0);
  if (elements > JSON_ELEMENTS_MAX) {
    const words = `${elements} elements of outputs, at most ${JSON_ELEMENTS_MAX} go as JSON`;
    throw badRequest(`${words}: ask for them as binary data`);
  }
  const header: InferResponse = {
    ...{ model_name: model, model_version: version },
    ...(id !== undefined && { id }),
    outputs: outputs.map((tensor) => {
      const { name, dtype, shape, bytes } = tensor;
      const described = { name, datatype: DATATYPES[dtype], shape: [...shape] };
      if (!isBinary(name)) return { ...described, data: dataOf(tensor) };
      return { ...described, parameters: { binary_data_size: bytes.length } };
    }),
  };
  const json = Buffer.from(JSON.stringify(header));
  if (binary.length === 0) return { body: json, headers: { 'content-type': 'application/json' } };
  return {
    body: Buffer.concat([json, ...binary.map(({ bytes }) => bytes)]),
    headers: {
      'content-type': 'application/octet-stream',
      [HEADER_LENGTH]: String(json.length),
    },
  };
}
