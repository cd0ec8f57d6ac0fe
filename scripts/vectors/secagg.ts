/** The vectors of protocols/secagg. */
import { toHex, type Wire } from '@starling/core';
import {
  agreementKeyFromSeed,
  combineShares,
  deriveSecret,
  keystream,
  Secret,
  splitSecret,
} from '@starling/crypto';
import {
  chunkHeaderCodec,
  decisionValueCodec,
  helloCodec,
  messageCodec,
  openRequestCodec,
  type SecaggMessage,
  sealedSharesCodec,
} from '@starling/protocol-secagg';
import { type BadVector, badWire, encodingFaults, type GoodVector, good, ramp } from './shared.ts';

const dealt = (first: number) => ({
  sealed: ramp(85, first),
  selfMaskCommitment: ramp(32, first + 1),
  maskKeyCommitment: ramp(32, first + 2),
  edgeCommitment: ramp(32, first + 3),
});

const MESSAGES: readonly (readonly [string, SecaggMessage])[] = [
  [
    'bundle of three',
    {
      kind: 'keyshare',
      selfMaskCommitment: ramp(32),
      dealt: [
        { ...dealt(1), sealed: new Uint8Array(0), edgeCommitment: new Uint8Array(32) },
        dealt(16),
        dealt(32),
      ],
    },
  ],
  ['bundle without protection', { kind: 'keyshare', selfMaskCommitment: ramp(32), dealt: [] }],
  ['proposal of V', proposal('mask-set', 0, null)],
  ['proposal of U again in a later view', proposal('survivors', 3, 1)],
  [
    'proposal of ABORT',
    { kind: 'propose', decision: 'survivors', view: 0, validView: null, value: { kind: 'abort' } },
  ],
  ['prevote', { kind: 'prevote', decision: 'mask-set', view: 0, value: ramp(32) }],
  ['prevote nil', { kind: 'prevote', decision: 'survivors', view: 1000, value: null }],
  ['precommit', { kind: 'precommit', decision: 'survivors', view: 200, value: ramp(32) }],
  ['precommit nil', { kind: 'precommit', decision: 'mask-set', view: 0, value: null }],
  ['commit', { kind: 'commit', root: ramp(32) }],
  [
    'receipt',
    {
      kind: 'receipt',
      revision: 15,
      chunks: new Uint8Array([0b101, 1]),
      contributors: new Uint8Array([0b1011]),
    },
  ],
  [
    'sums',
    {
      kind: 'sums',
      revision: 0,
      sums: [0, 300, 1023].map((chunk) => ({ chunk, hash: ramp(32) })),
    },
  ],
  ['unmask, nobody dropped', { kind: 'unmask', selfMask: ramp(32), edges: [] }],
  ['unmask', { kind: 'unmask', selfMask: ramp(32), edges: [{ with: 1023, seed: ramp(32, 1) }] }],
  [
    'shares of both kinds, of two members',
    {
      kind: 'shares',
      revision: 0,
      items: [
        { kind: 'self-mask', of: 1, share: ramp(32) },
        { kind: 'mask-key', of: 2, share: ramp(32, 1) },
      ],
    },
  ],
  ['tags of two chunks', { kind: 'tags', tags: [ramp(32), ramp(32, 9)] }],
  ['audit', { kind: 'audit', revision: 1, items: [{ of: 2, chunk: 1023, tag: ramp(32) }] }],
  [
    'complaint',
    {
      kind: 'complaint',
      revision: 0,
      dealers: new Uint8Array([0b10]),
      owners: new Uint8Array([0]),
    },
  ],
  ['abandon', { kind: 'abandon' }],
  ['nominate', { kind: 'nominate', members: new Uint8Array([0b1101]), digest: ramp(32) }],
  ['opened', { kind: 'opened', members: new Uint8Array([0b1101]), digest: ramp(32, 1) }],
  [
    'plain sums of two chunks',
    {
      kind: 'plain-sums',
      revision: 15,
      sums: [0, 1023].map((chunk) => ({ chunk, hash: ramp(32) })),
    },
  ],
  [
    'propose three cells, one left out',
    {
      kind: 'propose',
      decision: 'assembly',
      view: 0,
      validView: null,
      value: {
        kind: 'cells',
        cells: [
          { members: new Uint8Array([0b111]), digest: ramp(32) },
          null,
          { members: new Uint8Array([0b1011]), digest: ramp(32, 1) },
        ],
      },
    },
  ],
];

