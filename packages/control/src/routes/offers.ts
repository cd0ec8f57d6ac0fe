import { z } from 'zod';
import type { OfferHandlers } from '../handlers.ts';
import { cardViewSchema } from '../models-schema.ts';
import {
  acquitSchema,
  buySchema,
  grantSchema,
  ledgerSchema,
  offerSchema,
  revokedTokensSchema,
  revokeTokensSchema,
  takeTokenSchema,
  tokenViewSchema,
} from '../offers-schema.ts';
import { answers, type ControlApp, operation } from './operation.ts';

const cardParameter = z.object({
  id: z.string().describe('Id of a card, the beginning of one, NAME or NAME@VERSION'),
});

export function offerRoutes(app: ControlApp, offers: OfferHandlers): void {
  app.post('/v1/models/:id/offer', {
    schema: {
      ...operation('offers', 'offerModel', 'Say on which terms others get a restricted model'),
      params: cardParameter,
      body: offerSchema,
      response: answers(cardViewSchema),
    },
    handler: ({ params: { id }, body }) => offers.offer(id, body),
  });
  app.post('/v1/models/:id/buy', {
    schema: {
      ...operation('offers', 'buyToken', 'Get a token under the publisher’s offer'),
      params: cardParameter,
      body: buySchema,
      response: answers(tokenViewSchema),
    },
    handler: ({ params: { id }, body }) => offers.buy(id, body.receipt),
  });
  app.get('/v1/models/:id/tokens', {
    schema: {
      ...operation('offers', 'listTokens', 'Tokens that were given for an own model'),
      params: cardParameter,
      response: answers(z.array(tokenViewSchema)),
    },
    handler: async ({ params: { id } }) => [...(await offers.tokens(id))],
  });
  app.post('/v1/models/:id/tokens', {
    schema: {
      ...operation('offers', 'grantToken', 'Give a peer a token for an own model'),
      params: cardParameter,
      body: grantSchema,
      response: answers(tokenViewSchema),
    },
    handler: ({ params: { id }, body }) => offers.grant(id, body),
  });
  app.post('/v1/models/:id/tokens/revoke', {
    schema: {
      ...operation('offers', 'revokeTokens', 'End what tokens for an own model open from now on'),
      params: cardParameter,
      body: revokeTokensSchema,
      response: answers(revokedTokensSchema),
    },
    handler: ({ params: { id }, body }) => offers.revoke(id, body.whose),
  });
  app.post('/v1/tokens', {
    schema: {
      ...operation('offers', 'takeToken', 'Take a token for this peer that came by another way'),
      body: takeTokenSchema,
      response: answers(tokenViewSchema),
    },
    handler: ({ body }) => offers.take(Buffer.from(body.token, 'base64')),
  });
  ledgerRoutes(app, offers);
}

function ledgerRoutes(app: ControlApp, offers: OfferHandlers): void {
  app.get('/v1/ledger', {
    schema: {
      ...operation('offers', 'showLedger', 'What this peer and others owe each other, and why'),
      response: answers(ledgerSchema),
    },
    handler: () => offers.ledger(),
  });
  app.post('/v1/ledger/acquit', {
    schema: {
      ...operation('offers', 'acquit', 'Say that a peer has paid what it owed here'),
      body: acquitSchema,
      response: answers(ledgerSchema),
    },
    handler: ({ body }) => offers.acquit(body),
  });
}
