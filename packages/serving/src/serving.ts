import { type Clock, ConfigError, type Log } from '@starling/core';
import type { InferenceEngine, ModelSource, ServingObserver } from './engine.ts';
import { ServingError } from './failure.ts';
import {
  type InferAnswer,
  type InferRequest,
  ServedModel,
  type ServedState,
  type ServeOptions,
} from './served-model.ts';

export interface ServingParts {
  readonly clock: Clock;
  readonly log: Log;
  readonly observer: ServingObserver;
  /** Loads a model on a device. */
  readonly open: (model: Uint8Array, device: string) => Promise<InferenceEngine>;
}

/** Each has a process and a series of metrics. */
export const MODELS_MAX = 32;

export interface Served extends ServedState {
  readonly name: string;
  readonly options: ServeOptions;
}

/** All models that are served here. */
export class Serving {
  readonly #parts: ServingParts;
  readonly #models = new Map<string, ServedModel>();

  constructor(parts: ServingParts) {
    this.#parts = parts;
  }

  /**
   * Serves a model from now on; its first version is loaded when `refresh` of it resolves.
   * @throws ConfigError when the name is taken, or there are too many
   */
  add(name: string, source: ModelSource, options: ServeOptions): ServedModel {
    if (this.#models.has(name)) {
      const hint = `Choose another name, or end it: \`starling model unserve ${name}\``;
      throw new ConfigError('model', `a model "${name}" is served already`, hint);
    }
    if (this.#models.size >= MODELS_MAX) {
      const hint = 'End one of them: `starling model served` lists them';
      throw new ConfigError('model', `${MODELS_MAX} models are served already`, hint);
    }
    const model = new ServedModel({ ...this.#parts, name, source, options });
    this.#models.set(name, model);
    return model;
  }

  /** Ends a model once its requests are answered. @throws ConfigError when there is none */
  async remove(name: string): Promise<void> {
    const model = this.#models.get(name);
    if (model === undefined) {
      throw new ConfigError('model', `no model "${name}" is served`, '`starling model served`');
    }
    this.#models.delete(name);
    await model.close();
  }

  model(name: string): ServedModel | undefined {
    return this.#models.get(name);
  }

  list(): readonly Served[] {
    return [...this.#models].map(([name, model]) => ({
      ...model.state(),
      ...{ name, options: model.parts.options },
    }));
  }

  /** Undefined where none of the name is served. */
  find(name: string): Served | undefined {
    const model = this.#models.get(name);
    return model && { ...model.state(), name, options: model.parts.options };
  }

  /** @throws ServingError */
  infer(name: string, request: InferRequest, client: string): Promise<InferAnswer> {
    const model = this.#models.get(name);
    if (model !== undefined) return model.infer(request, client);
    return Promise.reject(new ServingError('unknown-model', `no model "${name}" is served`));
  }

  /** Fails what is not answered yet. */
  async close(): Promise<void> {
    const models = [...this.#models.values()];
    this.#models.clear();
    await Promise.all(models.map((model) => model.abort()));
  }
}