function proposal(
  decision: 'mask-set' | 'survivors',
  view: number,
  validView: number | null,
): SecaggMessage {
  const bound = [1, 2, 3, 4].map((from) => ramp(16, from));
  const value = { kind: 'set', members: new Uint8Array([0b111, 1]), bound } as const;
  return { kind: 'propose', decision, view, validView, value };
}

export const secaggGood = (): readonly GoodVector[] => [
  ...MESSAGES.map(([name, message]) => good(name, 'message', messageCodec, message)),
  good('hello', 'hello', helloCodec, { encryptionKey: ramp(32), maskKey: ramp(32, 32) }),
  good('sealed shares', 'sealed-shares', sealedSharesCodec, {
    selfMask: ramp(32),
    maskKey: ramp(32, 32),
  }),
  good('abort', 'decision-value', decisionValueCodec, { kind: 'abort' }),
  good('set', 'decision-value', decisionValueCodec, {
    kind: 'set',
    members: new Uint8Array([0b11]),
    bound: [ramp(16), ramp(16, 1)],
  }),
  good('request to open a chunk', 'open-request', openRequestCodec, {
    roundId: ramp(32),
    attempt: 3,
    chunk: 1023,
    of: 1023,
  }),
  good('chunk header', 'chunk-header', chunkHeaderCodec, {
    roundId: ramp(32),
    attempt: 70_000,
    chunk: 5,
    proof: [ramp(32, 1), ramp(32, 2)],
  }),
  good('only chunk', 'chunk-header', chunkHeaderCodec, {
    roundId: ramp(32),
    attempt: 0,
    chunk: 0,
    proof: [],
  }),
];

