import { z } from 'zod';
import type { ControlHandlers } from '../handlers.ts';
import { manifestViewSchema } from '../manifest-schema.ts';
import {
  approveSchema,
  jobSchema,
  launchedSchema,
  launchSchema,
  pulledSchema,
  pullSchema,
} from '../schemas.ts';
import { type EventSource, streamEvents, streamSchema } from '../sse.ts';
import { answers, type ControlApp, jobParameter, nothingSchema, operation } from './operation.ts';

/** Models travel as base64 in one JSON body. */
const LAUNCH_BYTES_MAX = 700 * 1024 * 1024;

export function jobRoutes(app: ControlApp, handlers: ControlHandlers, source: EventSource): void {
  app.get('/v1/jobs', {
    schema: {
      ...operation('jobs', 'listJobs', 'Jobs that this peer knows, with their rounds'),
      response: answers(z.array(jobSchema)),
    },
    handler: async () => [...(await handlers.jobs())],
  });
  app.post('/v1/jobs', {
    bodyLimit: LAUNCH_BYTES_MAX,
    schema: {
      ...operation(
        'jobs',
        'launchJob',
        'Launch a job',
        'Answers when manifest and model are held by other peers. The model is base64.',
      ),
      body: launchSchema,
      response: answers(launchedSchema),
    },
    handler: ({ body: { job, model } }) => handlers.launch(job, Buffer.from(model, 'base64')),
  });
  app.get('/v1/jobs/:id', {
    schema: {
      ...operation('jobs', 'showJob', 'One job, with its rounds and the one that goes on'),
      params: jobParameter,
      response: answers(jobSchema),
    },
    handler: ({ params: { id } }) => handlers.job(id),
  });
  app.get('/v1/jobs/:id/manifest', {
    schema: {
      ...operation('jobs', 'showManifest', 'What its launcher has signed'),
      params: jobParameter,
      response: answers(manifestViewSchema),
    },
    handler: ({ params: { id } }) => handlers.manifest(id),
  });
  app.get('/v1/jobs/:id/model', {
    schema: {
      ...operation('jobs', 'pullModel', 'The newest model, and what proves where it comes from'),
      params: jobParameter,
      querystring: pullSchema,
      response: answers(pulledSchema),
    },
    handler: ({ params: { id }, query }) => handlers.pull(id, query),
  });
  consentRoutes(app, handlers);
  eventRoutes(app, handlers, source);
}

function consentRoutes(app: ControlApp, handlers: ControlHandlers): void {
  app.post('/v1/jobs/:id/approve', {
    schema: {
      ...operation('jobs', 'approveJob', 'Take part in a job, with the data set named or found'),
      params: jobParameter,
      body: approveSchema,
      response: answers(jobSchema),
    },
    handler: ({ params: { id }, body: { dataset } }) => handlers.approve(id, dataset),
  });
  app.post('/v1/jobs/:id/refuse', {
    schema: {
      ...operation('jobs', 'refuseJob', 'Take no part in a job, or none from now on'),
      params: jobParameter,
      body: nothingSchema,
      response: answers(jobSchema),
    },
    handler: ({ params: { id } }) => handlers.refuse(id),
  });
  app.post('/v1/jobs/:id/cancel', {
    schema: {
      ...operation('jobs', 'cancelJob', 'End a job for everybody, for its launcher'),
      params: jobParameter,
      body: nothingSchema,
      response: answers(jobSchema),
    },
    handler: ({ params: { id } }) => handlers.cancel(id),
  });
}

const STREAM = [
  'Server-sent events where the request accepts `text/event-stream`, else one JSON object a line.',
  'Server-sent events are numbered: `Last-Event-ID` continues a stream from memory, and what has',
  'been forgotten is told by an event `gap`.',
].join(' ');

function eventRoutes(app: ControlApp, handlers: ControlHandlers, source: EventSource): void {
  app.get('/v1/jobs/:id/events', {
    schema: {
      ...operation('jobs', 'watchJob', 'Changes of one job, after the job as it is', STREAM),
      params: jobParameter,
      response: streamSchema,
    },
    handler: async (request, reply) => {
      const view = await handlers.job(request.params.id);
      const { id, standing, phase, live } = view;
      const now = { job: id, kind: 'now', text: `${standing}, ${phase}`, view, live };
      streamEvents(request, reply, { ...source, job: id, now });
    },
  });
  app.get('/v1/events', {
    schema: {
      ...operation('jobs', 'watchJobs', 'Changes of all jobs', STREAM),
      response: streamSchema,
    },
    handler: async (request, reply) => streamEvents(request, reply, source),
  });
}
