import { chmod, rm } from 'node:fs/promises';
import { ConfigError, errorMessage, ProtocolError } from '@starling/core';
import type { Dataset } from '@starling/trainer';
import type { FastifyInstance, FastifyReply } from 'fastify';
import { z } from 'zod';
import { type DataSetView, dataSchema } from './data-schema.ts';
import { failureOf } from './failure.ts';
import type { NetworkView } from './network-schemas.ts';
import type { PrivacyView } from './privacy-schema.ts';
import {
  approveSchema,
  type JobEvent,
  type JobFile,
  type JobView,
  type LaunchedView,
  launchSchema,
  type Pulled,
  type PullOptions,
  pullSchema,
  type Status,
} from './schemas.ts';
import { type SwarmHandlers, swarmRoutes } from './swarm-routes.ts';

/** What the daemon does for the API; all may throw a ConfigError that names the next step. */
export interface ControlHandlers {
  status(): Promise<Status>;
  /** Asks and dials around for a few seconds. */
  network(): Promise<NetworkView>;
  /** Ends the daemon, after the answer is out. */
  stop(): void;
  jobs(): Promise<readonly JobView[]>;
  job(id: string): Promise<JobView>;
  launch(job: JobFile, model: Uint8Array): Promise<LaunchedView>;
  approve(id: string, dataset: string | undefined): Promise<JobView>;
  refuse(id: string): Promise<JobView>;
  /** For everybody; only at the job's launcher. */
  cancel(id: string): Promise<JobView>;
  /** Told of every change of a job; the answer ends it. */
  watch(id: string, listen: (event: JobEvent) => void): () => void;
  pull(id: string, options: PullOptions): Promise<Pulled>;
  addData(data: Dataset): Promise<DataSetView>;
  removeData(name: string): Promise<DataSetView>;
  listData(): Promise<readonly DataSetView[]>;
  privacy(): Promise<PrivacyView>;
  /** Absent where the daemon measures nothing. */
  metrics?(): Promise<{ readonly contentType: string; readonly body: string }>;
  readonly swarm: SwarmHandlers;
}

export interface ControlServer {
  readonly socket: string;
  close(): Promise<void>;
}

/** Models travel as base64 in one JSON body. */
const BODY_BYTES_MAX = 700 * 1024 * 1024;
/** Events that wait for a slow watcher. */
const UNREAD_BYTES_MAX = 4 * 1024 * 1024;

/**
 * Serves the API on a Unix socket that only its owner may open: no token is needed, and no web page
 * can reach it.
 */
export async function createControlServer(
  socket: string,
  handlers: ControlHandlers,
): Promise<ControlServer> {
  // Loaded here, because the command line imports this package for its client and must start fast.
  const { default: fastify } = await import('fastify');
  const app = fastify({ bodyLimit: BODY_BYTES_MAX, forceCloseConnections: true });
  const refuse = (reply: FastifyReply, error: unknown) => {
    const { status, body } = failureOf(error);
    return reply.code(status).send(body);
  };
  app.setErrorHandler((error, _request, reply) => refuse(reply, error));
  app.setNotFoundHandler(({ method, url }, reply) =>
    refuse(reply, new ProtocolError('unknown-route', `this daemon has no ${method} ${url}`)),
  );
  routes(app, handlers);
  // The state directory's lock is ours, so a socket left there belongs to a dead process.
  await rm(socket, { force: true });
  try {
    await app.listen({ path: socket });
    await chmod(socket, 0o600);
  } catch (error) {
    const hint = 'The path of a Unix socket may have at most 107 characters';
    throw new ConfigError('socket', `cannot listen on ${socket} (${errorMessage(error)})`, hint);
  }
  return { socket, close: () => app.close() };
}

function routes(app: FastifyInstance, handlers: ControlHandlers): void {
  const id = (params: unknown) => z.object({ id: z.string() }).parse(params).id;
  app.get('/v1/status', () => handlers.status());
  app.get('/v1/network', () => handlers.network());
  app.post('/v1/stop', async (_request, reply) => {
    reply.raw.once('finish', () => handlers.stop());
    return {};
  });
  app.get('/v1/jobs', () => handlers.jobs());
  app.get('/v1/jobs/:id', ({ params }) => handlers.job(id(params)));
  app.post('/v1/jobs', ({ body }) => {
    const { job, model } = launchSchema.parse(body);
    return handlers.launch(job, Buffer.from(model, 'base64'));
  });
  app.post('/v1/jobs/:id/approve', ({ params, body }) =>
    handlers.approve(id(params), approveSchema.parse(body).dataset),
  );
  app.post('/v1/jobs/:id/refuse', ({ params }) => handlers.refuse(id(params)));
  app.post('/v1/jobs/:id/cancel', ({ params }) => handlers.cancel(id(params)));
  app.get('/v1/jobs/:id/model', ({ params, query }) =>
    handlers.pull(id(params), pullSchema.parse(query)),
  );
  app.get('/v1/jobs/:id/events', ({ params }, reply) => streamEvents(reply, handlers, id(params)));
  app.get('/v1/privacy', () => handlers.privacy());
  app.get('/metrics', async (_request, reply) => {
    const metrics = await handlers.metrics?.();
    if (metrics === undefined) return reply.callNotFound();
    return reply.type(metrics.contentType).send(metrics.body);
  });
  swarmRoutes(app, handlers.swarm);
  app.get('/v1/data', () => handlers.listData());
  app.post('/v1/data', ({ body }) => handlers.addData(dataSchema.parse(body)));
  app.delete('/v1/data/:name', ({ params }) =>
    handlers.removeData(z.object({ name: z.string() }).parse(params).name),
  );
}

/** One JSON object a line, until either side ends it. */
async function streamEvents(
  reply: FastifyReply,
  handlers: ControlHandlers,
  job: string,
): Promise<void> {
  const view = await handlers.job(job);
  reply.hijack();
  const { raw } = reply;
  raw.writeHead(200, { 'content-type': 'application/x-ndjson' });
  const send = (event: JobEvent) => {
    // A reader that stopped reading must not fill the daemon's memory.
    if (raw.writableLength > UNREAD_BYTES_MAX) raw.destroy();
    else raw.write(`${JSON.stringify(event)}\n`);
  };
  send({ job: view.id, kind: 'now', text: `${view.standing}, ${view.phase}`, view });
  const leave = handlers.watch(view.id, send);
  if (raw.destroyed) leave();
  else raw.once('close', leave);
}
