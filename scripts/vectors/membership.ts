/** The vectors of protocols/membership. */
import { type Codec, encodeCanonical, toHex } from '@starling/core';
import { type SigningKey, signingKeyFromSeed } from '@starling/crypto';
import {
  type Credential,
  credentialBodyFor,
  credentialCodec,
  type Descriptor,
  descriptorCodec,
  encodeCredential,
  encodeRevocation,
  type Invite,
  inviteCodec,
  inviteIdOf,
  inviteText,
  joinAnswerCodec,
  joinRequestCodec,
  mergeSignatures,
  revocationCodec,
  signCredential,
  signInvite,
  signRequest,
  signRevocation,
  signVouch,
  swarmIdOf,
  vouchCodec,
  WITHDRAWN,
} from '@starling/protocol-membership';
import {
  type BadVector,
  bad,
  badWire,
  encodingFaults,
  type GoodVector,
  good,
  ramp,
  toJson,
} from './shared.ts';

const [alice, bob, carol] = [1, 2, 3]
  .map((first) => signingKeyFromSeed(ramp(32, first)))
  .sort((a, b) => (a.peerId < b.peerId ? -1 : 1)) as [SigningKey, SigningKey, SigningKey];
const newcomer = signingKeyFromSeed(ramp(32, 9));

const single: Descriptor = {
  name: 'ward-7',
  access: 'members',
  admins: [alice.peerId],
  threshold: 1,
  nonce: ramp(8),
};
const twoOfThree: Descriptor = {
  ...single,
  admins: [alice.peerId, bob.peerId, carol.peerId],
  threshold: 2,
};
const open: Descriptor = { ...single, access: 'open' };

const inviteTo = (swarm: Descriptor, ...signers: readonly SigningKey[]): Invite =>
  signers.reduce<Invite>((invite, key) => signInvite(invite, key), {
    body: {
      swarm,
      role: 'trainer',
      singleUse: swarm === single,
      issuer: alice.peerId,
      issued: 1_700_000_000,
      expires: 1_700_086_400,
      memberUntil: 1_731_536_000,
      key: swarm.access === 'open' ? null : ramp(32, 100),
      bootstrap: [`/ip4/192.0.2.7/tcp/4001/p2p/${alice.peerId}`],
      nonce: ramp(12),
    },
    signatures: [],
  });
const invite = inviteTo(single, alice);
const inviteOfTwo = inviteTo(twoOfThree, alice, bob);

const credentialOf = (of: Invite, ...signers: readonly SigningKey[]): Credential => {
  const body = credentialBodyFor(of.body, newcomer.peerId);
  const signatures = mergeSignatures(signers.map((key) => signCredential(body, key)));
  return { body, signatures, delegations: [] };
};
const credential = credentialOf(invite, alice);

const revocation = signRevocation(
  {
    swarm: swarmIdOf(single),
    target: { kind: 'peer', peer: newcomer.peerId },
    at: 1_700_000_500,
    reason: 'laptop lost',
  },
  alice,
);
const ofInvite = signRevocation(
  {
    swarm: swarmIdOf(single),
    target: { kind: 'invite', invite: inviteIdOf(invite.body) },
    at: 1_700_000_600,
    reason: '',
  },
  alice,
);

const vouch = signVouch(
  {
    swarm: swarmIdOf(open),
    peer: newcomer.peerId,
    at: 1_700_000_700,
    until: 1_731_536_000,
  },
  bob,
);
const withdrawal = signVouch({ ...vouch.body, at: 1_700_000_800, until: WITHDRAWN }, bob);

const redeem = {
  kind: 'redeem',
  invite: encodeCanonical(inviteCodec, invite),
  peer: newcomer.peerId,
  proof: signRequest(invite.body, newcomer),
  signatures: [],
  forwarded: false,
} as const;
const bytesOf = { credential: encodeCredential(credential), word: encodeRevocation(revocation) };

