import { type Journal, ProtocolError, utf8 } from '@starling/core';
import type { Trainer } from '@starling/rounds';
import type { Prng } from './prng.ts';

/** A model of the simulator: nothing but its number of weights. */
export const fakeModel = (dim: number): Uint8Array => utf8(JSON.stringify({ dim }));

function dimOf(model: Uint8Array): number {
  const { dim } = JSON.parse(new TextDecoder().decode(model)) as { dim: number };
  if (!Number.isInteger(dim) || dim < 1) throw new ProtocolError('model', 'no dimension');
  return dim;
}

/** Trains nothing: every update is a fresh draw of small numbers, as unlike as updates can be. */
export function fakeTrainer(prng: Prng): Trainer {
  const describe = (model: Uint8Array) => {
    const dim = dimOf(model);
    const layout = { parameters: dim, buffers: 0 };
    return { layout, initial: new Float32Array(dim), warnings: [] };
  };
  return {
    describe: async (model) => describe(model),
    prepare: async ({ model, clippingNorm, exampleNoise }) => {
      const { layout, initial } = describe(model);
      return {
        ...{ layout, initial },
        exampleCost: exampleNoise && {
          ...{ multiplier: exampleNoise.noiseMultiplier, rate: 0.1, steps: 10 },
        },
        train: async (vector) => {
          const update = new Float32Array(vector.length);
          const scale = clippingNorm / Math.sqrt(vector.length);
          for (let i = 0; i < update.length; i++) update[i] = (prng.unit() * 2 - 1) * scale;
          return { update, norm: 0, trainingLoss: 0, localSteps: 1, examples: 1 };
        },
        evaluate: async () => ({ lossSum: prng.below(100), correct: prng.below(50), examples: 50 }),
        close: async () => {},
      };
    },
  };
}

/** A journal that a dead process can no longer write to: its promises stay open for ever. */
export function mortalJournal(journal: Journal, isAlive: () => boolean): Journal {
  const never = new Promise<never>(() => {});
  return {
    put: (key, value) => (isAlive() ? journal.put(key, value) : never),
    get: (key) => (isAlive() ? journal.get(key) : never),
    entries: (prefix) => journal.entries(prefix),
    deletePrefix: (prefix) => (isAlive() ? journal.deletePrefix(prefix) : never),
  };
}
