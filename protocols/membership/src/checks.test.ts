import { DecodeError, type PeerId } from '@starling/core';
import { type SigningKey, signingKeyFromSeed } from '@starling/crypto';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  assembleCredential,
  type Credential,
  checkInvite,
  checkRevocation,
  checkSignatures,
  checkTime,
  checkVouch,
  credentialBodyFor,
  type Descriptor,
  decodeVouch,
  encodeCredential,
  encodeVouch,
  hasRight,
  type Invite,
  type InviteBody,
  inviteText,
  mergeSignatures,
  parseInvite,
  type Role,
  signCredential,
  signInvite,
  signRevocation,
  signVouch,
  swarmIdOf,
  TOLERANCE_SECONDS,
  type VouchBody,
  vouchHolds,
  WITHDRAWN,
} from './index.ts';

const keys = [1, 2, 3, 4, 5]
  .map((fill) => signingKeyFromSeed(new Uint8Array(32).fill(fill)))
  .sort((a, b) => (a.peerId < b.peerId ? -1 : 1)) as SigningKey[];
const [alice, bob, carol, delegate, newcomer] = keys as [
  SigningKey,
  SigningKey,
  SigningKey,
  SigningKey,
  SigningKey,
];
const NOW = 1_700_000_000;
const DAY = 86_400;

const swarmOf = (threshold: number): Descriptor => ({
  name: 'ward-7',
  access: 'members',
  admins: [alice.peerId, bob.peerId, carol.peerId],
  threshold,
  nonce: new Uint8Array(8),
});
const bodyOf = (threshold: number, role: Role = 'trainer'): InviteBody => ({
  swarm: swarmOf(threshold),
  role,
  singleUse: false,
  issuer: alice.peerId,
  issued: NOW,
  expires: NOW + DAY,
  memberUntil: NOW + 30 * DAY,
  key: null,
  bootstrap: [],
  nonce: new Uint8Array(12),
});
const signed = (body: InviteBody, signers: readonly SigningKey[]): Invite =>
  signers.reduce<Invite>(signInvite, { body, signatures: [] });
const credentialFor = (
  body: InviteBody,
  peer: PeerId,
  signers: readonly SigningKey[],
  delegations: readonly Credential[] = [],
): Credential => {
  const content = credentialBodyFor(body, peer);
  const signatures = mergeSignatures(signers.map((key) => signCredential(content, key)));
  return { body: content, signatures, delegations: delegations.map(encodeCredential) };
};
const nobody = () => false;

describe('invites', () => {
  test('k sound signatures of the authority make one good [M-3]', () => {
    const body = bodyOf(2);
    expect(checkInvite(signed(body, [alice, carol]), NOW)).toEqual({ ok: true });
    const tooFew = [signed(body, []), signed(body, [bob]), signed(body, [bob, bob])];
    for (const invite of tooFew) {
      expect(checkInvite(invite, NOW)).toMatchObject({ reason: 'too-few-signatures' });
    }
    const stranger = signed(body, [alice, bob, newcomer]);
    expect(checkInvite(stranger, NOW)).toMatchObject({ reason: 'bad-signature' });
  });

  test('any change after signing spoils it [M-3]', () => {
    const invite = signed(bodyOf(1), [alice]);
    const changes: readonly Partial<InviteBody>[] = [
      { role: 'admin' },
      { expires: NOW + 2 * DAY },
      { memberUntil: NOW + 3000 * DAY },
      { bootstrap: ['/ip4/192.0.2.66/tcp/1'] },
      { key: new Uint8Array(32) },
      { swarm: swarmOf(2) },
    ];
    for (const change of changes) {
      const forged = { ...invite, body: { ...invite.body, ...change } };
      expect(checkInvite(forged, NOW)).toMatchObject({ reason: 'bad-signature' });
    }
  });

  test('it holds five minutes longer than it says, and no second more [M-4]', () => {
    const invite = signed(bodyOf(1), [alice]);
    const end = invite.body.expires + TOLERANCE_SECONDS;
    expect(checkInvite(invite, end)).toEqual({ ok: true });
    expect(checkInvite(invite, end + 1)).toMatchObject({ reason: 'invite-expired' });
    const early = NOW - TOLERANCE_SECONDS;
    expect(checkInvite(invite, early)).toEqual({ ok: true });
    expect(checkInvite(invite, early - 1)).toMatchObject({ reason: 'not-yet-valid' });
  });

  test('a text that lost or changed one character is no invite, or not signed', () => {
    const text = inviteText(signed(bodyOf(1), [alice]));
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: text.length - 1 }),
        fc.constantFrom('', 'A', 'z', '-', '!'),
        (at, other) => {
          const changed = text.slice(0, at) + other + text.slice(at + 1);
          if (changed === text) return;
          let invite: Invite;
          try {
            invite = parseInvite(changed);
          } catch (error) {
            expect(error).toMatchObject({ name: 'DecodeError' });
            return;
          }
          // The last character has bits to spare.
          if (inviteText(invite) === text) return;
          expect(checkInvite(invite, NOW).ok).toBe(false);
        },
      ),
    );
  });
});

