import type { CardDraft, CardFiles } from '@starling/models';
import { inThread } from './in-thread.ts';
import type { DraftParts } from './model-draft.ts';

export type ModelTask =
  | { readonly kind: 'draft'; readonly parts: DraftParts }
  | { readonly kind: 'verify'; readonly files: CardFiles };

/**
 * What takes seconds with a large model or a long chain, off the daemon's loop; one task at a time,
 * since each has a copy of the model.
 */
export class ModelThread {
  readonly #entry: URL;
  #last: Promise<unknown> = Promise.resolve();

  /** @param entry the bundled model-worker.ts */
  constructor(entry: URL) {
    this.#entry = entry;
  }

  /** @throws ConfigError that names what is missing or does not fit */
  draft(parts: DraftParts): Promise<CardDraft> {
    return this.#run<CardDraft>({ kind: 'draft', parts });
  }

  /** The first link that does not hold; undefined when all do. */
  fault(files: CardFiles): Promise<string | undefined> {
    return this.#run<string | undefined>({ kind: 'verify', files });
  }

  #run<T>(task: ModelTask): Promise<T> {
    const next = this.#last.then(() => inThread<T>(this.#entry, task));
    this.#last = next.catch(() => {});
    return next;
  }
}
