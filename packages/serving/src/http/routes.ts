import { ConfigError, errorMessage } from '@starling/core';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { z } from 'zod';
import { type FailureKind, ServingError } from '../failure.ts';
import type { Served, Serving } from '../serving.ts';
import { DATATYPES, type TensorSpec } from '../tensors.ts';
import type { Clients } from './clients.ts';
import { HEADER_LENGTH, readRequest, writeResponse } from './open-inference.ts';
import type { modelSchema } from './schemas.ts';

export interface RouteParts {
  readonly serving: Serving;
  readonly clients: Clients;
  readonly version: string;
}

const STATUS: Readonly<Record<FailureKind, number>> = {
  ...{ 'bad-request': 400, 'unknown-model': 404, quota: 429, 'queue-full': 503 },
  ...{ 'not-ready': 503, crashed: 500, failed: 500 },
};

/** Extensions of the protocol that this server has. */
export const EXTENSIONS = ['binary_tensor_data'];

export function answerFailure(reply: FastifyReply, error: unknown) {
  if (error instanceof ServingError) {
    if (error.retrySeconds !== undefined) void reply.header('retry-after', error.retrySeconds);
    return reply.code(STATUS[error.kind]).send({ error: error.message });
  }
  const given = (error as { statusCode?: number } | undefined)?.statusCode;
  const status = given ?? (error instanceof ConfigError ? 400 : 500);
  return reply.code(status).send({ error: errorMessage(error) });
}

interface ModelPath {
  readonly name: string;
  readonly version?: string;
}

const paramsOf = (request: FastifyRequest): ModelPath => request.params as ModelPath;

/** The endpoints of version 2 of the Open Inference Protocol. */
export function addRoutes(app: FastifyInstance, { serving, clients, version }: RouteParts): void {
  const clientNames = new WeakMap<FastifyRequest, string>();
  const isReady = () => serving.list().every((model) => model.isReady);
  // A probe has no secret, and learns nothing but yes or no.
  app.get('/v2/health/live', async () => ({ live: true }));
  app.get('/v2/health/ready', (_, reply) => {
    const ready = isReady();
    return reply.code(ready ? 200 : 503).send({ live: true, ready });
  });
  app.register(async (known) => {
    known.addHook('onRequest', async (request, reply) => {
      const client = clients.of(request.raw);
      if (typeof client === 'string') return void clientNames.set(request, client);
      const { status, error, headers } = client;
      return reply
        .code(status)
        .headers({ ...headers, connection: 'close' })
        .send({ error });
    });
    known.get('/v2', async () => ({ name: 'starling', version, extensions: EXTENSIONS }));
    for (const path of ['/v2/models/:name', '/v2/models/:name/versions/:version']) {
      known.get(path, async (request) => metadata(served(serving, paramsOf(request))));
      known.get(`${path}/ready`, (request, reply) => {
        const { name, isReady: ready } = served(serving, paramsOf(request));
        return reply.code(ready ? 200 : 503).send({ name, ready });
      });
      known.post(`${path}/infer`, async (request, reply) => {
        const { name, version: wanted } = paramsOf(request);
        const length = request.headers[HEADER_LENGTH] as string | undefined;
        const body = request.body as Uint8Array | null;
        const read = readRequest(body ?? new Uint8Array(0), length);
        const asked = { ...read.request, version: wanted };
        const answer = await serving.infer(name, asked, clientNames.get(request)!);
        const response = writeResponse(name, answer, read);
        return reply.headers(response.headers).send(response.body);
      });
    }
  });
}

function served(serving: Serving, { name, version }: ModelPath): Served {
  const model = serving.find(name);
  if (model === undefined) {
    throw new ServingError('unknown-model', `no model "${name}" is served`);
  }
  if (version === undefined || version === model.version) return model;
  const words = `version ${version} of "${name}" is not served; it is at ${model.version}`;
  throw new ServingError('unknown-model', words);
}

const metadataOf = ({ name, dtype, shape }: TensorSpec) => ({
  ...{ name, datatype: DATATYPES[dtype], shape: shape.map((size) => size ?? -1) },
});

function metadata({ name, version, inputs, outputs }: Served): z.infer<typeof modelSchema> {
  return {
    ...{ name, versions: version === null ? [] : [version], platform: 'onnx_onnxv1' },
    ...{ inputs: inputs.map(metadataOf), outputs: outputs.map(metadataOf) },
  };
}
