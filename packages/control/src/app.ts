import { ProtocolError } from '@starling/core';
import type { FastifyReply, FastifyServerFactory, RouteOptions } from 'fastify';
import type { ZodTypeProvider } from 'fastify-type-provider-zod';
import type { z } from 'zod';
import type { EventHub } from './event-hub.ts';
import { failureOf } from './failure.ts';
import { type Guard, isFromLoopback, type Refusal } from './guard.ts';
import type { ControlHandlers } from './handlers.ts';
import type { ListenView } from './listen-schema.ts';
import { answerNoRequest } from './no-request.ts';
import { registerOpenApi } from './openapi.ts';
import { daemonRoutes, listenRoute } from './routes/daemon.ts';
import { dataRoutes } from './routes/data.ts';
import { jobRoutes } from './routes/jobs.ts';
import { modelRoutes } from './routes/models.ts';
import { offerRoutes } from './routes/offers.ts';
import type { ControlApp } from './routes/operation.ts';
import { servingRoutes } from './routes/serving.ts';
import { swarmRoutes } from './routes/swarm.ts';
import { BROWSER_HEADERS, NOT_KEPT, staticRoutes } from './static.ts';

/** What all listeners of a daemon have in common. */
export interface AppParts {
  readonly handlers: ControlHandlers;
  readonly events: EventHub;
  /** Between two signs of life of a silent stream of events. */
  readonly heartbeatMs: number;
  /** Directory of the built dashboard. */
  readonly pages?: string | undefined;
}

/** What a listener is, beside that. */
export interface AppKind {
  /** Over TCP: who gets in. */
  readonly guard?: Guard;
  readonly serverFactory?: FastifyServerFactory;
  /** Told of every route. */
  readonly onRoute?: (route: RouteOptions) => void;
  /** Over the Unix socket: opens a listener for a browser. */
  readonly listen?: () => Promise<ListenView>;
}

/** Bodies of routes that do not say otherwise. */
const BODY_BYTES_MAX = 1024 * 1024;

/** A job's name of 128 characters, each written as %F0%9F%90%A6. */
const PARAMETER_CHARS_MAX = 128 * 12;

/** One HTTP server with all routes; it listens nowhere yet. */
export async function createApp(parts: AppParts, kind: AppKind): Promise<ControlApp> {
  const { handlers, events, heartbeatMs, pages } = parts;
  const { guard, serverFactory, listen, onRoute } = kind;
  // Loaded here, because the command line imports this package for its client and must start fast.
  const [{ default: fastify }, { serializerCompiler }] = await Promise.all([
    import('fastify'),
    import('fastify-type-provider-zod'),
  ]);
  const app = fastify({
    bodyLimit: BODY_BYTES_MAX,
    forceCloseConnections: true,
    exposeHeadRoutes: false,
    clientErrorHandler: answerNoRequest,
    routerOptions: { maxParamLength: PARAMETER_CHARS_MAX },
    ...(serverFactory && { serverFactory }),
  }).withTypeProvider<ZodTypeProvider>();
  app.removeContentTypeParser('text/plain');
  app.setValidatorCompiler<z.ZodType>(({ schema, httpPart }) => (data) => {
    // No body says as much as an empty one.
    const given = httpPart === 'body' ? (data ?? {}) : data;
    const { success, data: value, error } = schema.safeParse(given);
    return success ? { value } : { error };
  });
  app.setSerializerCompiler(serializerCompiler);
  app.setErrorHandler((error, _request, reply) => answerFailure(reply, error));
  app.setNotFoundHandler(({ method, url }, reply) => {
    const path = url.replace(/\?.*$/s, '');
    const error = new ProtocolError('unknown-route', `this daemon has no ${method} ${path}`);
    return reply.code(404).headers(NOT_KEPT).send(failureOf(error).body);
  });
  if (onRoute !== undefined) app.addHook('onRoute', onRoute);
  if (guard !== undefined) guarded(app, guard);
  await registerOpenApi(app);
  daemonRoutes(app, handlers);
  jobRoutes(app, handlers, { events, heartbeatMs });
  dataRoutes(app, handlers);
  servingRoutes(app, handlers);
  swarmRoutes(app, handlers.swarm);
  modelRoutes(app, handlers.models);
  offerRoutes(app, handlers.offers);
  if (listen !== undefined) listenRoute(app, listen);
  if (pages !== undefined && guard !== undefined) await staticRoutes(app, pages);
  return app;
}

function answerFailure(reply: FastifyReply, error: unknown): FastifyReply {
  const { status, body } = failureOf(error);
  return reply.code(status).send(body);
}

/** Before any body is read: the token, unless the route that was found is open. */
function guarded(app: ControlApp, guard: Guard): void {
  app.addHook('onRequest', async (request, reply) => {
    const open = request.routeOptions.config?.open;
    reply.headers(BROWSER_HEADERS);
    // Pages say for themselves how long they are kept.
    if (open !== 'everybody') reply.headers(NOT_KEPT);
    if (open === 'everybody' || (open === 'loopback' && isFromLoopback(request.raw))) return;
    const refusal = guard.token(request.raw);
    if (refusal !== undefined) return answerRefusal(reply, refusal);
  });
}

function answerRefusal(reply: FastifyReply, { status, code, error, headers }: Refusal) {
  // What follows of a body is not waited for.
  return reply
    .code(status)
    .headers({ ...headers, connection: 'close' })
    .send({ error, code });
}
