import type { InferenceEngine, ModelVersion } from './engine.ts';

/** One version of a model, from its first request to its last. */
export class Slot {
  readonly serial: number;
  readonly version: string;
  readonly identity: string;
  readonly engine: InferenceEngine;
  #users = 0;
  #retired: (() => void) | undefined;

  constructor(
    serial: number,
    of: Pick<ModelVersion, 'version' | 'identity'>,
    engine: InferenceEngine,
  ) {
    this.serial = serial;
    this.version = of.version;
    this.identity = of.identity;
    this.engine = engine;
  }

  /** A request was taken for it. */
  enter(): void {
    this.#users += 1;
  }

  /** A request of it is answered. */
  leave(): void {
    this.#users -= 1;
    if (this.#users === 0) this.#retired?.();
  }

  /** Once no request comes any more: waits for those that it has, and ends its engine. */
  async retire(): Promise<void> {
    if (this.#users > 0) {
      await new Promise<void>((resolve) => {
        this.#retired = resolve;
      });
    }
    await this.engine.close();
  }
}
