import type { Journal } from '@starling/core';

/** Where a write stands: not on disk yet, or on disk and nothing that follows it done. */
export type JournalStage = 'before' | 'after';

/** A write of one peer's journal, counted from 1 over all runs of its process. */
export interface JournalWrite {
  readonly peer: number;
  readonly count: number;
  readonly stage: JournalStage;
}

export interface JournalWatch {
  readonly isAlive: () => boolean;
  /** The number of the write that begins. */
  readonly nextCount: () => number;
  /** True when the writer dies there: then the caller of `put` waits for ever. */
  readonly onWrite: (count: number, stage: JournalStage) => boolean;
}

/** Calls back around every `put` of a `mortalJournal`. */
export function watchedJournal(journal: Journal, watch: JournalWatch): Journal {
  const { isAlive, nextCount, onWrite } = watch;
  const never = new Promise<never>(() => {});
  return {
    ...journal,
    put: async (key, value) => {
      // What was dead before has written nothing that could be counted.
      if (!isAlive()) return never;
      const count = nextCount();
      if (onWrite(count, 'before')) return never;
      await journal.put(key, value);
      return onWrite(count, 'after') ? never : undefined;
    },
  };
}
