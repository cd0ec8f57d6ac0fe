import { readdirSync, readFileSync } from 'node:fs';
import {
  type Codec,
  decodeCanonical,
  encodeCanonical,
  fromHex,
  type PeerId,
  toHex,
} from '@starling/core';
import { signingKeyFromSeed } from '@starling/crypto';
import { describe, expect, test } from 'vitest';
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
} from './index.ts';

const CODECS: Readonly<Record<string, Codec<unknown>>> = {
  descriptor: descriptorCodec as Codec<unknown>,
  invite: inviteCodec as Codec<unknown>,
  credential: credentialCodec as Codec<unknown>,
  revocation: revocationCodec as Codec<unknown>,
  request: joinRequestCodec as Codec<unknown>,
  answer: joinAnswerCodec as Codec<unknown>,
};
const RUNNERS = ['bad.json', 'good.json', 'identities.json'];
const folder = new URL('../vectors/', import.meta.url);
const BYTES_MAX = MEMBERSHIP_LIMITS.messageBytesMax;

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
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, revive(item)]));
}

test('every file of vectors has a runner', () => {
  expect(readdirSync(folder).sort()).toEqual(RUNNERS);
});

describe('good vectors', () => {
  test.each(read<Vector & { readonly value: unknown }>('good.json'))(
    '$type: $name',
    ({ type, value, hex }) => {
      const wanted = revive(value);
      expect(toHex(encodeCanonical(CODECS[type]!, wanted))).toBe(hex);
      expect(decodeCanonical(CODECS[type]!, fromHex(hex), BYTES_MAX)).toEqual(wanted);
    },
  );
});

describe('bad vectors [M-1] [M-2]', () => {
  test.each(read<Vector & { readonly why: string }>('bad.json'))(
    '$type: $name',
    ({ type, hex, why }) => {
      expect(() => decodeCanonical(CODECS[type]!, fromHex(hex), BYTES_MAX)).toThrow(why);
    },
  );
});

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
