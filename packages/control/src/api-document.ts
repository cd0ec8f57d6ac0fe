import { createApp } from './app.ts';
import { EventHub } from './event-hub.ts';
import type { ControlHandlers } from './handlers.ts';

/** The API's OpenAPI document, as every daemon of this release serves it. */
export async function apiDocument(): Promise<object> {
  // Nobody calls a handler: the routes are looked at, not gone.
  const handlers = { swarm: {} } as ControlHandlers;
  const listen = () => Promise.reject(new Error('listens nowhere'));
  const app = await createApp(
    { handlers, events: new EventHub({ now: 0 }), heartbeatMs: 0 },
    { listen },
  );
  await app.ready();
  const document = app.swagger();
  await app.close();
  return document;
}
