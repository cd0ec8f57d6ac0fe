import { request as httpRequest } from 'node:http';
import { ConfigError, errorMessage, ProtocolError } from '@starling/core';
import { z } from 'zod';
import {
  type DataSetView,
  dataViewSchema,
  type JobEvent,
  type JobFile,
  type JobView,
  jobEventSchema,
  jobSchema,
  type LaunchedView,
  launchedSchema,
  type Pulled,
  pulledSchema,
  type Status,
  statusSchema,
} from './schemas.ts';

/** The API of one daemon, typed. Errors come back as the daemon's own ConfigError or ProtocolError. */
export interface ControlClient {
  status(): Promise<Status>;
  stop(): Promise<void>;
  jobs(): Promise<readonly JobView[]>;
  job(id: string): Promise<JobView>;
  launch(job: JobFile, model: Uint8Array): Promise<LaunchedView>;
  approve(id: string, dataset?: string): Promise<JobView>;
  refuse(id: string): Promise<JobView>;
  events(id: string, signal?: AbortSignal): AsyncIterable<JobEvent>;
  pull(id: string): Promise<Pulled>;
  addData(data: { name: string; path: string; task: string }): Promise<DataSetView>;
  listData(): Promise<readonly DataSetView[]>;
}

export function createControlClient(socket: string): ControlClient {
  const get = <T>(path: string, schema: z.ZodType<T>) => call(socket, 'GET', path, schema);
  const post = <T>(path: string, body: unknown, schema: z.ZodType<T>) =>
    call(socket, 'POST', path, schema, body);
  return {
    status: () => get('/v1/status', statusSchema),
    stop: async () => void (await post('/v1/stop', {}, z.object({}))),
    jobs: () => get('/v1/jobs', z.array(jobSchema)),
    job: (id) => get(`/v1/jobs/${encodeURIComponent(id)}`, jobSchema),
    launch: (job, model) =>
      post('/v1/jobs', { job, model: Buffer.from(model).toString('base64') }, launchedSchema),
    approve: (id, dataset) =>
      post(`/v1/jobs/${encodeURIComponent(id)}/approve`, { dataset }, jobSchema),
    refuse: (id) => post(`/v1/jobs/${encodeURIComponent(id)}/refuse`, {}, jobSchema),
    events: (id, signal) => events(socket, `/v1/jobs/${encodeURIComponent(id)}/events`, signal),
    pull: (id) => get(`/v1/jobs/${encodeURIComponent(id)}/model`, pulledSchema),
    addData: (data) => post('/v1/data', data, dataViewSchema),
    listData: () => get('/v1/data', z.array(dataViewSchema)),
  };
}

async function call<T>(
  socket: string,
  method: string,
  path: string,
  schema: z.ZodType<T>,
  body?: unknown,
): Promise<T> {
  const response = await open(socket, method, path, body);
  const chunks: Buffer[] = [];
  for await (const chunk of response.stream) chunks.push(chunk as Buffer);
  const answer: unknown = JSON.parse(Buffer.concat(chunks).toString('utf8'));
  if (response.status >= 400) throw failure(answer);
  return schema.parse(answer);
}

async function* events(
  socket: string,
  path: string,
  signal?: AbortSignal,
): AsyncIterable<JobEvent> {
  const response = await open(socket, 'GET', path, undefined, signal);
  let rest = '';
  for await (const chunk of response.stream) {
    rest += (chunk as Buffer).toString('utf8');
    if (response.status >= 400) throw failure(JSON.parse(rest));
    const lines = rest.split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) yield jobEventSchema.parse(JSON.parse(line));
  }
}

function failure(answer: unknown): Error {
  const { error, code } = z.object({ error: z.string(), code: z.string() }).parse(answer);
  return new ProtocolError(code, error);
}

interface Response {
  readonly status: number;
  readonly stream: AsyncIterable<unknown>;
}

function open(
  socketPath: string,
  method: string,
  path: string,
  body?: unknown,
  signal?: AbortSignal,
): Promise<Response> {
  return new Promise((resolve, reject) => {
    const payload = body === undefined ? undefined : JSON.stringify(body);
    const headers = payload === undefined ? {} : { 'content-type': 'application/json' };
    const request = httpRequest({ socketPath, method, path, headers, ...(signal && { signal }) });
    request.on('response', (stream) => resolve({ status: stream.statusCode ?? 500, stream }));
    request.on('error', (error) => {
      const hint = 'Start it with `starling up`, or name its state directory with --state';
      reject(
        new ConfigError('daemon', `no answer at ${socketPath} (${errorMessage(error)})`, hint),
      );
    });
    request.end(payload);
  });
}
