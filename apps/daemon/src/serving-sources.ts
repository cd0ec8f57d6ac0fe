import { createHash } from 'node:crypto';
import { type BlobHash, type BlobStore, type JobId, ProtocolError } from '@starling/core';
import { decodeState } from '@starling/federation';
import type { HeldCard } from '@starling/models';
import type { StarlingNode } from '@starling/node';
import type { CardId } from '@starling/protocol-models';
import type { ModelSource, ModelVersion } from '@starling/serving';
import { applyVector } from '@starling/trainer';

/** The global model of a job, as its certificates go. */
export class JobSource implements ModelSource {
  readonly job: JobId;
  readonly #node: Pick<StarlingNode, 'model'>;
  readonly #listeners = new Set<() => void>();

  constructor(node: Pick<StarlingNode, 'model'>, job: JobId) {
    this.#node = node;
    this.job = job;
  }

  /** Its chain is another one. */
  tell(): void {
    for (const listen of this.#listeners) listen();
  }

  async newest(): Promise<ModelVersion | undefined> {
    const found = await this.#node.model(this.job).catch((error: unknown) => {
      // On its way from others, or out of the journal.
      if (error instanceof ProtocolError && error.code === 'not-ready') return undefined;
      throw error;
    });
    if (found === undefined) return undefined;
    const { round, model: vector } = decodeState(found.state);
    // What was launched is nobody's result.
    if (round === 0) return undefined;
    const { training } = found.report.job.manifest;
    return {
      version: String(round),
      identity: createHash('sha256').update(found.state).digest('hex'),
      bytes: () => applyVector(found.model, vector, training),
    };
  }

  watch(changed: () => void): () => void {
    this.#listeners.add(changed);
    return () => this.#listeners.delete(changed);
  }
}

/** A file that its owner handed over; each new one of the name is the next version. */
export class FileSource implements ModelSource {
  readonly #blobs: Pick<BlobStore, 'get'>;
  readonly #listeners = new Set<() => void>();
  #hash: BlobHash;
  #version: number;

  constructor(blobs: Pick<BlobStore, 'get'>, hash: BlobHash, version: number) {
    this.#blobs = blobs;
    this.#hash = hash;
    this.#version = version;
  }

  get hash(): BlobHash {
    return this.#hash;
  }

  get version(): number {
    return this.#version;
  }

  replace(hash: BlobHash, version: number): void {
    this.#hash = hash;
    this.#version = version;
    for (const listen of this.#listeners) listen();
  }

  async newest(): Promise<ModelVersion> {
    const hash = this.#hash;
    const bytes = async () => {
      const held = await this.#blobs.get(hash);
      if (held !== undefined) return held;
      throw new ProtocolError('blob-unavailable', 'its file is no longer in the store');
    };
    return { version: String(this.#version), identity: hash, bytes };
  }

  watch(changed: () => void): () => void {
    this.#listeners.add(changed);
    return () => this.#listeners.delete(changed);
  }
}

/** How a published model is had. */
export interface CardModels {
  /** By its card's id, a beginning of it, or a name. @throws ConfigError */
  named(wanted: string): HeldCard;
  fetch(id: string): Promise<{ readonly model: Uint8Array }>;
  /** The restricted card that a file is the model of. */
  restrictedAs(model: BlobHash): CardId | undefined;
}

/**
 * A published model. It is fetched whenever it is loaded, and not kept in the store in clear: what
 * is there, others get by its hash, and a restricted model's hash stands in its card.
 */
export class CardSource implements ModelSource {
  readonly card: CardId;
  readonly #models: CardModels;

  constructor(models: CardModels, card: CardId) {
    this.#models = models;
    this.card = card;
  }

  async newest(): Promise<ModelVersion> {
    const { card } = this.#models.named(this.card);
    return {
      ...{ version: String(card.version), identity: card.model.hash },
      bytes: async () => (await this.#models.fetch(this.card)).model,
    };
  }

  /** A card is for good. */
  watch(): () => void {
    return () => {};
  }
}
