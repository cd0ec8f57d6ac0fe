import { Worker } from 'node:worker_threads';
import { errorOf, type Failure, type Inspect, type InspectionView } from '@starling/control';
import { ConfigError, ProtocolError } from '@starling/core';

/** What the thread tells. */
export type Inspected =
  | { readonly ok: true; readonly view: InspectionView }
  | { readonly ok: false; readonly failure: Failure };

/**
 * Looks at data sets in a thread of its own: reading a table of millions of rows would hold the
 * daemon's loop up, and a blocked loop loses its connections. One at a time.
 */
export class Inspections {
  readonly #entry: URL;
  #worker: Worker | undefined;

  /** @param entry the thread's script */
  constructor(entry: URL) {
    this.#entry = entry;
  }

  /** @throws what `inspectData` throws */
  async inspect(wanted: Inspect): Promise<InspectionView> {
    if (this.#worker !== undefined) {
      const hint = 'Wait until it is done, and try again';
      throw new ConfigError('data', 'another data set is looked at already', hint);
    }
    const worker = new Worker(this.#entry, { workerData: wanted });
    this.#worker = worker;
    try {
      const inspected = await answerOf(worker);
      if (inspected.ok) return inspected.view;
      throw errorOf(inspected.failure);
    } finally {
      this.#worker = undefined;
      await worker.terminate();
    }
  }
}

const answerOf = (worker: Worker): Promise<Inspected> =>
  new Promise((resolve, reject) => {
    worker.once('message', resolve);
    worker.once('error', reject);
    worker.once('exit', (code) =>
      reject(new ProtocolError('inspection', `the look at the data ended with code ${code}`)),
    );
    // It must not keep a daemon alive that ends.
    worker.unref();
  });
