import type {
  FastifyBaseLogger,
  FastifyInstance,
  RawReplyDefaultExpression,
  RawRequestDefaultExpression,
  RawServerDefault,
} from 'fastify';
import type { ZodTypeProvider } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { failureSchema } from '../failure.ts';

/** A server whose routes are checked by their schemas, and typed by them. */
export type ControlApp = FastifyInstance<
  RawServerDefault,
  RawRequestDefaultExpression,
  RawReplyDefaultExpression,
  FastifyBaseLogger,
  ZodTypeProvider
>;

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Who gets an answer over TCP without the token; unless told, nobody. */
    readonly open?: 'everybody' | 'loopback';
  }
}

/** Sections of the API's document, in their order. */
export const TAGS = {
  daemon: 'The daemon itself: what it is, how it is, and its end.',
  jobs: 'Jobs of the swarm: launch, consent, watch, and the trained model.',
  models: 'Published models: cards, search, and what peers say of them.',
  offers: 'Restricted models: offers, tokens, and what peers owe each other.',
  data: 'Data sets that this machine offers. Their files stay where they are.',
  serving: 'Models that this daemon answers with, and those of other peers.',
  privacy: 'What the data sets have given away, and what their owner allows.',
  swarm: 'The swarm that the daemon is in: members, invites, vouches.',
} as const;

/** How the API's document names a route. */
export function operation(
  tag: keyof typeof TAGS,
  operationId: string,
  summary: string,
  description?: string,
) {
  return { tags: [tag], operationId, summary, ...(description !== undefined && { description }) };
}

export const refusals = { '4xx': failureSchema, '5xx': failureSchema };

/** What a route answers, and that it may refuse. */
export const answers = <T extends z.ZodType>(answer: T) => ({
  200: answer,
  ...refusals,
});

/** Of a request that says nothing. */
export const nothingSchema = z.strictObject({});

/** A job by its id, an unambiguous beginning of it, or its name. */
export const jobParameter = z.object({
  id: z.string().describe('Id of a job, an unambiguous beginning of it, or its name'),
});
