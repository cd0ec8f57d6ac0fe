import { type Codec, decodeCanonical, fromHex, type PeerId } from '@starling/core';
import { signingKeyFromSeed } from '@starling/crypto';
import { describe, expect, test } from 'vitest';
import { revive, vectorsBeside, walkBad, walkGood } from '../../../test/helpers/vectors.ts';
import {
  credentialBodyFor,
  credentialCodec,
  type Descriptor,
  decodeCredential,
  descriptorCodec,
  inviteCodec,
  inviteIdOf,
  inviteText,
  isRequestBy,
  joinAnswerCodec,
  joinRequestCodec,
  MEMBERSHIP_LIMITS,
  parseInvite,
  revocationCodec,
  signCredential,
  swarmIdOf,
  vouchCodec,
} from './index.ts';

const CODECS: Readonly<Record<string, Codec<unknown>>> = {
  descriptor: descriptorCodec as Codec<unknown>,
  invite: inviteCodec as Codec<unknown>,
  credential: credentialCodec as Codec<unknown>,
  revocation: revocationCodec as Codec<unknown>,
  vouch: vouchCodec as Codec<unknown>,
  request: joinRequestCodec as Codec<unknown>,
  answer: joinAnswerCodec as Codec<unknown>,
};
const BYTES_MAX = MEMBERSHIP_LIMITS.messageBytesMax;

const vectors = { beside: import.meta.url, codecs: CODECS, bytesMax: BYTES_MAX };
const { files, read } = vectorsBeside(import.meta.url);

test('every file of vectors is walked', () => {
  const walked = ['bad.json', 'good.json', 'identities.json'];
  expect(files).toEqual(walked.sort());
});

describe('good vectors', () => walkGood(vectors));
describe('bad vectors [M-1] [M-2]', () => walkBad(vectors));

describe('identities', () => {
  const identity = (name: string) =>
    read<Readonly<Record<string, string>>>('identities.json').find(
      (entry) => entry['name'] === name,
    )!;
  const invite = decodeCanonical(inviteCodec, fromHex(identity('invite id')['invite']!), BYTES_MAX);

  test('ids of a swarm and of an invite', () => {
    const { descriptor, id } = identity('swarm id');
    expect(swarmIdOf(revive(descriptor) as Descriptor)).toBe(id);
    expect(inviteIdOf(invite.body)).toBe(identity('invite id')['id']);
  });

  test('the text of an invite, with blanks and line breaks too', () => {
    const text = identity('invite text')['text']!;
    expect(inviteText(invite)).toBe(text);
    expect(parseInvite(text)).toEqual(invite);
    expect(parseInvite(`  ${text.replace(/.{60}/g, '$&\n ')}\n`)).toEqual(invite);
  });

  test('a credential follows from invite, peer and key', () => {
    const { peer, credential } = identity('credential');
    const body = credentialBodyFor(invite.body, peer as PeerId);
    const decoded = decodeCredential(fromHex(credential!));
    expect(decoded.body).toEqual(body);
    const key = [1, 2, 3]
      .map((first) => signingKeyFromSeed(Uint8Array.from({ length: 32 }, (_, i) => first + i)))
      .find(({ peerId }) => peerId === invite.body.issuer)!;
    expect(decoded.signatures).toEqual([signCredential(body, key)]);
  });

  test('the signature of a request is its peer’s, for this invite [M-15]', () => {
    const proof = fromHex(identity('request')['proof']!);
    const peer = identity('credential')['peer'] as PeerId;
    expect(isRequestBy(peer, invite.body, proof)).toBe(true);
    expect(isRequestBy(invite.body.issuer, invite.body, proof)).toBe(false);
    expect(isRequestBy(peer, { ...invite.body, role: 'admin' }, proof)).toBe(false);
  });
});
