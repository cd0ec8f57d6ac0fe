import { type Codec, fromHex, LIMITS, packWire, toHex } from '@starling/core';
import {
  agreementKeyFromSeed,
  combineShares,
  deriveSecret,
  keystream,
  Secret,
  splitSecret,
} from '@starling/crypto';
import { describe, expect, test } from 'vitest';
import {
  type GoodVector,
  vectorsBeside,
  walkBad,
  walkGood,
} from '../../../test/helpers/vectors.ts';
import {
  chunkHeaderCodec,
  decisionValueCodec,
  decodeMessage,
  encodeMessage,
  helloCodec,
  messageCodec,
  openRequestCodec,
  sealedSharesCodec,
  slotOf,
} from './index.ts';

const CODECS: Readonly<Record<string, Codec<unknown>>> = {
  message: messageCodec as Codec<unknown>,
  hello: helloCodec as Codec<unknown>,
  'sealed-shares': sealedSharesCodec as Codec<unknown>,
  'decision-value': decisionValueCodec as Codec<unknown>,
  'chunk-header': chunkHeaderCodec as Codec<unknown>,
  'open-request': openRequestCodec as Codec<unknown>,
};

const vectors = { beside: import.meta.url, codecs: CODECS, bytesMax: LIMITS.controlBytesMax };
const { files, read } = vectorsBeside(import.meta.url);

test('every file of vectors is walked', () => {
  // Derivations belong to the session: packages/secagg/src/known-answers.test.ts walks them.
  const walked = ['good.json', 'bad.json', 'known-answers.json', 'derivations.json'];
  expect(files).toEqual(walked.sort());
});

describe('good vectors', () => walkGood(vectors));
describe('bad vectors [S-1]', () => walkBad(vectors));

test('there is a good vector for every kind of message', () => {
  const kinds = read<GoodVector>('good.json').flatMap(({ type, value }) =>
    type === 'message' ? [(value as { kind: string }).kind] : [],
  );
  expect(new Set(kinds).size).toBe(16);
});

describe('known answers', () => {
  type Answer = Readonly<Record<string, never>>;
  const answer = (wanted: string): Answer =>
    read<Answer>('known-answers.json').find(({ name }) => name === wanted)!;

  test('keystream', () => {
    const { seed, first64, at100000, words } = answer('keystream');
    const secret = new Secret(fromHex(seed!));
    const stream = keystream(secret, 0, 64);
    expect(toHex(stream)).toBe(first64);
    expect(toHex(keystream(secret, 100_000, 16))).toBe(at100000);
    const view = new DataView(stream.buffer, stream.byteOffset);
    expect([...Array(8).keys()].map((j) => view.getUint32(4 * j, true))).toEqual(words);
  });

  test('shares', () => {
    const { secret, threshold, coefficients, shares, combined } = answer('shamir');
    const plan = { threshold: threshold!, count: 5 };
    const dealt = splitSecret(fromHex(secret!), plan, fromHex(coefficients!));
    expect(dealt.map(toHex)).toEqual(shares);
    const points = [1, 3, 4].map((i) => ({ x: i + 1, share: dealt[i]! }));
    expect(toHex(combineShares(points, 3))).toBe(combined);
    expect(combined).toBe(secret);
  });

  test('agreement', () => {
    const { seeds, publicKeys, info, derived } = answer('agreement') as unknown as {
      readonly [key in 'seeds' | 'publicKeys']: readonly string[];
    } & { readonly [key in 'info' | 'derived']: string };
    const pairs = seeds.map((seed) => agreementKeyFromSeed(fromHex(seed)));
    expect(pairs.map(({ publicKey }) => toHex(publicKey))).toEqual(publicKeys);
    for (const [mine, theirs] of [pairs, [...pairs].reverse()] as const) {
      const shared = mine!.agree(theirs!.publicKey)!;
      expect(toHex(deriveSecret(shared, fromHex(info)).reveal())).toBe(derived);
    }
  });
});

describe('limits', () => {
  const hash = new Uint8Array(32);

  test('a message above 64 KiB is refused before it is looked at', () => {
    expect(() => decodeMessage(packWire(new Uint8Array(64 * 1024)))).toThrow('at most 65536');
  });

  test('more chunks than a vector may have', () => {
    const sums = Array.from({ length: 1_025 }, () => [0, hash]);
    expect(() => decodeMessage(packWire([6, [0, sums]]))).toThrow('at most 1024 items');
  });

  test('the largest honest messages fit a control message and an envelope around it', () => {
    const entry = {
      sealed: new Uint8Array(85),
      selfMaskCommitment: hash,
      maskKeyCommitment: hash,
      edgeCommitment: hash,
    };
    const sums = Array.from({ length: 1_024 }, (_, chunk) => ({ chunk, hash }));
    const largest = [
      encodeMessage({
        kind: 'keyshare',
        selfMaskCommitment: hash,
        dealt: new Array<typeof entry>(LIMITS.holdersMax).fill(entry),
      }),
      encodeMessage({ kind: 'sums', revision: 0, sums }),
      encodeMessage({ kind: 'tags', tags: sums.map(() => hash) }),
      encodeMessage({
        kind: 'audit',
        revision: 0,
        items: sums.map(({ chunk }) => ({ of: 1_000, chunk, tag: hash })),
      }),
    ];
    for (const encoded of largest) {
      expect(encoded.length).toBeLessThan(LIMITS.controlBytesMax - 1_024);
      expect(decodeMessage(encoded)).toBeDefined();
    }
  });
});

test('slots: one a view, one a revision, else one a sender', () => {
  const vote = { decision: 'survivors', view: 3, value: null } as const;
  expect(slotOf({ kind: 'prevote', ...vote })).toBe('prevote/survivors/3');
  expect(slotOf({ kind: 'shares', revision: 2, items: [] })).toBe('shares/2');
  expect(slotOf({ kind: 'abandon' })).toBe('abandon');
});
