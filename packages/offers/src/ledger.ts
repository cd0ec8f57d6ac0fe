import { assert, compareText, type Journal, utf8 } from '@starling/core';
import type { Money } from '@starling/protocol-models';

/** One side of an entry: debits are above 0, credits below. */
export interface Posting extends Money {
  readonly account: string;
}

/** What happened once, in two accounts or more; of each unit the postings add up to nothing. */
export interface Entry {
  /** Names what happened: the same entry is posted once, however often it is tried. */
  readonly id: string;
  /** Seconds since 1970. */
  readonly at: number;
  readonly memo: string;
  readonly postings: readonly Posting[];
  /** The signed note behind it, in hex; absent where there is none. */
  readonly document?: string;
}

const PREFIX = 'offers/ledger/';

/** Money moved from one account to another. */
export const moved = ({ amount, unit }: Money, from: string, to: string): readonly Posting[] => [
  { account: to, amount, unit },
  { account: from, amount: -amount, unit },
];

/**
 * Double-entry bookkeeping in the journal. Entries are added and never changed; an account's
 * balance is the sum of its postings.
 */
export class Ledger {
  readonly #journal: Journal;
  readonly #entries = new Map<string, Entry>();
  readonly #balances = new Map<string, Posting>();

  private constructor(journal: Journal) {
    this.#journal = journal;
  }

  static async open(journal: Journal): Promise<Ledger> {
    const ledger = new Ledger(journal);
    for await (const [, bytes] of journal.entries(PREFIX)) {
      ledger.#take(JSON.parse(new TextDecoder().decode(bytes)) as Entry);
    }
    return ledger;
  }

  /** Durable when it resolves; of no effect for an entry that was posted before. */
  async post(entry: Entry): Promise<void> {
    assertBalanced(entry);
    if (this.has(entry.id)) return;
    await this.#journal.put(`${PREFIX}${entry.id}`, utf8(JSON.stringify(entry)));
    if (!this.has(entry.id)) this.#take(entry);
  }

  has(id: string): boolean {
    return this.#entries.has(id);
  }

  /** 0 for an account that has no postings. */
  balance(account: string, unit: string): number {
    return this.#balances.get(placeOf({ account, unit }))?.amount ?? 0;
  }

  /** Of accounts that are not even, by name. */
  balances(): readonly Posting[] {
    const uneven = [...this.#balances.values()].filter(({ amount }) => amount !== 0);
    return uneven.toSorted((a, b) => compareText(placeOf(a), placeOf(b)));
  }

  /** The oldest first. */
  entries(): readonly Entry[] {
    const all = [...this.#entries.values()];
    return all.toSorted((a, b) => a.at - b.at || compareText(a.id, b.id));
  }

  #take(entry: Entry): void {
    this.#entries.set(entry.id, entry);
    for (const { account, unit, amount } of entry.postings) {
      const sum = this.balance(account, unit) + amount;
      this.#balances.set(placeOf({ account, unit }), { account, unit, amount: sum });
    }
  }
}

const placeOf = ({ account, unit }: Pick<Posting, 'account' | 'unit'>): string =>
  `${account} ${unit}`;

function assertBalanced({ id, postings }: Entry): void {
  const sums = new Map<string, number>();
  for (const { unit, amount } of postings) {
    assert(Number.isSafeInteger(amount), `entry ${id}: ${amount} is no whole number`);
    sums.set(unit, (sums.get(unit) ?? 0) + amount);
  }
  for (const [unit, sum] of sums) assert(sum === 0, `entry ${id}: ${sum} ${unit} come of nothing`);
}