export function secaggBad(): readonly BadVector[] {
  const commit: SecaggMessage = { kind: 'commit', root: ramp(32) };
  const message = (name: string, wire: Wire) => badWire(name, 'message', messageCodec, wire);
  const h = ramp(32);
  const many = <T extends Wire>(count: number, item: T): Wire =>
    Array.from({ length: count }, () => item);
  return [
    ...encodingFaults('message', messageCodec, commit),
    message('keyshare for 255 holders', [0, [h, many(255, [new Uint8Array(0), h, h, h])]]),
    message('keyshare with 129 sealed bytes', [0, [h, [[ramp(129), h, h, h]]]]),
    message('keyshare without an edge commitment', [0, [h, [[ramp(85), h, h]]]]),
    message('propose for a fifth decision', [1, [4, 0, null, [1, []]]]),
    message('propose in view 1001', [1, [0, 1001, null, [1, []]]]),
    message('propose of a fourth kind of value', [1, [0, 0, null, [3, []]]]),
    message('propose of 257 cells', [1, [2, 0, null, [2, [many(257, null)]]]]),
    message('propose of a cell without a digest', [1, [2, 0, null, [2, [[[ramp(1)]]]]]]),
    message('nominate with a digest of 31 bytes', [13, [ramp(1), ramp(31)]]),
    message('opened without members', [14, [new Uint8Array(0), h]]),
    message('propose of an empty bitmap', [1, [0, 0, null, [0, [new Uint8Array(0), []]]]]),
    message('propose of a bitmap of 129 bytes', [1, [0, 0, null, [0, [ramp(129), []]]]]),
    message('propose bound by 15 bytes', [1, [0, 0, null, [0, [ramp(1), [ramp(15)]]]]]),
    message('propose of a set that is not bound', [1, [0, 0, null, [0, [ramp(1)]]]]),
    message('propose of ABORT with a reason', [1, [0, 0, null, [1, ['late']]]]),
    message('prevote for a hash of 31 bytes', [2, [0, 0, ramp(31)]]),
    message('prevote for false instead of nil', [2, [0, 0, false]]),
    message('precommit without a value', [3, [0, 0]]),
    message('commit of text', [4, ['a'.repeat(32)]]),
    message('receipt of revision 16', [5, [16, ramp(1), ramp(1)]]),
    message('receipt of a bitmap of 129 bytes', [5, [0, ramp(1), ramp(129)]]),
    message('receipt without chunks', [5, [0, new Uint8Array(0), ramp(1)]]),
    message('sums of chunk 1024', [6, [0, [[1024, h]]]]),
    message('unmask with a seed of 31 bytes', [7, [ramp(31), []]]),
    message('unmask with an edge to member 1024', [7, [h, [[1024, h]]]]),
    message('unmask with 255 edges', [7, [h, many(255, [0, h])]]),
    message('a share of both kinds', [8, [0, [[0, [1, h, h]]]]]),
    message('a share of a third kind', [8, [0, [[2, [1, h]]]]]),
    message('a share of both kinds by two tags', [8, [0, [[0, 1, [1, h]]]]]),
    message('a share of 33 bytes', [8, [0, [[0, [1, ramp(33)]]]]]),
    message('shares of revision 16', [8, [16, []]]),
    message('tags of 31 bytes', [9, [[ramp(31)]]]),
    message('1025 tags', [9, [many(1025, h)]]),
    message('audit of member 1024', [10, [0, [[1024, 0, h]]]]),
    message('audit without a tag', [10, [0, [[1, 0]]]]),
    message('complaint without owners', [11, [0, ramp(1)]]),
    message('abandon with a reason', [12, [1]]),
    message('a seventeenth kind', [16, []]),
    badWire('hello with one key', 'hello', helloCodec, [h]),
    badWire('hello with a short key', 'hello', helloCodec, [h, ramp(31)]),
    badWire('shares of 31 bytes', 'sealed-shares', sealedSharesCodec, [h, ramp(31)]),
    badWire('chunk 1024', 'chunk-header', chunkHeaderCodec, [h, 0, 1024, []]),
    badWire('proof of 17 hashes', 'chunk-header', chunkHeaderCodec, [h, 0, 0, many(17, h)]),
    badWire('attempt 2^32', 'chunk-header', chunkHeaderCodec, [h, 2 ** 32, 0, []]),
  ];
}

/** Answers of the primitives as this protocol uses them, in hex. */
export function secaggKnownAnswers(): readonly unknown[] {
  const seed = new Secret(ramp(32));
  const stream = keystream(seed, 0, 64);
  const words = [...new Uint32Array(stream.slice(0, 32).buffer)];
  const coefficients = ramp(64, 100);
  const shares = splitSecret(ramp(32, 1), { threshold: 3, count: 5 }, coefficients);
  const points = [4, 0, 2].map((i) => ({ x: i + 1, share: shares[i]! }));
  const [a, b] = [agreementKeyFromSeed(ramp(32, 3)), agreementKeyFromSeed(ramp(32, 5))];
  const info = ramp(40, 7);
  return [
    {
      name: 'keystream',
      seed: toHex(seed.reveal()),
      first64: toHex(stream),
      at100000: toHex(keystream(seed, 100_000, 16)),
      words,
    },
    {
      name: 'shamir',
      secret: toHex(ramp(32, 1)),
      threshold: 3,
      coefficients: toHex(coefficients),
      shares: shares.map(toHex),
      combined: toHex(combineShares(points, 3)),
    },
    {
      name: 'agreement',
      seeds: [toHex(ramp(32, 3)), toHex(ramp(32, 5))],
      publicKeys: [toHex(a.publicKey), toHex(b.publicKey)],
      info: toHex(info),
      derived: toHex(deriveSecret(a.agree(b.publicKey)!, info).reveal()),
    },
  ];
}
