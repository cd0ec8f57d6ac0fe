import { assert, type Clock, type Millis, millis } from '@starling/core';

/** Something that can run together with others of its key. */
export interface BatchItem {
  readonly rows: number;
  /** Only items of one key run together. */
  readonly key: string;
}

export interface BatcherOptions<T> {
  /** Rows of one batch, at most; an item has no more. */
  readonly rowsMax: number;
  /** How long the first of a batch waits for others while nothing else runs. */
  readonly delayMs: number;
  /** Items that wait, at most. */
  readonly queueMax: number;
  readonly clock: Clock;
  /** Runs a batch; `ended` must be called once when it is over. */
  readonly start: (batch: readonly T[]) => void;
}

/** A full batch is handed over while one runs, so that whoever runs them never waits for us. */
const RUNNING_MAX = 2;

interface Waiting<T> {
  readonly item: T;
  readonly since: Millis;
}

/**
 * Puts what waits together. A batch starts when it is full; or, while none runs, as soon as its
 * first item has waited so long, at once where that is 0. So a lone request waits for nobody, and
 * under load batches grow by themselves, since all that comes during a run goes into the next one.
 */
export class Batcher<T extends BatchItem> {
  readonly #options: BatcherOptions<T>;
  #queue: Waiting<T>[] = [];
  #running = 0;
  #cancelTimer: (() => void) | undefined;

  constructor(options: BatcherOptions<T>) {
    this.#options = options;
  }

  /** Items that wait; those of batches under way not included. */
  get length(): number {
    return this.#queue.length;
  }

  /** False when the queue is full. */
  add(item: T): boolean {
    const { rowsMax, queueMax, clock } = this.#options;
    assert(item.rows >= 1 && item.rows <= rowsMax, `${item.rows} rows of at most ${rowsMax}`);
    if (this.#queue.length >= queueMax) return false;
    this.#queue.push({ item, since: clock.now() });
    this.#pump();
    return true;
  }

  /** A batch is over. */
  ended(): void {
    assert(this.#running > 0, 'no batch runs');
    this.#running -= 1;
    this.#pump();
  }

  #pump(): void {
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
    for (;;) {
      const [first] = this.#queue;
      if (first === undefined || this.#running >= RUNNING_MAX) return;
      const { batch, isFull } = this.#next(first.item.key);
      if (!isFull && this.#running > 0) return;
      const { clock, delayMs, start } = this.#options;
      const left = first.since + delayMs - clock.now();
      if (!isFull && left > 0) {
        this.#cancelTimer = clock.setTimer(millis(left), () => this.#pump());
        return;
      }
      const gone = new Set(batch);
      this.#queue = this.#queue.filter(({ item }) => !gone.has(item));
      this.#running += 1;
      start(batch);
    }
  }

  /** The first items of a key that fit together, in the order in which they came. */
  #next(key: string): { readonly batch: readonly T[]; readonly isFull: boolean } {
    const { rowsMax } = this.#options;
    const batch: T[] = [];
    let rows = 0;
    for (const { item } of this.#queue) {
      if (item.key !== key) continue;
      if (rows + item.rows > rowsMax) return { batch, isFull: true };
      rows += item.rows;
      batch.push(item);
    }
    return { batch, isFull: rows === rowsMax };
  }
}
