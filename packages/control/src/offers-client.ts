import { z } from 'zod';
import { type CardView, cardViewSchema } from './models-schema.ts';
import {
  type Acquit,
  type Grant,
  type LedgerView,
  ledgerSchema,
  type OfferInput,
  revokedTokensSchema,
  type TokenView,
  tokenViewSchema,
} from './offers-schema.ts';

export interface OfferClient {
  offer(id: string, terms: OfferInput): Promise<CardView>;
  /** @param receipt of a payment elsewhere, in place of an IOU */
  buy(id: string, receipt?: string): Promise<TokenView>;
  tokens(id: string): Promise<readonly TokenView[]>;
  grant(id: string, wanted: Grant): Promise<TokenView>;
  /** @param whose serials of tokens, or peers for all of theirs */
  revoke(id: string, whose: readonly string[]): Promise<{ serials: string[] }>;
  /** @param token as base64 */
  take(token: string): Promise<TokenView>;
  ledger(): Promise<LedgerView>;
  acquit(wanted: Acquit): Promise<LedgerView>;
}

type Ask = <T>(
  schema: z.ZodType<T>,
  method: 'GET' | 'POST',
  path: string,
  body?: unknown,
) => Promise<T>;

export function offerClient(ask: Ask): OfferClient {
  const post = <T>(path: string, body: unknown, schema: z.ZodType<T>) =>
    ask(schema, 'POST', path, body);
  const cardPath = (id: string, rest: string) => `/v1/models/${encodeURIComponent(id)}${rest}`;
  return {
    offer: (id, terms) => post(cardPath(id, '/offer'), terms, cardViewSchema),
    buy: (id, receipt) => post(cardPath(id, '/buy'), { receipt }, tokenViewSchema),
    tokens: (id) => ask(z.array(tokenViewSchema), 'GET', cardPath(id, '/tokens')),
    grant: (id, wanted) => post(cardPath(id, '/tokens'), wanted, tokenViewSchema),
    revoke: (id, whose) => post(cardPath(id, '/tokens/revoke'), { whose }, revokedTokensSchema),
    take: (token) => post('/v1/tokens', { token }, tokenViewSchema),
    ledger: () => ask(ledgerSchema, 'GET', '/v1/ledger'),
    acquit: (wanted) => post('/v1/ledger/acquit', wanted, ledgerSchema),
  };
}
