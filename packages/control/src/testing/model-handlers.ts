import type { CardView, ModelHandlers } from '../index.ts';

const HASH = 'cd'.repeat(32);

export const CARD: CardView = {
  ...{ id: HASH, publisher: '12D3KooWx', name: 'digits', version: 1, task: 't', summary: 'größe' },
  ...{ tags: ['a'], data: 'one\ntwo', licence: 'MIT', access: 'open', proof: null },
  inputs: [{ name: 'x', type: 'float32', shape: [0, 784] }],
  outputs: [{ name: 'y', type: 'float32', shape: [0, 10] }],
  model: { hash: HASH, bytes: 9 },
  blob: { hash: HASH, bytes: 9 },
  ...{ lineage: null, recipe: null, parents: [], privacy: null, swarm: null },
  metrics: [{ name: 'accuracy', value: 0.5, on: 'all', certified: 3 }],
  published: '2023-11-14T22:13:20.000Z',
  deprecated: { reason: 'old', successor: HASH, at: '2023-11-14T22:13:20.000Z' },
  vouches: [{ signer: '12D3KooWy', what: 'held', metric: null, note: '', at: 'then' }],
  offer: { amount: 5, unit: 'cent', licence: 'MIT', seconds: 60, until: 'then', note: '' },
};

/** Handlers that answer with fixed values and note what they were given. */
export const modelHandlers = (seen: unknown[] = []): ModelHandlers => ({
  publish: async (wanted) => {
    seen.push(wanted);
    return CARD;
  },
  search: async (wanted) => {
    seen.push(wanted);
    const reasons = [{ word: 'digits', field: 'name', points: 8 }];
    const found = { card: CARD, score: 8, reasons, superseded: false, namedBy: ['12D3KooWy'] };
    return { models: [found], asked: [{ peer: '12D3KooWy', found: 1, error: null }] };
  },
  show: async (id) => {
    seen.push(id);
    return CARD;
  },
  fetch: async (id) => {
    seen.push(id);
    return { card: CARD, signed: 'AAAA', model: 'AQID', proof: null, parents: [] };
  },
  vouch: async (id, wanted) => {
    seen.push([id, wanted]);
    return CARD;
  },
  deprecate: async (id, wanted) => {
    seen.push([id, wanted]);
    return CARD;
  },
});
