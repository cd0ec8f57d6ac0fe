import type { Inspect, InspectionView } from '@starling/control';
import { ConfigError } from '@starling/core';
import { inThread } from './in-thread.ts';

/**
 * Looks at data sets in a thread of its own: reading a table of millions of rows would hold the
 * daemon's loop up, and a blocked loop loses its connections. One at a time.
 */
export class Inspections {
  readonly #entry: URL;
  #isBusy = false;

  /** @param entry the thread's script */
  constructor(entry: URL) {
    this.#entry = entry;
  }

  /** @throws what `inspectData` throws */
  async inspect(wanted: Inspect): Promise<InspectionView> {
    if (this.#isBusy) {
      const hint = 'Wait until it is done, and try again';
      throw new ConfigError('data', 'another data set is looked at already', hint);
    }
    this.#isBusy = true;
    try {
      return await inThread<InspectionView>(this.#entry, wanted);
    } finally {
      this.#isBusy = false;
    }
  }
}