describe('credentials', () => {
  const rules = (threshold: number) => ({ descriptor: swarmOf(threshold), isRevoked: nobody });

  test('k signatures of the authority stand behind one [M-7]', () => {
    const body = bodyOf(2);
    const good = credentialFor(body, newcomer.peerId, [bob, carol]);
    expect(checkSignatures(good, rules(2))).toEqual({ ok: true });
    const bad = [[], [bob], [bob, newcomer], [newcomer, delegate]];
    for (const signers of bad) {
      const credential = credentialFor(body, newcomer.peerId, signers);
      expect(checkSignatures(credential, rules(2)).ok).toBe(false);
    }
    const forged = { ...good, body: { ...good.body, role: 'admin' as const } };
    expect(checkSignatures(forged, rules(2))).toMatchObject({ reason: 'bad-signature' });
    expect(checkSignatures(good, rules(1))).toMatchObject({ reason: 'wrong-swarm' });
  });

  test('an admin by credential signs for others, with its own credential beside [M-7]', () => {
    const delegation = credentialFor(bodyOf(1, 'admin'), delegate.peerId, [alice]);
    const credential = credentialFor(bodyOf(1), newcomer.peerId, [delegate], [delegation]);
    expect(checkSignatures(credential, rules(1))).toEqual({ ok: true });
    expect(checkSignatures({ ...credential, delegations: [] }, rules(1)).ok).toBe(false);
    const isRevoked = (peer: PeerId) => peer === delegate.peerId;
    expect(checkSignatures(credential, { ...rules(1), isRevoked }).ok).toBe(false);
    const trainer = credentialFor(bodyOf(1), delegate.peerId, [alice]);
    const spare = { ...credential, delegations: [...credential.delegations, new Uint8Array(3)] };
    expect(checkSignatures(spare, rules(1)).ok).toBe(false);
    const byTrainer = credentialFor(bodyOf(1), newcomer.peerId, [delegate], [trainer]);
    expect(checkSignatures(byTrainer, rules(1)).ok).toBe(false);
  });

  test('nothing unsigned may be added to one [M-23]', () => {
    const good = credentialFor(bodyOf(2), newcomer.peerId, [bob, carol]);
    const unsound = { signer: alice.peerId, signature: new Uint8Array(64) };
    const foreign = signCredential(good.body, delegate);
    const unneeded = credentialFor(bodyOf(2, 'admin'), delegate.peerId, [alice, bob]);
    const variants: readonly Partial<Credential>[] = [
      { signatures: mergeSignatures(good.signatures, [unsound]) },
      { signatures: mergeSignatures(good.signatures, [foreign]) },
      { delegations: [encodeCredential(unneeded)] },
      { delegations: [new Uint8Array([1])] },
    ];
    for (const variant of variants) {
      const verdict = checkSignatures({ ...good, ...variant }, rules(2));
      expect(verdict).toMatchObject({ reason: 'bad-signature' });
    }
    const all = assembleCredential(good.body, good.signatures, [encodeCredential(unneeded)]);
    expect(all).toEqual(good);
  });

  test('an admin by credential makes no admins [M-8]', () => {
    const delegation = credentialFor(bodyOf(1, 'admin'), delegate.peerId, [alice]);
    const second = credentialFor(bodyOf(1, 'admin'), newcomer.peerId, [delegate], [delegation]);
    expect(checkSignatures(second, rules(1)).ok).toBe(false);
  });

  test('valid five minutes before and after its time, and no second more [M-9]', () => {
    const { body } = credentialFor(bodyOf(1), newcomer.peerId, [alice]);
    const edges = [
      [body.notBefore - TOLERANCE_SECONDS - 1, 'not-yet-valid'],
      [body.notBefore - TOLERANCE_SECONDS, undefined],
      [body.expires + TOLERANCE_SECONDS, undefined],
      [body.expires + TOLERANCE_SECONDS + 1, 'expired'],
    ] as const;
    for (const [now, reason] of edges) {
      const wanted = reason === undefined ? { ok: true } : { ok: false, reason };
      expect(checkTime(body, now)).toMatchObject(wanted);
    }
  });
});

