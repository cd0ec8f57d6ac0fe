import {
  ConfigError,
  errorMessage,
  type Journal,
  type Log,
  type PeerId,
  ProtocolError,
  type Random,
  type Transport,
  toHex,
} from '@starling/core';
import type { SigningKey } from '@starling/crypto';
import {
  type Acquittal,
  type Money,
  readAcquittal,
  signAcquittal,
} from '@starling/protocol-models';
import { askOffers, DECLINED } from './ask-offers.ts';
import { ACCOUNTS } from './iou-settlement.ts';
import { type Ledger, moved } from './ledger.ts';

export interface AcquittalParts {
  readonly key: SigningKey;
  readonly ledger: Ledger;
  readonly journal: Journal;
  readonly random: Random;
  readonly log: Log;
  /** Seconds since 1970. */
  readonly now: () => number;
  readonly transport: Transport;
}

const UNSENT = 'offers/unsent/';

/** Debts that were paid outside of Starling: the creditor's word, in both peers' books. */
export class Acquittals {
  readonly #parts: AcquittalParts;
  readonly #leave: () => void;
  /** One after another: of two at once each would see the whole debt. */
  #turn: Promise<unknown> = Promise.resolve();

  constructor(parts: AcquittalParts) {
    this.#parts = parts;
    this.#leave = parts.transport.onPeerChange((peer, connected) => {
      if (connected) void this.#sendTo(peer).catch((error: unknown) => this.#failed(peer, error));
    });
  }

  stop(): void {
    this.#leave();
  }

  /**
   * Says that a peer has paid. It is told when it can be reached, now or later.
   * @throws ConfigError when it does not owe so much
   */
  async acquit(from: PeerId, money: Money, note: string): Promise<Acquittal> {
    const acquittal = await this.#inTurn(() => this.#sign(from, money, note));
    await this.#sendTo(from).catch((error: unknown) => this.#failed(from, error));
    return acquittal;
  }

  async #sign(from: PeerId, money: Money, note: string): Promise<Acquittal> {
    const { key, ledger, random, now, journal } = this.#parts;
    const owed = ledger.balance(ACCOUNTS.receivable(from), money.unit);
    if (money.amount > owed) {
      const what = `${from} owes ${owed} ${money.unit} here, not ${money.amount}`;
      throw new ConfigError('amount', what, '`starling ledger` shows who owes what');
    }
    const serial = random.bytes(16);
    const body = { from, to: key.peerId, ...money, serial, at: now(), note };
    const acquittal = signAcquittal(body, key);
    const unsent = `${UNSENT}${from}/${toHex(serial)}`;
    await journal.put(unsent, acquittal.bytes);
    await this.#book(acquittal);
    return acquittal;
  }

  /** In the creditor's own books. */
  async #book(acquittal: Acquittal): Promise<void> {
    const { from, at, note, bytes } = acquittal;
    await this.#parts.ledger.post({
      ...{ id: idOf(acquittal), at, memo: note || 'paid', document: toHex(bytes) },
      postings: moved(acquittal, ACCOUNTS.receivable(from), ACCOUNTS.settled(from)),
    });
  }

  /** A creditor's word that this peer has paid. @throws ProtocolError when it is none */
  take(bytes: Uint8Array, creditor: PeerId): Promise<void> {
    return this.#inTurn(() => this.#take(bytes, creditor));
  }

  async #take(bytes: Uint8Array, creditor: PeerId): Promise<void> {
    const { key, ledger, now } = this.#parts;
    const acquittal = readAcquittal(bytes);
    if (acquittal?.to !== creditor || acquittal.from !== key.peerId) {
      throw new ProtocolError('acquittal', 'the acquittal is not between these two peers');
    }
    const id = idOf(acquittal);
    if (ledger.has(id)) return;
    const { amount, unit, note } = acquittal;
    const owes = -ledger.balance(ACCOUNTS.payable(creditor), unit);
    if (amount > owes) {
      throw new ProtocolError('acquittal', `this peer owes you ${owes} ${unit}, not ${amount}`);
    }
    await ledger.post({
      ...{ id, at: now(), memo: note || 'paid', document: toHex(bytes) },
      postings: moved(acquittal, ACCOUNTS.settled(creditor), ACCOUNTS.payable(creditor)),
    });
  }

  async #sendTo(peer: PeerId): Promise<void> {
    const { journal, transport } = this.#parts;
    for await (const [place, acquittal] of journal.entries(`${UNSENT}${peer}/`)) {
      // A crash may have come before it was booked: then it is on disk, and not in the books.
      const read = readAcquittal(acquittal);
      if (read !== undefined) await this.#book(read);
      try {
        await askOffers(transport, peer, { kind: 'acquit', acquittal });
      } catch (error) {
        // What the debtor refuses it will refuse again; what did not arrive goes out later.
        if (!(error instanceof ProtocolError) || error.code !== DECLINED) throw error;
        this.#failed(peer, error);
      }
      await journal.deletePrefix(place);
    }
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const turn = this.#turn.then(work);
    this.#turn = turn.catch(() => {});
    return turn;
  }

  #failed(peer: PeerId, error: unknown): void {
    this.#parts.log.info('an acquittal was not taken', { peer, reason: errorMessage(error) });
  }
}

const idOf = ({ to, serial }: Acquittal): string => `acquittal-${to}-${toHex(serial)}`;
