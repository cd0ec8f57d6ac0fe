import { z } from 'zod';
import type { ControlHandlers } from '../handlers.ts';
import {
  answeredSchema,
  askPeerSchema,
  peerModelSchema,
  servedSchema,
  serveSchema,
  servingSchema,
} from '../serving-schema.ts';
import { answers, type ControlApp, operation } from './operation.ts';

/** A model of 512 MiB, in base64. */
const MODEL_BYTES_MAX = 700 * 1024 * 1024;
/** What a peer takes, in base64. */
const TENSOR_BYTES_MAX = 96 * 1024 * 1024;

export function servingRoutes(app: ControlApp, handlers: ControlHandlers): void {
  app.get('/v1/serving', {
    schema: {
      ...operation('serving', 'listServed', 'Models that this daemon serves, and how they do'),
      response: answers(servingSchema),
    },
    handler: () => handlers.serving.list(),
  });
  app.post('/v1/serving', {
    bodyLimit: MODEL_BYTES_MAX,
    schema: {
      ...operation(
        'serving',
        'serveModel',
        'Serve the model of a job, or of a file',
        'A job is followed: each newly certified round takes over. A file that is served under ' +
          'its name already is replaced by the new one. Comes back after a restart.',
      ),
      body: serveSchema,
      response: answers(servedSchema),
    },
    handler: ({ body }) => handlers.serving.serve(body),
  });
  app.delete('/v1/serving/:name', {
    schema: {
      ...operation('serving', 'unserveModel', 'Serve a model no longer'),
      params: z.object({ name: z.string().describe('Name of a served model') }),
      response: answers(servedSchema),
    },
    handler: ({ params: { name } }) => handlers.serving.unserve(name),
  });
  app.get('/v1/peers/:peer/models', {
    schema: {
      ...operation('serving', 'listPeerModels', 'Models that a peer serves to this one'),
      params: z.object({ peer: z.string().describe('Id of a connected peer') }),
      response: answers(z.array(peerModelSchema)),
    },
    handler: async ({ params: { peer } }) => [...(await handlers.serving.peerModels(peer))],
  });
  app.post('/v1/infer', {
    bodyLimit: TENSOR_BYTES_MAX,
    schema: {
      ...operation('serving', 'askPeer', 'Ask a model that a peer serves', 'Tensors are base64.'),
      body: askPeerSchema,
      response: answers(answeredSchema),
    },
    handler: ({ body }) => handlers.serving.askPeer(body),
  });
}
