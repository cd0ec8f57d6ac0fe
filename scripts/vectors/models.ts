/** The vectors of protocols/models. */
import { type BlobHash, type Codec, encodeCanonical, type JobId, toHex } from '@starling/core';
import { hashHex, signingKeyFromSeed } from '@starling/crypto';
import {
  type Card,
  cardCodec,
  cardMetricCodec,
  metricCodec,
  modelsAnswerCodec,
  modelsGossipCodec,
  modelsRequestCodec,
  queryCodec,
  type StatementBody,
  signCard,
  signedCardCodec,
  signedStatementCodec,
  signStatement,
  statementBodyCodec,
  statementsDigest,
  wordCodec,
} from '@starling/protocol-models';
import {
  type BadVector,
  badWire,
  encodingFaults,
  type GoodVector,
  good,
  ramp,
  toJson,
} from './shared.ts';

const [publisher, other] = [1, 2].map((first) => signingKeyFromSeed(ramp(32, first))) as [
  ReturnType<typeof signingKeyFromSeed>,
  ReturnType<typeof signingKeyFromSeed>,
];
const hash = <H extends string>(name: string) => hashHex(new TextEncoder().encode(name)) as H;
const sized = (name: string, bytes: number) => ({ hash: hash<BlobHash>(name), bytes });

const trained: Card = {
  name: 'digits',
  version: 1,
  task: 'image-classification',
  summary: 'Handwritten digits, trained by five hospitals',
  tags: ['digits', 'mlp'],
  inputs: [{ name: 'x', type: 'float32', shape: [0, 784] }],
  outputs: [{ name: 'logits', type: 'float32', shape: [0, 10] }],
  model: sized('model', 796_840),
  blob: sized('model', 796_840),
  access: 'open',
  proof: sized('proof', 12_345),
  lineage: {
    job: hash<JobId>('job'),
    launcher: other.peerId,
    round: 10,
    certificate: hash('certificate'),
    state: hash<BlobHash>('state'),
  },
  recipe: null,
  parents: [],
  data: 'MNIST,\nsplit among five peers',
  metrics: [
    { name: 'accuracy', value: 0.97, on: 'validation splits, before round 10', certified: 10 },
    { name: 'accuracy', value: 0.9655, on: 'the 10,000 test images', certified: null },
  ],
  privacy: { mechanism: 'distributed-gaussian', epsilon: 4, delta: 0.00001 },
  licence: 'Apache-2.0',
  published: 1_700_000_000,
  swarm: hash('swarm'),
};
const parent = signCard(trained, publisher);
const second = signCard({ ...trained, version: 2 }, publisher);
/** A card that claims nothing but its bytes. */
const plain: Card = {
  ...trained,
  ...{ name: 'digits.mean', task: '', summary: '', tags: [], metrics: [], data: '' },
  ...{ proof: null, lineage: null, privacy: null, licence: '', swarm: null },
};
const averaged: Card = {
  ...plain,
  parents: [parent.id, second.id],
  recipe: {
    kind: 'average',
    parts: [
      { card: parent.id, weight: 1 },
      { card: second.id, weight: 0.5 },
    ],
  },
};
const both: Card = { ...averaged, lineage: trained.lineage, proof: trained.proof };
const restricted: Card = { ...plain, blob: sized('ciphertext', 796_880), access: 'restricted' };

const said = (word: StatementBody['word'], count = 1): StatementBody => ({
  ...{ card: parent.id, count, at: 1_700_000_500, word },
});
const held = said({ kind: 'vouch', what: 'held', metric: null, note: '' });
const evaluated = said(
  {
    kind: 'vouch',
    what: 'evaluated',
    metric: { name: 'accuracy', value: 0.961, on: 'our own scans' },
    note: 'two runs',
  },
  2,
);
const withdrawn = said({ kind: 'vouch', what: 'withdrawn', metric: null, note: '' }, 3);
const deprecated = said({ kind: 'deprecate', reason: 'labels were wrong', successor: second.id });
const alone = said({ kind: 'deprecate', reason: '', successor: null });
const words = [signStatement(held, other), signStatement(deprecated, publisher)];

const search = {
  kind: 'search',
  ...{ text: 'digits mlp', tags: ['digits'], task: 'image-classification' },
  ...{ input: [0, 784], limit: 20 },
} as const;
const marks = [{ id: parent.id, digest: statementsDigest(words) }];

