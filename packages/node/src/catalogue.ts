import {
  errorMessage,
  type JobId,
  type Journal,
  type Log,
  ProtocolError,
  utf8,
} from '@starling/core';
import { type Job, readJob } from '@starling/protocol-rounds';

/** What the owner of this machine said about a job. */
export type Decision =
  | { readonly kind: 'approved'; readonly dataset: string | undefined }
  | { readonly kind: 'refused' };

export interface CatalogueEntry {
  readonly manifest: Uint8Array;
  readonly decision: Decision | undefined;
}

/**
 * A job that was kept. One of another version of the protocol stays on disk and is left alone: an
 * update of the program must not keep the daemon from its other jobs.
 */
export function keptJob({ manifest }: CatalogueEntry, log: Log): Job | undefined {
  try {
    const job = readJob(manifest);
    if (job !== undefined) return job;
    log.warn('a job that was kept is signed for another version of the protocol; it is left out');
  } catch (error) {
    if (!(error instanceof ProtocolError)) throw error;
    const reason = errorMessage(error);
    log.warn('a job that was kept is of another version of the protocol; it is left out', {
      reason,
    });
  }
  return undefined;
}

/** Jobs this node knows, on disk: signed manifests and the owner's decisions. */
export class Catalogue {
  readonly #journal: Journal;
  constructor(journal: Journal) {
    this.#journal = journal;
  }

  async add(job: JobId, manifest: Uint8Array): Promise<void> {
    await this.#journal.put(`catalogue/${job}/manifest`, manifest);
  }

  async decide(job: JobId, decision: Decision): Promise<void> {
    await this.#journal.put(`catalogue/${job}/decision`, utf8(JSON.stringify(decision)));
  }

  async all(): Promise<readonly CatalogueEntry[]> {
    const found = new Map<string, { manifest?: Uint8Array; decision?: Decision }>();
    for await (const [key, value] of this.#journal.entries('catalogue/')) {
      const [, job, field] = key.split('/') as [string, string, string];
      const entry = found.get(job) ?? {};
      if (field === 'manifest') entry.manifest = value;
      else entry.decision = JSON.parse(new TextDecoder().decode(value)) as Decision;
      found.set(job, entry);
    }
    return [...found.values()].flatMap(({ manifest, decision }) =>
      manifest === undefined ? [] : [{ manifest, decision }],
    );
  }
}
