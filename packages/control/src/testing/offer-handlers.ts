import type { LedgerView, OfferHandlers, TokenView } from '../index.ts';
import { CARD } from './model-handlers.ts';

export const TOKEN: TokenView = {
  ...{ card: CARD.id, holder: '12D3KooWy', serial: 'ab'.repeat(16), token: 'AQID' },
  ...{ issued: 'then', expires: 'later', revoked: false },
};
export const LEDGER: LedgerView = {
  balances: [{ account: 'payable:12D3KooWy', amount: -5, unit: 'cent' }],
  entries: [{ id: 'purchase-1', at: 'then', memo: 'a token', postings: [] }],
  pending: [{ to: '12D3KooWy', amount: 5, unit: 'cent', offer: CARD.id, at: 'then' }],
};

/** Handlers that answer with fixed values and note what they were given. */
export function offerHandlers(seen: unknown[] = []): OfferHandlers {
  const noting =
    <T>(answer: T) =>
    async (...given: readonly unknown[]) => {
      seen.push(given);
      return answer;
    };
  return {
    ...{ offer: noting(CARD), buy: noting(TOKEN), grant: noting(TOKEN), take: noting(TOKEN) },
    ...{ tokens: noting([TOKEN]), revoke: noting({ serials: ['ab'] }) },
    ...{ ledger: noting(LEDGER), acquit: noting(LEDGER) },
  };
}
