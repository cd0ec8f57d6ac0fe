import { Counter, Histogram, type Registry } from 'prom-client';
import { bounded, OTHER } from './reasons.ts';

/** From a run of a small model to one that is at its limit. */
const SECONDS = [0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 5, 30];
const ROWS = [1, 2, 4, 8, 16, 32, 64, 128, 256, 1024, 4096];
const ANSWERED = 'answered';
export const SERVING_OUTCOMES = [
  ...([ANSWERED, 'bad-request', 'unknown-model', 'quota', 'queue-full'] as const),
  ...(['not-ready', 'crashed', 'failed'] as const),
] as const;

/** What models that are served tell. Their names are the owner's own, and few. */
export class ServingMetrics {
  readonly #requests;
  readonly #seconds;
  readonly #rows;
  readonly #swaps;

  constructor(registry: Registry) {
    const registers = [registry];
    this.#requests = new Counter({
      name: 'starling_serving_requests_total',
      help: 'Requests to served models, by outcome.',
      ...{ labelNames: ['model', 'outcome'], registers },
    });
    this.#seconds = new Histogram({
      name: 'starling_serving_request_duration_seconds',
      help: 'How long requests took that were answered, waiting included.',
      ...{ labelNames: ['model'], buckets: SECONDS, registers },
    });
    this.#rows = new Histogram({
      name: 'starling_serving_batch_rows',
      help: 'Rows of one run of a served model.',
      ...{ labelNames: ['model'], buckets: ROWS, registers },
    });
    this.#swaps = new Counter({
      name: 'starling_serving_swaps_total',
      help: 'Changes of served models to a newer version.',
      ...{ labelNames: ['model'], registers },
    });
  }

  answered(model: string, seconds: number): void {
    this.#requests.inc({ model, outcome: ANSWERED });
    this.#seconds.observe({ model }, seconds);
  }

  failed(model: string, kind: string): void {
    this.#requests.inc({ model, outcome: bounded(kind, [...SERVING_OUTCOMES, OTHER]) });
  }

  batch(model: string, rows: number): void {
    this.#rows.observe({ model }, rows);
  }

  swapped(model: string): void {
    this.#swaps.inc({ model });
  }

  /** Forgets the series of a model that is served no longer. */
  gone(model: string): void {
    for (const outcome of [...SERVING_OUTCOMES, OTHER]) this.#requests.remove({ model, outcome });
    this.#seconds.remove({ model });
    this.#rows.remove({ model });
    this.#swaps.remove({ model });
  }
}
