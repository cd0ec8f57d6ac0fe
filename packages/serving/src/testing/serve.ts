import type { Log } from '@starling/core';
import { millis } from '@starling/core';
import { type ModelSource, type ModelVersion, NO_OBSERVER } from '../engine.ts';
import type { ServeOptions } from '../served-model.ts';
import { Serving, type ServingParts } from '../serving.ts';
import { FakeEngine } from './fake-engine.ts';

const log: Log = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };

export const OPTIONS: ServeOptions = {
  ...{ maxBatch: 4, maxDelayMs: 0, queue: 8, device: 'cpu', swarm: false, quota: null },
};

/** A source whose versions the test says. */
export class FakeSource implements ModelSource {
  #changed: () => void = () => {};
  version: string | undefined;

  constructor(version?: string) {
    this.version = version;
  }

  async newest(): Promise<ModelVersion | undefined> {
    const { version } = this;
    if (version === undefined) return undefined;
    return { version, identity: version, bytes: () => Uint8Array.of(Number(version)) };
  }

  watch(changed: () => void): () => void {
    this.#changed = changed;
    return () => {
      this.#changed = () => {};
    };
  }

  /** There is a newer one. */
  tell(version: string): void {
    this.version = version;
    this.#changed();
  }
}

/** Serving with engines that add their version's number. */
export function fakeServing(parts: Partial<ServingParts> = {}) {
  const engines: FakeEngine[] = [];
  const serving = new Serving({
    clock: { now: () => millis(performance.now()), setTimer: () => () => {} },
    ...{ log, observer: NO_OBSERVER },
    open: async ([version]) => {
      const engine = new FakeEngine({ plus: version! });
      engines.push(engine);
      return engine;
    },
    ...parts,
  });
  return { serving, engines };
}

/** The same with a model `m` in version 1. */
export async function servingOne(options: Partial<ServeOptions> = {}, parts = {}) {
  const made = fakeServing(parts);
  const source = new FakeSource('1');
  const model = made.serving.add('m', source, { ...OPTIONS, ...options });
  await model.refresh();
  return { ...made, source, model };
}