export const modelsGood = (): readonly GoodVector[] => [
  good('trained', 'card', cardCodec, trained),
  good('plain', 'card', cardCodec, plain),
  good('averaged', 'card', cardCodec, averaged),
  good('restricted', 'card', cardCodec, restricted),
  good('held', 'word', wordCodec, held.word),
  good('deprecated', 'word', wordCodec, deprecated.word),
  good('held', 'statement', statementBodyCodec, held),
  good('evaluated', 'statement', statementBodyCodec, evaluated),
  good('withdrawn', 'statement', statementBodyCodec, withdrawn),
  good('deprecated for another', 'statement', statementBodyCodec, deprecated),
  good('deprecated', 'statement', statementBodyCodec, alone),
  good('measured', 'metric', metricCodec, { name: 'loss', value: 0.25, on: 'ten examples' }),
  good('certified', 'card-metric', cardMetricCodec, trained.metrics[0]!),
  good('shape', 'query', queryCodec, {
    ...{ text: '', tags: [], task: null, input: [1, 28, 28], limit: 5 },
  }),
  good('search', 'request', modelsRequestCodec, search),
  good('search for anything', 'request', modelsRequestCodec, {
    kind: 'search',
    ...{ text: '', tags: [], task: null, input: null, limit: 64 },
  }),
  good('newest', 'request', modelsRequestCodec, { kind: 'newest', limit: 1024 }),
  good('cards', 'request', modelsRequestCodec, { kind: 'cards', ids: [parent.id, second.id] }),
  good('statements', 'request', modelsRequestCodec, { kind: 'statements', ids: [parent.id] }),
  good('found', 'answer', modelsAnswerCodec, { kind: 'found', marks }),
  good('newest', 'answer', modelsAnswerCodec, { kind: 'newest', marks }),
  good('cards', 'answer', modelsAnswerCodec, { kind: 'cards', cards: [parent.bytes] }),
  good('statements', 'answer', modelsAnswerCodec, {
    kind: 'statements',
    statements: words.map(({ bytes }) => bytes),
  }),
  good('refused', 'answer', modelsAnswerCodec, { kind: 'refused', reason: 'not a member' }),
  good('card', 'gossip', modelsGossipCodec, { kind: 'card', card: parent.bytes }),
  good('statement', 'gossip', modelsGossipCodec, { kind: 'statement', statement: words[0]!.bytes }),
  good('signed card', 'signed-card', signedCardCodec, {
    ...{ card: encodeCanonical(cardCodec, plain), publisher: publisher.peerId },
    signature: ramp(64),
  }),
  good('signed statement', 'signed-statement', signedStatementCodec, {
    ...{ body: encodeCanonical(statementBodyCodec, held), signer: other.peerId },
    signature: ramp(64),
  }),
];

/** Positions of a card's fields on the wire. */
const FIELD = Object.fromEntries(Object.keys(trained).map((key, i) => [key, i])) as Record<
  keyof Card,
  number
>;

/** The wire form of a value with one of its parts exchanged, at a path of positions. */
function changed<T>(codec: Codec<T>, value: T, path: readonly number[], part: unknown): never {
  const wire = structuredClone(codec.write(value)) as unknown[];
  let at = wire;
  for (const index of path.slice(0, -1)) at = at[index] as unknown[];
  at[path.at(-1)!] = part;
  return wire as never;
}

type Change = readonly [name: string, path: readonly number[], part: unknown];

const badCards = (of: Card, changes: readonly Change[]): readonly BadVector[] =>
  changes.map(([name, path, part]) =>
    badWire(name, 'card', cardCodec, changed(cardCodec, of, path, part)),
  );

