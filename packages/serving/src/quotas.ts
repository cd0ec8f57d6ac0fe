/** Clients remembered; of more, those that asked longest ago are forgotten, and begin anew. */
const CLIENTS_MAX = 4096;
const MINUTE_MS = 60_000;

interface Bucket {
  readonly tokens: number;
  readonly at: number;
}

/** Requests per minute of each client, as token buckets: a minute's worth may come at once. */
export class Quotas {
  readonly #perMinute: number;
  readonly #now: () => number;
  readonly #buckets = new Map<string, Bucket>();

  /** @param now milliseconds of a monotonic clock */
  constructor(perMinute: number, now: () => number) {
    this.#perMinute = perMinute;
    this.#now = now;
  }

  /** Takes a request from a client's quota; whole seconds until there is one, 0 when it may. */
  waitSeconds(client: string): number {
    const at = this.#now();
    const last = this.#buckets.get(client) ?? { tokens: this.#perMinute, at };
    const earned = ((at - last.at) * this.#perMinute) / MINUTE_MS;
    const tokens = Math.min(this.#perMinute, last.tokens + earned);
    const may = tokens >= 1;
    // The map is in the order of the last request.
    this.#buckets.delete(client);
    this.#buckets.set(client, { tokens: may ? tokens - 1 : tokens, at });
    if (this.#buckets.size > CLIENTS_MAX) {
      this.#buckets.delete(this.#buckets.keys().next().value!);
    }
    if (may) return 0;
    return Math.max(1, Math.ceil(((1 - tokens) * MINUTE_MS) / this.#perMinute / 1000));
  }
}
