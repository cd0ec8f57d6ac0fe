import type { BlobHash, PeerId } from '@starling/core';
import { hashHex, type SigningKey, signingKeyFromSeed } from '@starling/crypto';
import {
  Acquittals,
  type CardShelf,
  IouSettlement,
  Ledger,
  OfferDesk,
  type Settlement,
  Vault,
} from '@starling/offers';
import {
  type Card,
  type CardId,
  type CardStatement,
  isNewerStatement,
  type PublishedCard,
  signCard,
  signStatement,
  statementFault,
  statementPlaceOf,
} from '@starling/protocol-models';
import { MemoryJournal } from '@starling/store';
import { MemoryNetwork } from './memory-network.ts';
import { silentLog } from './parts.ts';

/** Cards and statements that everybody sees at once. */
class Shelves {
  readonly cards = new Map<CardId, PublishedCard>();
  readonly statements = new Map<string, CardStatement>();
  #count = 0;

  of(key: SigningKey): CardShelf {
    return {
      card: (id) => this.cards.get(id),
      statements: (id) => [...this.statements.values()].filter(({ card }) => card === id),
      say: async (card, word) => {
        const body = { card, count: ++this.#count, at: 1, word };
        const statement = signStatement(body, key);
        this.take(statement);
        return statement;
      },
    };
  }

  take(statement: CardStatement): void {
    const fault = statementFault(statement, this.cards.get(statement.card)!);
    if (fault !== undefined) throw new Error(fault);
    const place = statementPlaceOf(statement);
    const held = this.statements.get(place);
    if (held === undefined || isNewerStatement(statement, held)) {
      this.statements.set(place, statement);
    }
  }
}

export interface Trader {
  readonly key: SigningKey;
  readonly peer: PeerId;
  readonly desk: OfferDesk;
  readonly ledger: Ledger;
  readonly settlement: Settlement;
  readonly acquittals: Acquittals;
  readonly journal: MemoryJournal;
}

/** Traders in one process, on a clock that tests set. */
export class Market {
  readonly network = new MemoryNetwork();
  readonly shelves = new Shelves();
  /** Seconds since 1970. */
  now = 1_700_000_000;
  credit = 100;
  #serial = 0;

  async trader(
    seed: number,
    {
      journal = new MemoryJournal(),
      settlement,
    }: Partial<Pick<Trader, 'journal' | 'settlement'>> = {},
  ): Promise<Trader> {
    const key = signingKeyFromSeed(new Uint8Array(32).fill(seed));
    const transport = this.network.transport(key.peerId);
    const now = () => this.now;
    const random = {
      bytes: (length: number) => {
        this.#serial += 1;
        return Uint8Array.from({ length }, (_, i) => (seed + i * this.#serial) % 256);
      },
    };
    const ledger = await Ledger.open(journal);
    const shared = { key, random, now, transport, journal, ledger, log: silentLog };
    const iou = new IouSettlement({ ...shared, creditOf: () => this.credit });
    const acquittals = new Acquittals(shared);
    const used = settlement ?? iou;
    const desk = new OfferDesk({
      ...{ ...shared, settlement: used, acquittals },
      ...{ shelf: this.shelves.of(key), vault: await Vault.open(journal) },
    });
    desk.start();
    return { key, peer: key.peerId, desk, ledger, settlement: used, acquittals, journal };
  }

  /** Publishes a restricted model of a trader. */
  async publish({ key, desk }: Trader, model: Uint8Array, name = 'digits') {
    const sealed = desk.seal(model);
    const sized = (bytes: Uint8Array) => {
      return { hash: hashHex(bytes) as BlobHash, bytes: bytes.length };
    };
    const card: Card = {
      ...{ name, version: 1, task: 'digits', summary: '', tags: [], inputs: [], outputs: [] },
      ...{ model: sized(model), blob: sized(sealed.blob), access: 'restricted' },
      ...{ proof: null, lineage: null, recipe: null, parents: [], data: '', metrics: [] },
      ...{ privacy: null, licence: 'MIT', published: this.now, swarm: null },
    };
    const published = signCard(card, key);
    await desk.keepKey(published.id, sealed.key);
    this.shelves.cards.set(published.id, published);
    return { id: published.id, blob: sealed.blob };
  }
}
