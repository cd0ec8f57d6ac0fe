/** So many are a slip of the hand; from then on each costs twice the time of the one before. */
const FREE = 5;
const WAIT_MS_MAX = 60_000;
/** After so long without one, an address begins anew. */
const FORGET_MS = 600_000;
/** Addresses remembered; of more, those that tried longest ago are forgotten. */
const ADDRESSES_MAX = 1024;

interface Record {
  readonly count: number;
  readonly lastAt: number;
}

/** How often each address has been wrong of late, and how long it has to wait for it. */
export class WrongTokens {
  readonly #now: () => number;
  readonly #records = new Map<string, Record>();

  /** @param now milliseconds of a monotonic clock */
  constructor(now: () => number) {
    this.#now = now;
  }

  add(address: string): void {
    const key = networkOf(address);
    const count = (this.#current(key)?.count ?? 0) + 1;
    // The map is in the order of the last try.
    this.#records.delete(key);
    this.#records.set(key, { count, lastAt: this.#now() });
    if (this.#records.size > ADDRESSES_MAX) {
      this.#records.delete(this.#records.keys().next().value!);
    }
  }

  /** Whole seconds until the address may try again; 0 when it may. */
  waitSeconds(address: string): number {
    const record = this.#current(networkOf(address));
    if (record === undefined || record.count < FREE) return 0;
    const wait = Math.min(WAIT_MS_MAX, 1000 * 2 ** (record.count - FREE));
    return Math.max(0, Math.ceil((record.lastAt + wait - this.#now()) / 1000));
  }

  #current(key: string): Record | undefined {
    const record = this.#records.get(key);
    return record !== undefined && this.#now() - record.lastAt < FORGET_MS ? record : undefined;
  }
}

/** Whoever has one address of IPv6 has its /64. */
const networkOf = (address: string): string =>
  address.includes(':') ? address.split(':').slice(0, 4).join(':') : address;
