import { z } from 'zod';
import { HEADER_LENGTH } from './open-inference.ts';
import {
  failureSchema,
  inferRequestSchema,
  inferResponseSchema,
  liveSchema,
  modelReadySchema,
  modelSchema,
  readySchema,
  serverSchema,
} from './schemas.ts';

const NAMES = {
  Failure: failureSchema,
  InferRequest: inferRequestSchema,
  InferResponse: inferResponseSchema,
  Live: liveSchema,
  Model: modelSchema,
  ModelReady: modelReadySchema,
  Ready: readySchema,
  Server: serverSchema,
} as const satisfies Readonly<Record<string, z.ZodType>>;
type Name = keyof typeof NAMES;

const ABOUT = [
  'Version 2 of the Open Inference Protocol over HTTP, as a Starling daemon speaks it where',
  '`serving.listen` is configured. The version of a model is the certified round of its job, or',
  'the number of its file; the newest alone is served. Tensors may be binary both ways, by the',
  `extension \`binary_tensor_data\`: the body is then JSON, as many bytes as \`${HEADER_LENGTH}\``,
  'says, and the elements of each tensor behind it, row-major and little-endian.',
].join('\n');

const reference = (name: Name) => ({ $ref: `#/components/schemas/${name}` });
const json = (name: Name) => ({ 'application/json': { schema: reference(name) } });
const BINARY = { 'application/octet-stream': { schema: { type: 'string', format: 'binary' } } };

interface Endpoint {
  readonly id: string;
  readonly summary: string;
  readonly answer: Name;
  /** What it also answers with its own schema, beside failures. */
  readonly status?: string;
  readonly isOpen?: true;
}

const PROBES: Readonly<Record<string, Endpoint>> = {
  '/v2/health/live': {
    ...{ id: 'live', summary: 'Whether the server answers at all', answer: 'Live', isOpen: true },
  },
  '/v2/health/ready': {
    ...{ id: 'ready', summary: 'Whether all models are ready', answer: 'Ready' },
    ...{ status: '503', isOpen: true },
  },
  '/v2': { id: 'server', summary: 'What this server is', answer: 'Server' },
};

const OF_MODEL: Readonly<Record<string, Endpoint>> = {
  '': { id: 'model', summary: 'What a model takes and gives', answer: 'Model' },
  '/ready': {
    ...{ id: 'modelReady', summary: 'Whether a model is ready', answer: 'ModelReady' },
    status: '503',
  },
};

const parameter = (name: string, description: string) => ({
  ...{ name, in: 'path', required: true, description, schema: { type: 'string' } },
});
const MODEL = parameter('name', 'Name of a served model');
const VERSION = parameter('version', 'The version that must be the one served');

const FAILURES = { description: 'No answer, and why', content: json('Failure') };

function operation(
  { id, summary, answer, status, isOpen }: Endpoint,
  suffix: string,
  parameters: readonly object[],
) {
  return {
    operationId: `${id}${suffix}`,
    summary,
    ...(parameters.length > 0 && { parameters }),
    ...(isOpen && { security: [] }),
    responses: {
      200: { description: 'So it is', content: json(answer) },
      ...(status && { [status]: { description: 'Not yet', content: json(answer) } }),
      '4XX': FAILURES,
    },
  };
}

const inference = (suffix: string, parameters: readonly object[]) => ({
  ...{ operationId: `infer${suffix}`, summary: 'Run a model' },
  parameters: [
    ...parameters,
    {
      ...{ name: HEADER_LENGTH, in: 'header', schema: { type: 'integer' } },
      description: 'Bytes of JSON at the start of a body with binary tensors',
    },
  ],
  requestBody: { required: true, content: { ...json('InferRequest'), ...BINARY } },
  responses: {
    200: { description: 'Its outputs', content: { ...json('InferResponse'), ...BINARY } },
    400: { ...FAILURES, description: 'The request does not fit the model; the words say where' },
    401: { ...FAILURES, description: 'A token is missing or wrong' },
    404: { ...FAILURES, description: 'Such a model, or version of it, is not served' },
    429: { ...FAILURES, description: 'Beyond the quota; Retry-After says how long to wait' },
    503: { ...FAILURES, description: 'The queue is full or the model not ready; Retry-After' },
    '5XX': FAILURES,
  },
});

function paths(): Readonly<Record<string, object>> {
  const made: Record<string, object> = {};
  for (const [path, endpoint] of Object.entries(PROBES)) {
    made[path] = { get: operation(endpoint, '', []) };
  }
  for (const [suffix, start, parameters] of [
    ['', '/v2/models/{name}', [MODEL]],
    ['Version', '/v2/models/{name}/versions/{version}', [MODEL, VERSION]],
  ] as const) {
    for (const [end, endpoint] of Object.entries(OF_MODEL)) {
      made[`${start}${end}`] = { get: operation(endpoint, suffix, parameters) };
    }
    made[`${start}/infer`] = { post: inference(suffix, parameters) };
  }
  return made;
}

/** The OpenAPI document of the inference endpoints, made from the schemas that check them. */
export function inferenceDocument(): object {
  const registry = z.registry<{ readonly id: string }>();
  for (const [id, schema] of Object.entries(NAMES)) registry.add(schema, { id });
  const { schemas } = z.toJSONSchema(registry, { uri: (id) => `#/components/schemas/${id}` });
  const plain = Object.entries(schemas).map(([id, schema]) => {
    const { $schema: _, $id: __, ...rest } = schema as Record<string, unknown>;
    return [id, rest] as const;
  });
  return {
    openapi: '3.1.0',
    info: {
      ...{ title: 'Inference by a Starling daemon', version: '2.0', description: ABOUT },
      license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
    },
    servers: [{ url: '/', description: 'The address of `serving.listen`' }],
    security: [{ token: [] }],
    paths: paths(),
    components: {
      securitySchemes: { token: { type: 'http', scheme: 'bearer' } },
      schemas: Object.fromEntries(plain),
    },
  };
}
