import { readdirSync, readFileSync } from 'node:fs';
import {
  type Codec,
  decodeCanonical,
  encodeCanonical,
  fromHex,
  type RoundId,
  toHex,
} from '@starling/core';
import { signingKeyFromSeed } from '@starling/crypto';
import { describe, expect, test } from 'vitest';
import {
  type Body,
  bodyCodec,
  certificateCodec,
  evidenceCodec,
  gossipCodec,
  manifestCodec,
  openEnvelope,
  readJob,
  SYNC_ANSWER_BYTES_MAX,
  sealEnvelope,
  signedManifestCodec,
  signManifest,
  statementCodec,
  statementHash,
  syncAnswerCodec,
  syncRequestCodec,
  verifyStatement,
} from './index.ts';

const CODECS: Readonly<Record<string, Codec<unknown>>> = {
  manifest: manifestCodec as Codec<unknown>,
  'signed-manifest': signedManifestCodec as Codec<unknown>,
  body: bodyCodec as Codec<unknown>,
  statement: statementCodec as Codec<unknown>,
  certificate: certificateCodec as Codec<unknown>,
  evidence: evidenceCodec as Codec<unknown>,
  gossip: gossipCodec as Codec<unknown>,
  'sync-request': syncRequestCodec as Codec<unknown>,
  'sync-answer': syncAnswerCodec as Codec<unknown>,
};
const RUNNERS = [
  'good.json',
  'bad.json',
  'envelopes.json',
  'bad-envelopes.json',
  'identities.json',
];
const folder = new URL('../vectors/', import.meta.url);
const key = signingKeyFromSeed(Uint8Array.from({ length: 32 }, (_, i) => i));

interface Vector {
  readonly name: string;
  readonly type: string;
  readonly hex: string;
}
const read = <T>(file: string): readonly T[] =>
  JSON.parse(readFileSync(new URL(file, folder), 'utf8')) as T[];

/** `0x…` stands for bytes. */
function revive(value: unknown): unknown {
  if (typeof value === 'string' && value.startsWith('0x')) return fromHex(value.slice(2));
  if (Array.isArray(value)) return value.map(revive);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, item]) => [name, revive(item)]));
}

test('every vector file has a runner here', () => {
  expect(readdirSync(folder).sort()).toEqual([...RUNNERS].sort());
});

test.each(read<Vector & { readonly value: unknown }>('good.json'))(
  'good vector: $type: $name',
  ({ type, value, hex }) => {
    const codec = CODECS[type]!;
    const wanted = revive(value);
    expect(toHex(encodeCanonical(codec, wanted))).toBe(hex);
    expect(decodeCanonical(codec, fromHex(hex), SYNC_ANSWER_BYTES_MAX)).toEqual(wanted);
  },
);

test.each(read<Vector & { readonly why: string }>('bad.json'))(
  'bad vector: $type: $name [R-28]',
  ({ type, hex, why }) => {
    const decode = () => decodeCanonical(CODECS[type]!, fromHex(hex), SYNC_ANSWER_BYTES_MAX);
    expect(decode).toThrow(expect.objectContaining({ name: 'DecodeError', message: why }));
  },
);

interface EnvelopeVector {
  readonly name: string;
  readonly roundId: RoundId;
  readonly attempt: number;
  readonly roster: string | null;
  readonly body: unknown;
  readonly hash: string;
  readonly hex: string;
}

describe('envelopes', () => {
  test.each(read<EnvelopeVector>('envelopes.json'))('good: $name', (vector) => {
    const { roundId, attempt, hash, hex } = vector;
    const context = { roundId, attempt, roster: revive(vector.roster) as Uint8Array | null };
    const body = revive(vector.body) as Body;
    const sealed = sealEnvelope(context, body, key);
    expect(toHex(sealed.bytes)).toBe(hex);
    expect(openEnvelope(fromHex(hex))).toEqual({ ...sealed, hash });
  });

  test.each(read<Vector & { readonly why: string }>('bad-envelopes.json'))(
    'bad: $name [R-2]',
    ({ hex, why }) => {
      if (why === 'signature') expect(openEnvelope(fromHex(hex))).toBeUndefined();
      else expect(() => openEnvelope(fromHex(hex))).toThrow(why);
    },
  );
});

describe('identities', () => {
  const identity = (name: string) =>
    read<Readonly<Record<string, string>>>('identities.json').find(
      (entry) => entry['name'] === name,
    )!;

  test('a signed manifest, and a forged one [R-1]', () => {
    const { hex } = identity('signed manifest');
    const job = readJob(fromHex(hex!))!;
    expect(job.launcher).toBe(key.peerId);
    expect(toHex(signManifest(job.manifest, key))).toBe(hex);
    const forged = fromHex(hex!);
    forged[forged.length - 1]! ^= 1;
    expect(readJob(forged)).toBeUndefined();
  });

  test('a statement', () => {
    const { statement, hash } = identity('statement hash');
    const decoded = decodeCanonical(statementCodec, fromHex(statement!), 64 * 1024);
    expect(statementHash(decoded)).toBe(hash);
  });

  test('the signatures of the certificate hold, and only for their own member', () => {
    const { hex } = read<Vector>('good.json').find(({ type }) => type === 'certificate')!;
    const { statement, signatures } = decodeCanonical(certificateCodec, fromHex(hex), 64 * 1024);
    for (const { member, signature } of signatures) {
      for (const [index, peer] of statement.roster.entries()) {
        expect(verifyStatement(statement, peer, signature)).toBe(index === member);
      }
    }
  });
});