test('a word of revocation is the authority’s own, unchanged, for this swarm [M-11]', () => {
  const descriptor = swarmOf(2);
  const content = {
    swarm: swarmIdOf(descriptor),
    target: { kind: 'peer' as const, peer: newcomer.peerId },
    at: NOW,
    reason: 'left',
  };
  const word = signRevocation(content, bob);
  expect(checkRevocation(word, descriptor)).toEqual({ ok: true });
  const changed = { ...word, body: { ...word.body, at: NOW + 1 } };
  expect(checkRevocation(changed, descriptor)).toMatchObject({ reason: 'bad-signature' });
  const foreign = signRevocation(content, newcomer);
  expect(checkRevocation(foreign, descriptor)).toMatchObject({ reason: 'not-an-admin' });
  expect(checkRevocation(word, swarmOf(1))).toMatchObject({ reason: 'wrong-swarm' });
});

test('what each role may do', () => {
  const may = (role: Role) =>
    (['train', 'train-light', 'launch'] as const).filter((right) => hasRight(role, right));
  expect(may('trainer')).toEqual(['train', 'train-light']);
  expect(may('light')).toEqual(['train-light']);
  expect(may('launcher')).toEqual(['train', 'train-light', 'launch']);
  expect(may('admin')).toEqual(['train', 'train-light', 'launch']);
  expect(may('relay')).toEqual([]);
});

describe('vouches', () => {
  const swarm = swarmIdOf(swarmOf(1));
  const content = { swarm, peer: newcomer.peerId, at: NOW, until: NOW + DAY };

  test('are their signer’s own, unchanged, for this swarm [M-24]', () => {
    const vouch = signVouch(content, delegate);
    expect(checkVouch(vouch, swarm)).toEqual({ ok: true });
    expect(checkVouch(vouch, swarmIdOf(swarmOf(2)))).toMatchObject({ reason: 'wrong-swarm' });
    const changes: readonly Partial<VouchBody>[] = [
      { peer: alice.peerId },
      { until: NOW + 2 * DAY },
      { at: NOW + 1 },
      { signer: bob.peerId },
      { until: WITHDRAWN },
    ];
    for (const change of changes) {
      const forged = { ...vouch, body: { ...vouch.body, ...change } };
      expect(checkVouch(forged, swarm)).toMatchObject({ reason: 'bad-signature' });
    }
  });

  test('nobody vouches for itself, and none ends before it begins [M-24]', () => {
    const faulty = [
      signVouch({ ...content, peer: bob.peerId }, bob),
      signVouch({ ...content, until: NOW }, bob),
    ];
    for (const vouch of faulty) expect(() => decodeVouch(encodeVouch(vouch))).toThrow(DecodeError);
  });

  test('hold five minutes longer than they say, and not once withdrawn [M-26]', () => {
    const vouch = signVouch(content, bob);
    const end = content.until + TOLERANCE_SECONDS;
    expect([NOW - DAY, end, end + 1].map((now) => vouchHolds(vouch, now))).toEqual([
      ...[true, true, false],
    ]);
    expect(vouchHolds(signVouch({ ...content, until: WITHDRAWN }, bob), NOW)).toBe(false);
  });
});
