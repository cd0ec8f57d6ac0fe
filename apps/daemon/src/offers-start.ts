import type { Journal, Log, Transport } from '@starling/core';
import type { SigningKey } from '@starling/crypto';
import type { ModelService } from '@starling/models';
import {
  Acquittals,
  IouSettlement,
  Ledger,
  OfferDesk,
  referenceSettlement,
  settlementBy,
  Vault,
} from '@starling/offers';
import type { OffersConfig } from './offers-config.ts';
import { paymentCheck } from './payment-check.ts';
import { systemRandom } from './ports.ts';

export interface OffersStart {
  readonly config: OffersConfig;
  readonly journal: Journal;
  readonly transport: Transport;
  readonly key: SigningKey;
  readonly log: Log;
  /** There once it is asked for anything. */
  readonly models: () => ModelService;
  readonly undo: (() => Promise<void>)[];
}

/** What the API needs of restricted models. */
export interface RunningOffers {
  readonly desk: OfferDesk;
  readonly ledger: Ledger;
  readonly iou: IouSettlement;
  readonly acquittals: Acquittals;
}

/** Restricted models, and what is paid for them. */
export async function startOffers({
  config,
  models,
  undo,
  ...parts
}: OffersStart): Promise<RunningOffers> {
  const { journal, log } = parts;
  const now = () => Math.floor(Date.now() / 1000);
  const ledger = await Ledger.open(journal);
  const shared = { ...parts, random: systemRandom, now, ledger };
  const iou = new IouSettlement({
    ...shared,
    creditOf: (_, unit) => config.credit[unit] ?? 0,
  });
  const acquittals = new Acquittals(shared);
  undo.push(async () => acquittals.stop());
  const check = config.check && paymentCheck(config.check, log);
  const desk = new OfferDesk({
    ...{ ...shared, acquittals, vault: await Vault.open(journal) },
    settlement: settlementBy(iou, referenceSettlement(check)),
    shelf: {
      card: (id) => models().book.get(id),
      statements: (id) => models().book.get(id)?.statements ?? [],
      say: async (id, word) => {
        const { statements } = await models().say(id, word);
        return statements.find(
          (each) => each.signer === parts.key.peerId && each.word.kind === word.kind,
        )!;
      },
    },
  });
  desk.start();
  return { desk, ledger, iou, acquittals };
}