export function modelsBad(): readonly BadVector[] {
  const { lineage, metrics, name, parents, privacy, proof, recipe, summary, tags } = FIELD;
  const many = (count: number) => Array.from({ length: count }, (_, i) => ramp(32, i));
  const statement = (label: string, path: readonly number[], part: unknown): BadVector => {
    const wire = changed(statementBodyCodec, evaluated, path, part);
    return badWire(label, 'statement', statementBodyCodec, wire);
  };
  return [
    ...encodingFaults('request', modelsRequestCodec, search),
    ...badCards(trained, [
      ['a name with a capital letter', [name], 'Digits'],
      ['a name with a space', [name], 'the digits'],
      ['a name that begins with a hyphen', [name], '-digits'],
      ['no name', [name], ''],
      ['a name of 65 letters', [name], 'x'.repeat(65)],
      ['version nought', [FIELD.version], 0],
      ['an escape sequence', [summary], 'good \u001b[2J model'],
      ['a line break in the summary', [summary], 'good\nmodel'],
      ['text that turns round', [summary], 'good \u202eledom'],
      ['a summary of 513 characters', [summary], 'x'.repeat(513)],
      ['seventeen tags', [tags], Array.from({ length: 17 }, (_, i) => `t${i}`)],
      ['a tag twice', [tags], ['mlp', 'mlp']],
      ['an unknown element type', [FIELD.inputs, 0, 1], 8],
      ['a shape of nine dimensions', [FIELD.inputs, 0, 2], Array(9).fill(1)],
      ['an open blob that is not the model', [FIELD.blob, 0], ramp(32)],
      ['an open blob of another size', [FIELD.blob, 1], 1],
      ['a third access', [FIELD.access], 2],
      ['a proof without a lineage', [lineage], null],
      ['a lineage without a proof', [proof], null],
      ['a lineage of round nought', [lineage, 2], 0],
      ['a parent twice', [parents], [ramp(32), ramp(32)]],
      ['seventeen parents', [parents], many(17)],
      ['a metric that is no number', [metrics, 0, 1], Number.NaN],
      ['a metric whose name is a sentence', [metrics, 0, 0], 'how good'],
      ['seventeen metrics', [metrics], Array(17).fill(cardCodec.write(trained))],
      ['an epsilon below nought', [privacy, 1], -1],
      ['a delta of one', [privacy, 2], 1],
      ['a swarm of 31 bytes', [FIELD.swarm], ramp(31)],
      ['a field more', [FIELD.swarm + 1], null],
    ]),
    ...badCards(plain, [['certified without a lineage', [metrics], [['accuracy', 0.5, '', 1]]]]),
    ...badCards(restricted, [['restricted, in clear', [FIELD.access], 0]]),
    ...badCards(averaged, [
      ['a part that is no parent', [recipe, 1, 0, 0, 0], ramp(32)],
      ['a part twice', [recipe, 1, 0], Array(2).fill([many(1)[0], 1])],
      ['an average of one', [recipe, 1, 0], [[many(1)[0], 1]]],
      ['a weight of nought', [recipe, 1, 0, 0, 1], 0],
      ['a second kind of recipe', [recipe, 0], 1],
    ]),
    badWire('a recipe and a lineage', 'card', cardCodec, cardCodec.write(both)),
    statement('a vouch that measures nothing and says so', [3, 1, 1], null),
    statement('a number without an evaluation', [3, 1, 0], 1),
    statement('a fifth kind of vouch', [3, 1, 0], 4),
    statement('a note of 513 characters', [3, 1, 2], 'x'.repeat(513)),
    statement('a fifth kind of statement', [3, 0], 4),
    statement('a count beyond 32 bits', [1], 2 ** 32),
    badWire(
      'its own successor',
      'statement',
      statementBodyCodec,
      changed(statementBodyCodec, deprecated, [0], Buffer.from(second.id, 'hex')),
    ),
    badWire('cards that are not asked for by hash', 'request', modelsRequestCodec, [2, [['ab']]]),
    badWire('sixty-five ids', 'request', modelsRequestCodec, [2, [many(65)]]),
    badWire('a search for a line break', 'request', modelsRequestCodec, [
      0,
      ['a\nb', [], null, null, 1],
    ]),
    badWire('a digest of seven bytes', 'answer', modelsAnswerCodec, [0, [[[ramp(32), ramp(7)]]]]),
    badWire('an empty card', 'gossip', modelsGossipCodec, [0, [ramp(0)]]),
  ];
}

/** What only signatures and hashes show. */
export const modelsIdentities = (): readonly unknown[] => [
  { name: 'signed card', card: toJson(trained), id: parent.id, hex: toHex(parent.bytes) },
  ...[held, deprecated].map((body, i) => ({
    name: `signed ${body.word.kind}`,
    ...{ body: toJson(body), hash: words[i]!.hash, hex: toHex(words[i]!.bytes) },
  })),
  {
    name: 'digest of statements',
    statements: words.map(({ hash: each }) => each),
    digest: toHex(marks[0]!.digest),
  },
];
