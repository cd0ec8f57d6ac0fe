import { z } from 'zod';
import type { ControlHandlers } from '../handlers.ts';
import { type ListenView, listenViewSchema } from '../listen-schema.ts';
import { networkSchema } from '../network-schemas.ts';
import { peersSchema } from '../peers-schema.ts';
import { statusSchema } from '../schemas.ts';
import { answers, type ControlApp, nothingSchema, operation, refusals } from './operation.ts';

export function daemonRoutes(app: ControlApp, handlers: ControlHandlers): void {
  app.get('/v1/status', {
    schema: {
      ...operation('daemon', 'showStatus', 'What the daemon is, does and takes of the machine'),
      response: answers(statusSchema),
    },
    handler: () => handlers.status(),
  });
  app.get('/v1/network', {
    schema: {
      ...operation(
        'daemon',
        'showNetwork',
        'What the network looks like from here',
        'Asks and dials around for a few seconds.',
      ),
      response: answers(networkSchema),
    },
    handler: () => handlers.network(),
  });
  app.get('/v1/peers', {
    schema: {
      ...operation('daemon', 'listPeers', 'Peers this one is connected to, and how'),
      response: answers(peersSchema),
    },
    handler: () => handlers.peers(),
  });
  app.post('/v1/stop', {
    schema: {
      ...operation('daemon', 'stop', 'End the daemon', 'It answers before it ends.'),
      body: nothingSchema,
      response: answers(z.object({})),
    },
    handler: async (_request, reply) => {
      reply.raw.once('finish', () => handlers.stop());
      return {};
    },
  });
  app.get('/v1/openapi.json', {
    schema: {
      ...operation('daemon', 'showOpenApi', 'This document'),
      response: answers(z.record(z.string(), z.unknown())),
    },
    handler: async () => ({ ...app.swagger() }),
  });
  wellnessRoutes(app, handlers);
}

/** Over the Unix socket only: who may open that may have the token. */
export function listenRoute(app: ControlApp, listen: () => Promise<ListenView>): void {
  app.post('/v1/listen', {
    schema: {
      ...operation(
        'daemon',
        'listen',
        'Listen on loopback, and tell the address and the token',
        'Only over the Unix socket. A loopback address that is listened on already is told again.',
      ),
      body: nothingSchema,
      response: answers(listenViewSchema),
    },
    handler: listen,
  });
}

const WITHOUT_TOKEN = 'Over TCP it needs no token where it is asked from the same machine.';
const wellnessSchema = z.object({ status: z.string() });

function wellnessRoutes(app: ControlApp, handlers: ControlHandlers): void {
  const response = { 200: wellnessSchema, 503: wellnessSchema, ...refusals };
  app.get('/health', {
    config: { open: 'loopback' },
    schema: {
      ...operation('daemon', 'showHealth', 'Whether the daemon is alive', WITHOUT_TOKEN),
      security: [{}, { token: [] }],
      response,
    },
    handler: async (_request, reply) => {
      const { ok, status } = await handlers.health();
      return reply.code(ok ? 200 : 503).send({ status });
    },
  });
  app.get('/ready', {
    config: { open: 'loopback' },
    schema: {
      ...operation('daemon', 'showReady', 'Whether it can take part in rounds', WITHOUT_TOKEN),
      security: [{}, { token: [] }],
      response,
    },
    handler: async (_request, reply) => {
      const { ok, status } = await handlers.ready();
      return reply.code(ok ? 200 : 503).send({ status });
    },
  });
  app.get('/metrics', {
    schema: {
      ...operation('daemon', 'showMetrics', 'Metrics for a scraper, as text'),
      response: {
        200: { description: 'Metrics', content: { 'text/plain': { schema: z.string() } } },
        ...refusals,
      },
    },
    handler: async (_request, reply) => {
      const metrics = await handlers.metrics?.();
      if (metrics === undefined) {
        return reply.code(501).send({ error: 'this daemon measures nothing', code: 'no-metrics' });
      }
      return reply.type(metrics.contentType).send(metrics.body);
    },
  });
}