export const membershipGood = (): readonly GoodVector[] => [
  good('one admin', 'descriptor', descriptorCodec, single),
  good('two of three', 'descriptor', descriptorCodec, twoOfThree),
  good('open to all', 'descriptor', descriptorCodec, open),
  good('single use', 'invite', inviteCodec, invite),
  good('signed by two', 'invite', inviteCodec, inviteOfTwo),
  good('without a key', 'invite', inviteCodec, inviteTo(open, alice)),
  good('by one admin', 'credential', credentialCodec, credential),
  good('by two admins', 'credential', credentialCodec, credentialOf(inviteOfTwo, alice, bob)),
  good('of a peer', 'revocation', revocationCodec, revocation),
  good('of an invite', 'revocation', revocationCodec, ofInvite),
  good('hello of a stranger', 'request', joinRequestCodec, {
    kind: 'hello',
    credential: null,
    books: ramp(32),
  }),
  good('hello of a member', 'request', joinRequestCodec, {
    kind: 'hello',
    credential: bytesOf.credential,
    books: ramp(32),
  }),
  good('redeem', 'request', joinRequestCodec, redeem),
  good('news', 'request', joinRequestCodec, {
    kind: 'news',
    credentials: [bytesOf.credential],
    revocations: [bytesOf.word],
  }),
  good('books', 'request', joinRequestCodec, { kind: 'books' }),
  good('welcome', 'answer', joinAnswerCodec, {
    kind: 'welcome',
    credential: null,
    books: ramp(32),
  }),
  good('signed', 'answer', joinAnswerCodec, {
    kind: 'signed',
    signatures: credential.signatures,
    delegations: [],
  }),
  good('books', 'answer', joinAnswerCodec, {
    kind: 'books',
    credentials: [bytesOf.credential],
    revocations: { version: 1, words: [bytesOf.word] },
  }),
  good('taken', 'answer', joinAnswerCodec, { kind: 'taken' }),
  good('refused', 'answer', joinAnswerCodec, {
    kind: 'refused',
    reason: 'invite-used',
    detail: 'another has used it',
  }),
  good('for a peer', 'vouch', vouchCodec, vouch),
  good('taken back', 'vouch', vouchCodec, withdrawal),
  good('vouch', 'request', joinRequestCodec, {
    kind: 'vouch',
    vouches: [encodeCanonical(vouchCodec, vouch)],
  }),
  good('vouches', 'request', joinRequestCodec, { kind: 'vouches', known: ramp(32) }),
  good('vouches', 'answer', joinAnswerCodec, {
    kind: 'vouches',
    digest: ramp(32),
    vouches: [encodeCanonical(vouchCodec, vouch), encodeCanonical(vouchCodec, withdrawal)],
  }),
];

/** The wire form of a value with one of its parts exchanged, at a path of positions. */
function changed<T>(codec: Codec<T>, value: T, path: readonly number[], part: unknown): never {
  const wire = structuredClone(codec.write(value)) as unknown[];
  let at = wire;
  for (const index of path.slice(0, -1)) at = at[index] as unknown[];
  at[path.at(-1)!] = part;
  return wire as never;
}

