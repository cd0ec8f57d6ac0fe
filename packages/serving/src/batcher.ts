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
  /** Rows that wait, by key. */
  readonly #rows = new Map<string, number>();
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
    this.#rows.set(item.key, (this.#rows.get(item.key) ?? 0) + item.rows);
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
      const { clock, delayMs, rowsMax, start } = this.#options;
      const { key } = first.item;
      // Enough rows fill a batch, or one of them does not fit any more.
      const isFull = this.#rows.get(key)! >= rowsMax;
      if (!isFull && this.#running > 0) return;
      const left = first.since + delayMs - clock.now();
      if (!isFull && left > 0) {
        this.#cancelTimer = clock.setTimer(millis(left), () => this.#pump());
        return;
      }
      const batch = this.#take(key);
      this.#running += 1;
      start(batch);
    }
  }

  /** Takes the first items of a key that fit together, in the order in which they came. */
  #take(key: string): readonly T[] {
    const batch: T[] = [];
    const left: Waiting<T>[] = [];
    let rows = 0;
    let isOver = false;
    for (const waiting of this.#queue) {
      const { item } = waiting;
      isOver ||= item.key === key && rows + item.rows > this.#options.rowsMax;
      if (isOver || item.key !== key) {
        left.push(waiting);
        continue;
      }
      rows += item.rows;
      batch.push(item);
    }
    this.#queue = left;
    const after = this.#rows.get(key)! - rows;
    if (after === 0) this.#rows.delete(key);
    else this.#rows.set(key, after);
    return batch;
  }
}
