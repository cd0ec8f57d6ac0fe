import type { LedgerView, OfferHandlers, TokenView } from '@starling/control';
import { ConfigError, type PeerId } from '@starling/core';
import { parsePeerId } from '@starling/crypto';
import type { ModelService } from '@starling/models';
import { type AccessToken, serialOf } from '@starling/protocol-models';
import { cardView } from './model-views.ts';
import type { RunningOffers } from './offers-start.ts';

export interface OfferHandlerParts extends RunningOffers {
  readonly service: ModelService;
}

const isoTime = (seconds: number): string => new Date(1000 * seconds).toISOString();

/** The API of restricted models over the running desk. */
export function offerHandlers({
  service,
  desk,
  ledger,
  iou,
  acquittals,
}: OfferHandlerParts): OfferHandlers {
  const idOf = (wanted: string) => service.named(wanted).id;
  const ledgerView = async (): Promise<LedgerView> => ({
    balances: [...ledger.balances()],
    entries: ledger.entries().map(({ id, at, memo, postings }) => ({
      ...{ id, at: isoTime(at), memo, postings: [...postings] },
    })),
    pending: (await iou.pending()).map(({ to, amount, unit, offer, at }) => ({
      ...{ to, amount, unit, offer, at: isoTime(at) },
    })),
  });
  return {
    offer: async (wanted, terms) => {
      const id = idOf(wanted);
      await desk.offer(id, terms);
      return cardView(service.book.get(id)!);
    },
    buy: async (id, receipt) => tokenView(await desk.buy(idOf(id), receipt)),
    tokens: async (id) => desk.issued(idOf(id)).map((token) => tokenView(token, token.isRevoked)),
    grant: async (id, { holder, seconds }) =>
      tokenView(await desk.grant(idOf(id), peerOf(holder), seconds)),
    revoke: async (id, whose) => ({ serials: [...(await desk.revoke(idOf(id), whose))] }),
    take: async (token) => tokenView(await desk.take(token)),
    ledger: ledgerView,
    acquit: async ({ peer, amount, unit, note }) => {
      await acquittals.acquit(peerOf(peer), { amount, unit }, note);
      return ledgerView();
    },
  };
}

function peerOf(text: string): PeerId {
  const peer = parsePeerId(text);
  if (peer !== undefined) return peer;
  throw new ConfigError('peer', `"${text}" is no peer id`, '`starling peers` and cards show them');
}

const tokenView = (token: AccessToken, revoked = false): TokenView => ({
  ...{ card: token.card, holder: token.holder, serial: serialOf(token) },
  ...{ issued: isoTime(token.issued), expires: isoTime(token.expires), revoked },
  token: Buffer.from(token.bytes).toString('base64'),
});
