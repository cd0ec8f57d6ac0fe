import type { SwaggerTransformObject } from '@fastify/swagger';
import { type ControlApp, TAGS } from './routes/operation.ts';
import { schemaNames as schemaRegistry } from './schema-names.ts';

/** Of the API, not of the program: it changes when a route does. */
const API_VERSION = '1.0.0';

const ABOUT = [
  'Over the Unix socket `control.sock` of the state directory it needs no token: only its owner',
  'may open that. Over TCP, where `api.listen` is configured, every request but those for the',
  "dashboard's files needs the token of the state directory's file `api-token`. Durations are in",
  'seconds, hashes in hex, binary data in base64.',
].join('\n');

/** The words of an answer that has none of its own. */
const ANSWERS: Readonly<Record<string, string>> = {
  '200': 'Done',
  '4XX': 'Refused: the request is wrong, or does not fit how things stand',
  '5XX': 'A fault of the daemon',
  '503': 'Not well',
};

/** Makes `app.swagger()` answer the document of all routes that are added after. */
export async function registerOpenApi(app: ControlApp): Promise<void> {
  const [{ default: swagger }, { createJsonSchemaTransform, createJsonSchemaTransformObject }] =
    await Promise.all([import('@fastify/swagger'), import('fastify-type-provider-zod')]);
  const named = createJsonSchemaTransformObject({ schemaRegistry });
  await app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: {
        title: 'Control API of a Starling daemon',
        version: API_VERSION,
        description: ABOUT,
        license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
      },
      servers: [{ url: '/', description: 'The daemon that serves this document' }],
      tags: Object.entries(TAGS).map(([name, description]) => ({ name, description })),
      security: [{ token: [] }],
      components: { securitySchemes: { token: { type: 'http', scheme: 'bearer' } } },
    },
    transform: createJsonSchemaTransform({ schemaRegistry }),
    transformObject: (given) => pruned(described(named(given) as Document)),
  });
}

type Document = ReturnType<SwaggerTransformObject> & {
  readonly components?: { readonly schemas?: object };
};

function described(document: Document): Document {
  for (const item of Object.values(document.paths ?? {})) {
    for (const operation of Object.values(item ?? {})) {
      const { responses = {} } = operation as {
        responses?: Record<string, { description: string }>;
      };
      for (const [status, response] of Object.entries(responses)) {
        if (response.description !== 'Default Response') continue;
        response.description = ANSWERS[status] ?? response.description;
      }
    }
  }
  return document;
}

const REFERENCE = /"#\/components\/schemas\/([A-Za-z]+)"/g;

/**
 * Leaves out the schemas that no route uses: each comes in two forms, as it is sent and as it is
 * read, of which most are never sent. What is only sent has its plain name.
 */
function pruned(document: Document): Document {
  const schemas: Record<string, unknown> = { ...document.components?.schemas };
  const used = new Set<string>();
  const visit = (part: unknown): void => {
    for (const [, name] of JSON.stringify(part).matchAll(REFERENCE)) {
      if (used.has(name!)) continue;
      used.add(name!);
      visit(schemas[name!]);
    }
  };
  visit(document.paths);
  const kept = Object.fromEntries(Object.entries(schemas).filter(([name]) => used.has(name)));
  let text = JSON.stringify({ ...document, components: { ...document.components, schemas: kept } });
  for (const sent of [...used].filter((name) => name.endsWith('Input'))) {
    const name = sent.slice(0, -'Input'.length);
    if (!used.has(name)) text = text.replaceAll(new RegExp(`(["/])${sent}"`, 'g'), `$1${name}"`);
  }
  return JSON.parse(text) as Document;
}
