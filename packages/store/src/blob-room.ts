import { type BlobHash, ConfigError } from '@starling/core';

export interface RoomOptions {
  /** Bytes that blobs and drafts may take together; as much as there is when undefined. */
  readonly bytesMax?: (() => number | undefined) | undefined;
  /** Blobs that stay whatever comes. */
  readonly pinned?: (() => Iterable<BlobHash>) | undefined;
  /** Wall-clock milliseconds, as file times are. */
  readonly now?: (() => number) | undefined;
}

interface Entry {
  readonly bytes: number;
  usedAt: number;
  /** Being written or read in pieces: it stays. */
  isBusy: boolean;
}

export interface RoomStatus {
  readonly bytes: number;
  readonly bytesMax: number | undefined;
  readonly pinnedBytes: number;
  readonly blobs: number;
  /** Blobs that had to go since the store was opened. */
  readonly evicted: number;
}

/** How old the time of last use on disk may be. */
const STALE_MS = 60_000;

/** Keeps account of what blobs take, and says which must go: those not used for longest. */
export class BlobRoom {
  readonly #options: RoomOptions;
  readonly #entries = new Map<BlobHash, Entry>();
  #bytes = 0;
  #evicted = 0;

  constructor(options: RoomOptions = {}) {
    this.#options = options;
  }

  now(): number {
    return (this.#options.now ?? Date.now)();
  }

  /** Notes a blob, or another size of it. */
  set(hash: BlobHash, bytes: number, usedAt: number, isBusy = false): void {
    this.delete(hash);
    this.#entries.set(hash, { bytes, usedAt, isBusy });
    this.#bytes += bytes;
  }

  has(hash: BlobHash): boolean {
    return this.#entries.has(hash);
  }

  delete(hash: BlobHash): void {
    this.#bytes -= this.#entries.get(hash)?.bytes ?? 0;
    this.#entries.delete(hash);
  }

  /** The blob is in use now; whether the time on disk ought to be brought up to date. */
  use(hash: BlobHash): boolean {
    const entry = this.#entries.get(hash);
    if (entry === undefined) return false;
    const now = this.now();
    const isStale = now - entry.usedAt > STALE_MS;
    if (isStale) entry.usedAt = now;
    return isStale;
  }

  /**
   * Takes room for a blob that comes, and names the ones that must go for it.
   * @throws ConfigError 'resources.disk' when all that could go is not enough
   */
  take(hash: BlobHash, bytes: number): readonly BlobHash[] {
    const victims = this.#victims(bytes - (this.#entries.get(hash)?.bytes ?? 0), hash);
    for (const victim of victims) this.delete(victim);
    this.#evicted += victims.length;
    this.set(hash, bytes, this.now(), true);
    return victims;
  }

  /** Blobs that must go since the cap was lowered; as many as may. */
  excess(): readonly BlobHash[] {
    const victims = this.#oldest(this.#over(0));
    for (const victim of victims) this.delete(victim);
    this.#evicted += victims.length;
    return victims;
  }

  status(): RoomStatus {
    const pinned = this.#pinned();
    let pinnedBytes = 0;
    for (const [hash, { bytes }] of this.#entries) if (pinned.has(hash)) pinnedBytes += bytes;
    return {
      bytes: this.#bytes,
      bytesMax: this.#options.bytesMax?.(),
      pinnedBytes,
      blobs: this.#entries.size,
      evicted: this.#evicted,
    };
  }

  #victims(more: number, except: BlobHash): readonly BlobHash[] {
    const over = this.#over(more);
    if (over <= 0) return [];
    const victims = this.#oldest(over, except);
    const freed = victims.reduce((sum, hash) => sum + this.#entries.get(hash)!.bytes, 0);
    if (freed >= over) return victims;
    const most = this.#options.bytesMax?.() ?? 0;
    const held = `${mebibytes(this.#bytes)} of ${mebibytes(most)} are taken`;
    const reason = `no room for ${mebibytes(more)}: ${held}, and too little of it may go`;
    throw new ConfigError('resources.disk', reason, 'Raise it, or refuse a job');
  }

  #over(more: number): number {
    const most = this.#options.bytesMax?.();
    return most === undefined ? 0 : this.#bytes + more - most;
  }

  /** Just enough of those that may go to free `bytes`, the longest unused first. */
  #oldest(bytes: number, except?: BlobHash): readonly BlobHash[] {
    if (bytes <= 0) return [];
    const pinned = this.#pinned();
    const free = [...this.#entries].filter(
      ([hash, { isBusy }]) => !isBusy && hash !== except && !pinned.has(hash),
    );
    free.sort(([, a], [, b]) => a.usedAt - b.usedAt);
    const out: BlobHash[] = [];
    let freed = 0;
    for (const [hash, entry] of free) {
      if (freed >= bytes) break;
      out.push(hash);
      freed += entry.bytes;
    }
    return out;
  }

  #pinned(): ReadonlySet<BlobHash> {
    return new Set(this.#options.pinned?.() ?? []);
  }
}

const mebibytes = (bytes: number): string => `${(bytes / 2 ** 20).toFixed(1)} MiB`;
