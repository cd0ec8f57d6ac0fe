import { z } from 'zod';
import { dataSchema, dataViewSchema } from '../data-schema.ts';
import type { ControlHandlers } from '../handlers.ts';
import { inspectionSchema, inspectSchema } from '../inspection-schema.ts';
import { policyChangeSchema, policyViewSchema } from '../policy-schema.ts';
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
  app.post('/v1/data/inspect', {
    schema: {
      ...operation(
        'data',
        'inspectData',
        'Look at files as a job would see them',
        'Reads them, which may take minutes. What it offers can be added as it is.',
      ),
      body: inspectSchema,
      response: answers(inspectionSchema),
    },
    handler: ({ body }) => handlers.inspectData(body),
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
  app.get('/v1/policy', {
    schema: {
      ...operation('privacy', 'showPolicy', "The owner's policy as it is in force"),
      response: answers(policyViewSchema),
    },
    handler: () => handlers.policy(),
  });
  app.patch('/v1/policy', {
    schema: {
      ...operation(
        'privacy',
        'changePolicy',
        'Set some keys of the policy',
        'In force at once, and before the configuration file after a restart, until set to null.',
      ),
      body: policyChangeSchema,
      response: answers(policyViewSchema),
    },
    handler: ({ body }) => handlers.changePolicy(body),
  });
}
