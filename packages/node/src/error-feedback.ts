import type { BlobHash, Journal, PeerId } from '@starling/core';
import type { Certificate, Job } from '@starling/protocol-rounds';
import { codecOf, publicSeedOf } from '@starling/rounds';
import type { Compute } from './compute.ts';
import { Residuals } from './residuals.ts';
import type { TrainedRound } from './training.ts';

export interface ErrorFeedbackParts {
  readonly journal: Journal;
  readonly compute: Compute;
  readonly job: Job;
  readonly self: PeerId;
}

/** An update, and what it was trained from and on. */
export interface Offer {
  readonly trained: TrainedRound;
  readonly dataset: string;
  readonly stateHash: BlobHash;
}

/**
 * Error feedback of one job on one peer: what its certified updates left over goes into the next
 * one, and so does an update that came too late for any session (decision 0026).
 */
export class ErrorFeedback {
  readonly #parts: ErrorFeedbackParts;
  readonly #residuals: Residuals;
  /** The newest update, as long as nothing of it was sent. */
  #unsent: Offer | undefined;

  constructor(parts: ErrorFeedbackParts) {
    this.#parts = parts;
    this.#residuals = new Residuals(parts.journal, parts.job.id, parts.self);
  }

  /** What goes into the next update of this data set. */
  leftOver(dataset: string): Promise<Float32Array | undefined> {
    return this.#residuals.load(dataset);
  }

  /** Keeps what a trained update leaves over; on disk before it can be sent. */
  async offer(offer: Offer): Promise<void> {
    const { update, residual } = offer.trained;
    if (residual === undefined) return;
    await this.#residuals.offer(update.id, offer.dataset, residual);
    this.#unsent = offer;
  }

  /** An update whose round was over before it was trained: the next one takes it along. */
  async late(offer: Offer): Promise<void> {
    // A newer update has what is held in it already.
    if (await this.#residuals.isAwaiting()) return;
    await this.#keep(offer, []);
  }

  /** The update is about to be masked: from now on it is never kept as a whole. */
  masked(update: string): void {
    if (this.#unsent?.trained.update.id === update) this.#unsent = undefined;
  }

  /** The owner changed what this peer takes part with: an update of before is not kept. */
  withdraw(): void {
    this.#unsent = undefined;
  }

  /** New certificates are about to be stored. */
  async settle(certificates: readonly Certificate[]): Promise<void> {
    const unsent = this.#unsent;
    this.#unsent = undefined;
    if (unsent === undefined) await this.#residuals.settle(certificates);
    else await this.#keep(unsent, certificates);
  }

  /** No further update will come. */
  clear(): Promise<void> {
    this.#unsent = undefined;
    return this.#residuals.clear();
  }

  /** Of an unsent update all of it is left over. */
  async #keep(offer: Offer, certificates: readonly Certificate[]): Promise<void> {
    const { trained, dataset, stateHash } = offer;
    const { update, words, residual, effort } = trained;
    if (residual === undefined) return;
    const { compute, job } = this.#parts;
    const restored = await compute.run('restore', {
      ...{ words, residual, effort, codec: codecOf(job.manifest) },
      publicSeed: publicSeedOf(job.id, stateHash),
    });
    await this.#residuals.offer(update.id, dataset, restored.residual);
    await this.#residuals.settle(certificates, update.id);
  }
}
