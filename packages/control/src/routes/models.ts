import { z } from 'zod';
import type { ModelHandlers } from '../handlers.ts';
import {
  cardViewSchema,
  deprecateSchema,
  fetchedModelSchema,
  foundModelsSchema,
  modelSearchSchema,
  modelVouchSchema,
  publishSchema,
} from '../models-schema.ts';
import { answers, type ControlApp, operation } from './operation.ts';

/** Models travel as base64 in one JSON body. */
const PUBLISH_BYTES_MAX = 700 * 1024 * 1024;

const cardParameter = z.object({
  id: z.string().describe('Id of a card, the beginning of one, NAME or NAME@VERSION'),
});

export function modelRoutes(app: ControlApp, models: ModelHandlers): void {
  app.post('/v1/models', {
    bodyLimit: PUBLISH_BYTES_MAX,
    schema: {
      ...operation(
        'models',
        'publishModel',
        'Publish a model',
        'Of a job, or of a file with its proof: lineage and certified metrics are filled in.',
      ),
      body: publishSchema,
      response: answers(cardViewSchema),
    },
    handler: ({ body }) => models.publish(body),
  });
  app.post('/v1/models/search', {
    schema: {
      ...operation('models', 'searchModels', 'Search for models, here and at the other peers'),
      body: modelSearchSchema,
      response: answers(foundModelsSchema),
    },
    handler: ({ body }) => models.search(body),
  });
  app.get('/v1/models/:id', {
    schema: {
      ...operation('models', 'showModel', 'A card, and what others say of it'),
      params: cardParameter,
      response: answers(cardViewSchema),
    },
    handler: ({ params: { id } }) => models.show(id),
  });
  app.get('/v1/models/:id/files', {
    schema: {
      ...operation(
        'models',
        'fetchModel',
        'The model with its card and proof, from whoever has them',
        'Checked against the hashes in the card alone; the rest is for whoever uses it.',
      ),
      params: cardParameter,
      response: answers(fetchedModelSchema),
    },
    handler: ({ params: { id } }) => models.fetch(id),
  });
  wordRoutes(app, models);
}

function wordRoutes(app: ControlApp, models: ModelHandlers): void {
  app.post('/v1/models/:id/vouch', {
    schema: {
      ...operation('models', 'vouchForModel', 'Say something about another peer’s model'),
      params: cardParameter,
      body: modelVouchSchema,
      response: answers(cardViewSchema),
    },
    handler: ({ params: { id }, body }) => models.vouch(id, body),
  });
  app.post('/v1/models/:id/deprecate', {
    schema: {
      ...operation('models', 'deprecateModel', 'Tell everybody not to use an own model any more'),
      params: cardParameter,
      body: deprecateSchema,
      response: answers(cardViewSchema),
    },
    handler: ({ params: { id }, body }) => models.deprecate(id, body),
  });
}
