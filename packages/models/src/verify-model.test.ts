import { initialVector } from '@starling/autodiff';
import { encodeCanonical, type PeerId, toHex } from '@starling/core';
import type { SigningKey } from '@starling/crypto';
import { readModel } from '@starling/onnx';
import {
  credentialBodyFor,
  type Descriptor,
  descriptorCodec,
  encodeCredential,
  encodeRevocation,
  type Role,
  type SwarmId,
  signCredential,
  signRevocation,
  swarmIdOf,
} from '@starling/protocol-membership';
import {
  type Certificate,
  type CertificateHash,
  type MembershipProof,
  signManifest,
} from '@starling/protocol-rounds';
import { describe, expect, test } from 'vitest';
import {
  certify,
  chainOf,
  JOB,
  KEYS,
  LAUNCHED,
  MANIFEST,
  modelAfter,
  proofOf,
  SIGNED,
} from './testing/hand-made-job.ts';
import { swarmIdFrom } from './verify-members.ts';
import { verifyModel } from './verify-model.ts';

describe('the proof beside a model', () => {
  test('holds for the weights that a quorum certified', () => {
    const { ok, fault, job, rounds } = verifyModel(modelAfter(0.5), proofOf(chainOf()));
    expect({ ok, fault, job: job?.id }).toEqual({ ok: true, fault: undefined, job: JOB });
    expect(
      rounds.map(({ round, survivors, signatures }) => [round, survivors, signatures]),
    ).toEqual([
      [1, 4, 3],
      [2, 4, 3],
    ]);
    expect(rounds[1]).toMatchObject({ loss: 0.5, accuracy: 0.9, settled: true });
  });

  test('holds for the launched model before the first round, and for no other', () => {
    expect(verifyModel(LAUNCHED, proofOf([])).ok).toBe(true);
    expect(verifyModel(modelAfter(0.5), proofOf([])).fault).toMatch(/not the launched model/);
  });

  test('holds for a state with moments, and for those moments alone', () => {
    const model = modelAfter(0.5);
    const moment = initialVector(readModel(model)).map((_, i) => i / 7);
    const parent = JOB as string as CertificateHash;
    const chain = [certify({ round: 1, parent, model, moments: [moment] })];
    const bytesOf = (vector: Float32Array) => new Uint8Array(vector.buffer);
    const moments = [bytesOf(moment)];
    expect(verifyModel(model, proofOf(chain, { moments }))).toMatchObject({ ok: true });
    const other = [bytesOf(moment.map((value) => value + 1))];
    for (const wrong of [other, [], [...moments, ...moments]]) {
      const { fault } = verifyModel(model, proofOf(chain, { moments: wrong }));
      expect(fault).toMatch(/not those certified in round 1/);
    }
    const short = [moments[0]!.subarray(4)];
    const { fault } = verifyModel(model, proofOf(chain, { moments: short }));
    expect(fault).toBe('the proof is malformed (moments of another model)');
  });

  test('fails on other weights', () => {
    const { ok, fault, rounds } = verifyModel(modelAfter(0.75), proofOf(chainOf()));
    expect(ok).toBe(false);
    expect(fault).toMatch(/weights .* not those certified in round 2/);
    expect(rounds).toHaveLength(2);
  });

  test('fails when a round lacks its quorum, and names it', () => {
    const { fault, rounds } = verifyModel(modelAfter(0.5), proofOf(chainOf(2)));
    expect(fault).toMatch(/^certificate of round 2: no quorum of signatures: 2 hold, 3 are needed/);
    expect(rounds).toHaveLength(1);
  });

  test('does not count a signature that is broken, or one member twice', () => {
    const [first, last] = chainOf() as [Certificate, Certificate];
    const [a, b, c] = last.signatures as [Signature, Signature, Signature];
    const broken = { ...c, signature: c.signature.map((byte, i) => (i === 0 ? byte ^ 1 : byte)) };
    for (const signatures of [
      [a, b, broken],
      [a, b, b],
    ]) {
      const { fault } = verifyModel(modelAfter(0.5), proofOf([first, { ...last, signatures }]));
      expect(fault).toMatch(
        /^certificate of round 2: no quorum of signatures: 2 hold, 3 are needed/,
      );
    }
  });

  test('fails on a chain with a round left out', () => {
    const { fault } = verifyModel(modelAfter(0.5), proofOf(chainOf().slice(1)));
    expect(fault).toBe("certificate of round 1: is missing, round 2's stands in its place");
  });

  test('fails on a manifest that was changed after it was signed', () => {
    const forged = SIGNED.slice();
    forged[forged.length - 1]! ^= 1;
    expect(verifyModel(modelAfter(0.5), proofOf(chainOf(), { manifest: forged })).fault).toMatch(
      /signature/,
    );
  });

  test('fails on bytes that are no proof, and on a file that is no model', () => {
    const noise = new TextEncoder().encode('no proof at all');
    expect(verifyModel(modelAfter(0.5), noise).fault).toMatch(/the proof is malformed/);
    expect(verifyModel(noise, proofOf(chainOf())).fault).toMatch(/the model cannot be read/);
  });
});

