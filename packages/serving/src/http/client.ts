import { request as httpRequest } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { ConfigError, errorMessage, ProtocolError } from '@starling/core';
import { z } from 'zod';
import type { InferAnswer } from '../served-model.ts';
import { bytesOf, DATATYPES, type NamedTensor, typeOfDatatype } from '../tensors.ts';
import { elementsOf } from './json-data.ts';
import { HEADER_LENGTH } from './open-inference.ts';
import { failureSchema, modelSchema } from './schemas.ts';

/** A server of the Open Inference Protocol. */
export interface InferenceServer {
  /** Such as `http://127.0.0.1:8600`. */
  readonly url: string;
  readonly token?: string | undefined;
  /** PEM of the authority of its certificate. */
  readonly ca?: string | undefined;
}

type Model = z.infer<typeof modelSchema>;

const tensorSchema = z.object({
  ...{ name: z.string(), datatype: z.string(), shape: z.array(z.number().int().nonnegative()) },
  parameters: z.object({ binary_data_size: z.number().int().nonnegative() }).partial().optional(),
  data: z.array(z.unknown()).optional(),
});
const responseSchema = z.object({
  model_version: z.string().default(''),
  outputs: z.array(tensorSchema),
});

interface Answer {
  readonly status: number;
  readonly body: Buffer;
  readonly headerLength: string | undefined;
}

const TIMEOUT_MS = 60_000;

/**
 * What a model takes and gives.
 * @throws ProtocolError with what the server says; ConfigError when there is no server
 */
export async function modelOf(server: InferenceServer, model: string): Promise<Model> {
  const { body } = await call(server, `/v2/models/${encodeURIComponent(model)}`);
  return read(modelSchema, body);
}

/** @throws ProtocolError with what the server says; ConfigError when there is no server */
export async function inferOver(
  server: InferenceServer,
  model: string,
  inputs: readonly NamedTensor[],
  outputs?: readonly string[],
): Promise<InferAnswer> {
  const header = Buffer.from(
    JSON.stringify({
      parameters: { binary_data_output: true },
      inputs: inputs.map(({ name, dtype, shape, bytes }) => ({
        ...{ name, datatype: DATATYPES[dtype], shape },
        parameters: { binary_data_size: bytes.length },
      })),
      ...(outputs && {
        outputs: outputs.map((name) => ({ name, parameters: { binary_data: true } })),
      }),
    }),
  );
  const body = Buffer.concat([header, ...inputs.map(({ bytes }) => bytes)]);
  const path = `/v2/models/${encodeURIComponent(model)}/infer`;
  const answer = await call(server, path, { body, headerLength: header.length });
  return answerOf(answer);
}

function answerOf({ body, headerLength }: Answer): InferAnswer {
  const cut = headerLength === undefined ? body.length : Number(headerLength);
  const { model_version: version, outputs } = read(responseSchema, body.subarray(0, cut));
  let at = cut;
  const tensors = outputs.map(({ name, datatype, shape, data, parameters }) => {
    const dtype = typeOfDatatype(datatype);
    if (dtype === undefined) throw strange();
    const tensor = { name, dtype, shape };
    if (parameters?.binary_data_size === undefined) {
      return { ...tensor, bytes: elementsOf(tensor, data ?? []) };
    }
    const bytes = body.subarray(at, at + bytesOf(tensor));
    at += bytes.length;
    if (bytes.length !== bytesOf(tensor)) throw strange();
    return { ...tensor, bytes };
  });
  return { version, outputs: tensors };
}

const strange = (): ProtocolError =>
  new ProtocolError('answer', 'the server answers in no form of the Open Inference Protocol');

function read<T>(schema: z.ZodType<T>, body: Buffer): T {
  try {
    return schema.parse(JSON.parse(body.toString('utf8')));
  } catch {
    throw strange();
  }
}

interface Posted {
  readonly body: Buffer;
  readonly headerLength: number;
}

async function call(server: InferenceServer, path: string, posted?: Posted): Promise<Answer> {
  const answer = await send(server, path, posted);
  if (answer.status < 400) return answer;
  const failure = failureSchema.safeParse(JSON.parse(answer.body.toString('utf8') || 'null'));
  const words = failure.success ? failure.data.error : `it answers ${answer.status}`;
  throw new ProtocolError('serving', words);
}

function send({ url, token, ca }: InferenceServer, path: string, posted?: Posted): Promise<Answer> {
  if (!URL.canParse(url)) throw new ConfigError('url', `"${url}" is no address`, 'Give http://…');
  const target = new URL(path, url);
  const open = target.protocol === 'https:' ? httpsRequest : httpRequest;
  const headers = {
    ...(token !== undefined && { authorization: `Bearer ${token}` }),
    ...(posted && {
      'content-type': 'application/octet-stream',
      'content-length': posted.body.length,
      [HEADER_LENGTH]: posted.headerLength,
    }),
  };
  const method = posted ? 'POST' : 'GET';
  return new Promise((resolve, reject) => {
    const failed = (error: Error) => {
      const hint = 'Is it up, and is this its address? `starling model served` there says';
      const words = `no answer at ${target.origin} (${errorMessage(error)})`;
      reject(new ConfigError('url', words, hint));
    };
    const request = open(target, { method, headers, ca, timeout: TIMEOUT_MS }, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('error', failed);
      response.on('end', () => {
        const headerLength = response.headers[HEADER_LENGTH] as string | undefined;
        resolve({ status: response.statusCode ?? 0, body: Buffer.concat(chunks), headerLength });
      });
    });
    request.on('timeout', () => request.destroy(new Error('it takes too long')));
    request.on('error', failed);
    request.end(posted?.body);
  });
}
