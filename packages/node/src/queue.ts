/**
 * One bounded queue between everything that happens and the engine. What peers send may be dropped
 * when it is full, because a pull brings it again; what this node itself waits for never is.
 */
export class EventQueue<E> {
  readonly #items: E[] = [];
  readonly #max: number;
  #wake: (() => void) | undefined;
  #closed = false;
  dropped = 0;

  constructor(max: number) {
    this.#max = max;
  }

  get length(): number {
    return this.#items.length;
  }

  /** False when the event was dropped. */
  push(event: E, options: { readonly droppable: boolean }): boolean {
    if (this.#closed) return false;
    if (options.droppable && this.#items.length >= this.#max) {
      this.dropped += 1;
      return false;
    }
    this.#items.push(event);
    this.#wake?.();
    return true;
  }

  /** The next event; undefined when the queue is closed. */
  async next(): Promise<E | undefined> {
    while (this.#items.length === 0 && !this.#closed) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
      this.#wake = undefined;
    }
    return this.#closed ? undefined : this.#items.shift();
  }

  /** The next event if it is there and wanted. */
  takeIf(isWanted: (event: E) => boolean): E | undefined {
    const next = this.#items[0];
    return next !== undefined && !this.#closed && isWanted(next) ? this.#items.shift() : undefined;
  }

  close(): void {
    this.#closed = true;
    this.#wake?.();
  }
}