describe('the membership beside a chain [M-29]', () => {
  const DAY = 86_400;
  const BEGIN = 1_700_000_000;
  const [admin, ...members] = KEYS;
  const descriptor: Descriptor = {
    ...{ name: 'ward-7', access: 'members', threshold: 1, nonce: new Uint8Array(8) },
    admins: [admin!.peerId],
  };
  const swarm = swarmIdOf(descriptor);

  function credentialOf(peer: PeerId, role: Role = 'trainer', by: SigningKey = admin!) {
    const body = credentialBodyFor(
      {
        ...{ swarm: descriptor, role, singleUse: false, issuer: admin!.peerId, key: null },
        ...{ issued: BEGIN, expires: BEGIN + DAY, memberUntil: BEGIN + 9 * DAY, bootstrap: [] },
        nonce: new Uint8Array(12),
      },
      peer,
    );
    return encodeCredential({ body, signatures: [signCredential(body, by)], delegations: [] });
  }

  const membershipOf = (more: Partial<MembershipProof> = {}, of = descriptor) => ({
    descriptor: encodeCanonical(descriptorCodec, of),
    credentials: members.map(({ peerId }) => credentialOf(peerId)),
    revocations: [],
    ...more,
  });
  const verified = (membership: MembershipProof | null, wanted?: SwarmId) =>
    verifyModel(modelAfter(0.5), proofOf(chainOf(), { membership }), wanted);

  test('tells whose the signatures are to whoever knows the swarm’s id', () => {
    const { ok, members: found } = verified(membershipOf(), swarm);
    expect(ok).toBe(true);
    expect(found).toMatchObject({ swarm, name: 'ward-7', keys: 3 });
    expect(found?.signers).toEqual([
      { peer: admin!.peerId, role: 'admin', rounds: 2, from: null, until: null, revoked: null },
      ...members.slice(0, 2).map(({ peerId }) => ({
        ...{ peer: peerId, role: 'trainer', rounds: 2, from: '2023-11-14T22:13:20Z' },
        ...{ until: '2023-11-23T22:13:20Z', revoked: null },
      })),
    ]);
    const hex = toHex(encodeCanonical(descriptorCodec, descriptor));
    expect([swarm, hex, 'ward-7', '00'].map(swarmIdFrom)).toEqual([
      ...[swarm, swarm, undefined, undefined],
    ]);
  });

  test('claims nothing to whoever has not said which swarm it ought to be', () => {
    expect(verified(membershipOf()).members).toEqual({
      ...{ swarm, name: 'ward-7', keys: 3, signers: undefined },
    });
    expect(verified(null).members).toEqual({
      ...{ swarm: null, name: null, keys: 3, signers: undefined },
    });
  });

  test('fails where it does not prove it', () => {
    const [a, b] = members.map(({ peerId }) => peerId) as [PeerId, PeerId];
    const open = { ...descriptor, access: 'open' as const };
    const forged = credentialOf(a, 'trainer', members[0]!);
    const cases: readonly (readonly [MembershipProof | null, RegExp, SwarmId?])[] = [
      [null, /no credentials: who signed it cannot be told/],
      [membershipOf({}, open), /the proof is of the swarm ward-7/],
      [membershipOf({}, open), /anyone may sign in the public swarm/, swarmIdOf(open)],
      [membershipOf({ descriptor: new Uint8Array(3) }), /descriptor in the proof is malformed/],
      [membershipOf({ credentials: [credentialOf(a)] }), /who signed round 1, has no credential/],
      [membershipOf({ credentials: [forged] }), /a credential in the proof: /],
      [
        membershipOf({ credentials: [credentialOf(a), credentialOf(b, 'relay')] }),
        /is relay in ward-7, which gives no right to train/,
      ],
      [membershipOf({ revocations: [new Uint8Array(3)] }), /a revocation in the proof/],
    ];
    for (const [membership, reason, wanted = swarm] of cases) {
      const { ok, fault } = verified(membership, wanted);
      expect(ok, String(reason)).toBe(false);
      expect(fault).toMatch(reason);
    }
  });

  test('a launcher without the right is no launcher', () => {
    const other = signManifest(MANIFEST, members[0]!);
    const certificates: Certificate[] = [];
    const proof = proofOf(certificates, { manifest: other, membership: membershipOf() });
    const { fault } = verifyModel(LAUNCHED, proof, swarm);
    expect(fault).toMatch(/who launched the job, is trainer in ward-7, which gives no right to/);
  });

  test('who was revoked since is named, and what it signed holds', () => {
    const [a] = members.map(({ peerId }) => peerId);
    const word = signRevocation(
      { swarm, target: { kind: 'peer', peer: a! }, at: BEGIN + 60, reason: 'left' },
      admin!,
    );
    const revocations = [encodeRevocation(word)];
    const { ok, members: found } = verified(membershipOf({ revocations }), swarm);
    expect(ok).toBe(true);
    expect(found?.signers?.map(({ revoked }) => revoked)).toEqual([
      ...[null, '2023-11-14T22:14:20Z', null],
    ]);
  });
});

type Signature = Certificate['signatures'][number];