export function membershipBad(): readonly BadVector[] {
  const admins = twoOfThree.admins.map((_, i) => [alice, bob, carol][i]!.publicKey);
  const descriptor = (name: string, path: readonly number[], part: unknown): BadVector =>
    badWire(name, 'descriptor', descriptorCodec, changed(descriptorCodec, twoOfThree, path, part));
  const inviteWith = (name: string, path: readonly number[], part: unknown): BadVector =>
    badWire(name, 'invite', inviteCodec, changed(inviteCodec, inviteOfTwo, path, part));
  const ofCredential = (name: string, path: readonly number[], part: unknown): BadVector =>
    badWire(name, 'credential', credentialCodec, changed(credentialCodec, credential, path, part));
  const ofVouch = (name: string, path: readonly number[], part: unknown): BadVector =>
    badWire(name, 'vouch', vouchCodec, changed(vouchCodec, vouch, path, part));
  const [first, second] = inviteOfTwo.signatures.map(({ signer, signature }) => [
    [alice, bob].find(({ peerId }) => peerId === signer)!.publicKey,
    signature,
  ]);
  return [
    ...encodingFaults('request', joinRequestCodec, redeem),
    descriptor('a name with a capital letter', [0], 'Ward'),
    descriptor('a name with an escape sequence', [0], 'a\u001b[2J'),
    descriptor('no name', [0], ''),
    descriptor('a third access', [1], 2),
    descriptor('no admin', [2], []),
    descriptor('admins out of order', [2], [...admins].reverse()),
    descriptor('an admin twice', [2], [admins[0], admins[0]]),
    descriptor(
      'seventeen admins',
      [2],
      Array.from({ length: 17 }, (_, i) => ramp(32, i)),
    ),
    descriptor('threshold nought', [3], 0),
    descriptor('threshold above the number of admins', [3], 4),
    descriptor('a short nonce', [4], ramp(7)),
    inviteWith('a sixth role', [0, 1], 5),
    inviteWith('single use as a number', [0, 2], 1),
    inviteWith('an issuer that is no admin', [0, 3], newcomer.publicKey),
    inviteWith('expires before it is made', [0, 5], 1_699_999_999),
    inviteWith('membership over before it begins', [0, 6], 1_700_000_000),
    inviteWith('a time beyond 32 bits', [0, 6], 2 ** 32),
    inviteWith('a short key', [0, 7], ramp(31)),
    inviteWith('an address that is none', [0, 8], ['192.0.2.7:4001']),
    inviteWith('an address with a line break', [0, 8], ['/ip4/192.0.2.7\n/tcp/1']),
    inviteWith(
      'nine addresses',
      [0, 8],
      Array.from({ length: 9 }, () => '/ip4/192.0.2.7/tcp/1'),
    ),
    inviteWith('signers out of order', [1], [second, first]),
    inviteWith('a signer twice', [1], [first, first]),
    inviteWith('a signature of 63 bytes', [1], [[admins[0], ramp(63)]]),
    ofCredential('ends before it begins', [0, 4], 1_699_999_999),
    ofCredential('a serial of 15 bytes', [0, 5], ramp(15)),
    ofCredential(
      'five delegations',
      [2],
      Array.from({ length: 5 }, () => ramp(3)),
    ),
    bad('torn', 'revocation', revocationCodec, encodeRevocation(revocation).subarray(0, -1)),
    badWire(
      'a third kind of target',
      'revocation',
      revocationCodec,
      changed(revocationCodec, revocation, [0, 1, 0], 2),
    ),
    badWire(
      'a reason of 201 characters',
      'revocation',
      revocationCodec,
      changed(revocationCodec, revocation, [0, 3], 'x'.repeat(201)),
    ),
    badWire('a list that is not as long as its version', 'answer', joinAnswerCodec, [
      2,
      [[], [2, [bytesOf.word]]],
    ]),
    badWire('a reason without a name', 'answer', joinAnswerCodec, [4, [15, '']]),
    ofVouch('for its own signer', [0, 1], bob.publicKey),
    ofVouch('ends when it begins', [0, 3], 1_700_000_700),
    ofVouch('a time beyond 32 bits', [0, 3], 2 ** 32),
    ofVouch('a signature of 63 bytes', [1], ramp(63)),
  ];
}

/** What only signatures and hashes show. */
export const membershipIdentities = (): readonly unknown[] => [
  { name: 'swarm id', descriptor: toJson(single), id: swarmIdOf(single) },
  { name: 'invite id', invite: hexOf(inviteCodec, invite), id: inviteIdOf(invite.body) },
  { name: 'invite text', invite: hexOf(inviteCodec, invite), text: inviteText(invite) },
  {
    name: 'credential',
    invite: hexOf(inviteCodec, invite),
    peer: newcomer.peerId,
    credential: toHex(bytesOf.credential),
  },
  { name: 'request', invite: hexOf(inviteCodec, invite), proof: toHex(redeem.proof) },
];

const hexOf = <T>(codec: Codec<T>, value: T): string => toHex(encodeCanonical(codec, value));
