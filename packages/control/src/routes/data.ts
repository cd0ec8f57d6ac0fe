import { z } from 'zod';
import { dataSchema, dataViewSchema } from '../data-schema.ts';
import type { ControlHandlers } from '../handlers.ts';
import { privacyViewSchema } from '../privacy-schema.ts';
import { answers, type ControlApp, operation } from './operation.ts';

/** A plan for reading names every block or row group of a data set. */
const PLAN_BYTES_MAX = 64 * 1024 * 1024;

export function dataRoutes(app: ControlApp, handlers: ControlHandlers): void {
  app.get('/v1/data', {
    schema: {
      ...operation('data', 'listData', 'Data sets that this machine offers'),
      response: answers(z.array(dataViewSchema)),
    },
    handler: async () => [...(await handlers.listData())],
  });
  app.post('/v1/data', {
    bodyLimit: PLAN_BYTES_MAX,
    schema: {
      ...operation('data', 'addData', 'Offer a data set, with the plan by which it is read'),
      body: dataSchema,
      response: answers(dataViewSchema),
    },
    handler: ({ body }) => handlers.addData(body),
  });
  app.delete('/v1/data/:name', {
    schema: {
      ...operation('data', 'removeData', 'Forget a data set; its files stay'),
      params: z.object({ name: z.string().describe('Name of a data set') }),
      response: answers(dataViewSchema),
    },
    handler: ({ params: { name } }) => handlers.removeData(name),
  });
  app.get('/v1/privacy', {
    schema: {
      ...operation('privacy', 'showPrivacy', 'What each data set has given away, and its budget'),
      response: answers(privacyViewSchema),
    },
    handler: () => handlers.privacy(),
  });
}
