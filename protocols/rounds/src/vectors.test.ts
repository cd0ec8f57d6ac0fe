import { type Codec, decodeCanonical, fromHex, type RoundId, toHex } from '@starling/core';
import { signingKeyFromSeed } from '@starling/crypto';
import { describe, expect, test } from 'vitest';
import {
  type BadVector,
  revive,
  vectorsBeside,
  walkBad,
  walkGood,
} from '../../../test/helpers/vectors.ts';
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
  thanksBodyCodec,
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
  thanks: thanksBodyCodec as Codec<unknown>,
};
const key = signingKeyFromSeed(Uint8Array.from({ length: 32 }, (_, i) => i));

const vectors = { beside: import.meta.url, codecs: CODECS, bytesMax: SYNC_ANSWER_BYTES_MAX };
const { files, read } = vectorsBeside(import.meta.url);

test('every file of vectors is walked', () => {
  const walked = [
    'good.json',
    'bad.json',
    'envelopes.json',
    'bad-envelopes.json',
    'identities.json',
  ];
  expect(files).toEqual(walked.sort());
});

describe('good vectors', () => walkGood(vectors));
describe('bad vectors [R-28]', () => walkBad(vectors));

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

  test.each(read<Omit<BadVector, 'type'>>('bad-envelopes.json'))(
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
    const { hex } = read<BadVector>('good.json').find(({ type }) => type === 'certificate')!;
    const { statement, signatures } = decodeCanonical(certificateCodec, fromHex(hex), 64 * 1024);
    for (const { member, signature } of signatures) {
      for (const [index, peer] of statement.roster.entries()) {
        expect(verifyStatement(statement, peer, signature)).toBe(index === member);
      }
    }
  });
});
