import { type Clock, type Millis, millis } from '@starling/core';

interface Due {
  readonly at: number;
  readonly order: number;
  readonly run: () => void;
}

/**
 * Time that moves only from one event to the next. Events at the same moment run in the order in
 * which they were asked for, so a run is a function of its seed.
 */
export class VirtualTime {
  readonly #heap: Due[] = [];
  /** Work that takes no virtual time, and some of the real one. */
  readonly #held = new Set<Promise<unknown>>();
  #now = 0;
  #order = 0;

  get now(): number {
    return this.#now;
  }

  /** Runs `run` after `delay` milliseconds; the answer cancels it. */
  after(delay: number, run: () => void): () => void {
    let cancelled = false;
    const due = {
      at: this.#now + Math.max(0, delay),
      order: this.#order++,
      run: () => {
        if (!cancelled) run();
      },
    };
    push(this.#heap, due);
    return () => {
      cancelled = true;
    };
  }

  /** Runs the next event and everything that follows from it at once; false when there is none. */
  async step(): Promise<boolean> {
    const due = pop(this.#heap);
    if (due === undefined) return false;
    this.#now = due.at;
    due.run();
    for (;;) {
      // All promises that can settle without more events settle before the loop comes round.
      await new Promise((resolve) => setImmediate(resolve));
      if (this.#held.size === 0) return true;
      await Promise.allSettled(this.#held);
    }
  }

  /** Virtual time stands still until `work` has settled; the answer is `work` itself. */
  hold<T>(work: Promise<T>): Promise<T> {
    this.#held.add(work);
    const release = () => void this.#held.delete(work);
    work.then(release, release);
    return work;
  }

  /** A clock for one node; after `isAlive` turns false its timers stay silent. */
  clock(isAlive: () => boolean): Clock {
    return {
      now: (): Millis => millis(this.#now),
      setTimer: (after, fire) =>
        this.after(after, () => {
          if (isAlive()) fire();
        }),
    };
  }
}

const isBefore = (a: Due, b: Due): boolean => a.at < b.at || (a.at === b.at && a.order < b.order);

function push(heap: Due[], due: Due): void {
  let i = heap.push(due) - 1;
  while (i > 0) {
    const parent = (i - 1) >> 1;
    if (!isBefore(heap[i]!, heap[parent]!)) return;
    [heap[i], heap[parent]] = [heap[parent]!, heap[i]!];
    i = parent;
  }
}

function pop(heap: Due[]): Due | undefined {
  const top = heap[0];
  const last = heap.pop();
  if (top === undefined || last === undefined || heap.length === 0) return top;
  heap[0] = last;
  let i = 0;
  for (;;) {
    let least = i;
    for (const child of [2 * i + 1, 2 * i + 2]) {
      if (child < heap.length && isBefore(heap[child]!, heap[least]!)) least = child;
    }
    if (least === i) return top;
    [heap[i], heap[least]] = [heap[least]!, heap[i]!];
    i = least;
  }
}
