import { encodeCanonical, type PeerId } from '@starling/core';
import {
  encodeCredential,
  encodeRevocation,
  type Invite,
  inviteCodec,
  inviteIdOf,
  type JoinAnswer,
  type Role,
  signRequest,
} from '@starling/protocol-membership';
import { MemoryJournal } from '@starling/store';
import { expect, test } from 'vitest';
import { countersign, issueInvite, missingSignatures } from './issue.ts';
import type { Members } from './members.ts';
import { type Colleagues, type RedeemRequest, redeem } from './redeem.ts';
import { DAY, NOW, type TestSwarm, testSwarm } from './testing/swarm-of.ts';

const requestOf = (swarm: TestSwarm, invite: Invite, peer: number): RedeemRequest => ({
  kind: 'redeem',
  invite: encodeCanonical(inviteCodec, invite),
  peer: swarm.keys[peer]!.peerId,
  proof: signRequest(invite.body, swarm.keys[peer]!),
  signatures: [],
  forwarded: false,
});
const alone: Colleagues = {
  connected: () => [],
  ask: () => Promise.reject(new Error('nobody is here')),
};
/** All of `others` are connected and answer. */
const among = (others: readonly Members[]): Colleagues => ({
  connected: () => others.map(({ self }) => self),
  ask: (peer, request) => redeem(others.find(({ self }) => self === peer)!, request, alone),
});
const why = (answer: JoinAnswer): string =>
  answer.kind === 'refused' ? answer.reason : answer.kind;
const membersOf = (swarm: TestSwarm, ...peers: readonly number[]): Promise<Members[]> =>
  Promise.all(peers.map((peer) => swarm.open(peer, new MemoryJournal())));

test('an admin makes a member of who brings an invite', async () => {
  const swarm = testSwarm(3);
  const [admin] = await membersOf(swarm, 0);
  const peer = swarm.keys[2]!.peerId;
  expect(admin!.refusal(peer)).toMatch(/^not-a-member/);
  expect(why(await redeem(admin!, requestOf(swarm, swarm.invite(), 2), alone))).toBe('signed');
  expect(admin!.standing(peer)).toEqual({ ok: true, role: 'trainer' });
  expect(admin!.may(peer, 'launch')).toBe(false);
});

test('a single-use invite is for the first peer, on disk before it is signed [M-5]', async () => {
  const swarm = testSwarm(4);
  const journal = new MemoryJournal();
  const admin = await swarm.open(0, journal);
  const invite = swarm.invite({ singleUse: true });
  const both = await Promise.all(
    [2, 3].map((peer) => redeem(admin, requestOf(swarm, invite, peer), alone)),
  );
  expect(both.map(why)).toEqual(['signed', 'invite-used']);
  expect(both[0]).toEqual(await redeem(admin, requestOf(swarm, invite, 2), alone));
  const restarted = await swarm.open(0, journal);
  expect(restarted.usedBy(inviteIdOf(invite.body))).toBe(swarm.keys[2]!.peerId);
  expect(why(await redeem(restarted, requestOf(swarm, invite, 3), alone))).toBe('invite-used');
  expect(why(await redeem(restarted, requestOf(swarm, invite, 2), alone))).toBe('signed');
});

test('nobody signs for a single-use invite before its issuer [M-6]', async () => {
  const swarm = testSwarm(5, 3, 1);
  const [issuer, second] = (await membersOf(swarm, 0, 1)) as [Members, Members];
  const invite = swarm.invite({ singleUse: true });
  const request = requestOf(swarm, invite, 4);
  expect(why(await redeem(second, request, alone))).toBe('issuer-away');
  expect(why(await redeem(second, { ...request, forwarded: true }, alone))).toBe('issuer-away');
  expect(why(await redeem(second, request, among([issuer])))).toBe('signed');
  const late = requestOf(swarm, invite, 3);
  expect(why(await redeem(second, late, among([issuer])))).toBe('invite-used');
});

test('two of three: a plain member gathers signatures, and says what is missing', async () => {
  const swarm = testSwarm(6, 3, 2);
  const [a, b, plain] = (await membersOf(swarm, 0, 2, 4)) as [Members, Members, Members];
  const request = requestOf(swarm, swarm.invite(), 5);
  const few = await redeem(plain, request, among([a]));
  expect(few).toMatchObject({ kind: 'refused', reason: 'no-quorum' });
  const enough = await redeem(plain, request, among([a, b]));
  expect(enough.kind === 'signed' && enough.signatures).toHaveLength(2);
  expect(plain.standing(swarm.keys[5]!.peerId).ok).toBe(true);
});

test('an admin by credential stands in for the authority; for admins it does not', async () => {
  const swarm = testSwarm(4);
  const journal = new MemoryJournal();
  const delegate = await swarm.open(1, journal);
  await delegate.take({ credentials: [swarm.credential(1, 'admin')] });
  const answer = await redeem(delegate, requestOf(swarm, swarm.invite(), 3), alone);
  expect(answer.kind === 'signed' && answer.delegations).toHaveLength(1);
  const [other] = (await membersOf(swarm, 2)) as [Members];
  await other.take({ credentials: delegate.books.credentials().map(encodeCredential) });
  expect(other.standing(swarm.keys[3]!.peerId)).toEqual({ ok: true, role: 'trainer' });
  const forAdmin = requestOf(swarm, swarm.invite({ role: 'admin' }), 3);
  expect(why(await redeem(delegate, forAdmin, alone))).toBe('no-quorum');
});

test('each refusal has its name [M-3] [M-4] [M-15]', async () => {
  const swarm = testSwarm(4, 2, 2);
  const [admin] = (await membersOf(swarm, 0)) as [Members];
  const good = swarm.invite();
  const ask = async (request: RedeemRequest) => why(await redeem(admin, request, alone));
  const other = testSwarm(4, 2, 1);
  expect(await ask(requestOf(other, other.invite(), 3))).toBe('wrong-swarm');
  expect(await ask(requestOf(swarm, swarm.invite({}, 1), 3))).toBe('too-few-signatures');
  expect(await ask({ ...requestOf(swarm, good, 3), peer: swarm.keys[2]!.peerId })).toBe(
    'bad-signature',
  );
  expect(await ask({ ...requestOf(swarm, good, 3), invite: new Uint8Array(3) })).toBe('malformed');
  const past = swarm.invite({ issued: NOW - 2 * DAY, expires: NOW - DAY });
  expect(await ask(requestOf(swarm, past, 3))).toBe('invite-expired');
});

test('a revoked invite admits nobody any more, a revoked peer by none [M-4]', async () => {
  const swarm = testSwarm(4);
  const [admin] = (await membersOf(swarm, 0)) as [Members];
  const invite = swarm.invite();
  await admin.revoke({ kind: 'peer', peer: swarm.keys[2]!.peerId }, 'left');
  expect(why(await redeem(admin, requestOf(swarm, invite, 2), alone))).toBe('revoked');
  expect(why(await redeem(admin, requestOf(swarm, invite, 3), alone))).toBe('signed');
  await admin.revoke({ kind: 'invite', invite: inviteIdOf(invite.body) }, '');
  expect(why(await redeem(admin, requestOf(swarm, invite, 3), alone))).toBe('invite-revoked');
  // Who came by it before stays.
  expect(admin.standing(swarm.keys[3]!.peerId).ok).toBe(true);
});

test('what a revoked admin has signed and signs counts for nothing [M-18]', async () => {
  const swarm = testSwarm(6, 3, 1);
  const [gone, other] = (await membersOf(swarm, 0, 1)) as [Members, Members];
  const invite = swarm.invite();
  const request = requestOf(swarm, invite, 4);
  await redeem(gone, request, alone);
  await other.take({ credentials: gone.books.credentials().map(encodeCredential) });
  expect(other.standing(swarm.keys[4]!.peerId).ok).toBe(true);
  const word = await other.revoke({ kind: 'peer', peer: gone.self }, 'sold its key');
  expect(other.standing(swarm.keys[4]!.peerId)).toMatchObject({ reason: 'too-few-signatures' });
  expect(why(await redeem(other, request, alone))).toBe('too-few-signatures');
  await gone.take({ revocations: [encodeRevocation(word)] });
  const late = await redeem(gone, requestOf(swarm, invite, 5), alone);
  expect(why(late)).toBe('too-few-signatures');
});

test('what was taken is there after a restart, and listeners hear of it once', async () => {
  const swarm = testSwarm(4);
  const journal = new MemoryJournal();
  const member = await swarm.open(1, journal);
  const heard: number[] = [];
  member.onNews(({ credentials, revocations }) =>
    heard.push(credentials.length, revocations.length),
  );
  const [admin] = (await membersOf(swarm, 0)) as [Members];
  await admin.revoke({ kind: 'peer', peer: swarm.keys[3]!.peerId }, 'x');
  const news = {
    credentials: [swarm.credential(2), swarm.credential(3)],
    revocations: admin.books.revocations().map(encodeRevocation),
  };
  await member.take(news);
  await member.take(news);
  expect(heard).toEqual([2, 1]);
  const again = await swarm.open(1, journal);
  expect(again.books.digest()).toEqual(member.books.digest());
  expect(again.refusal(swarm.keys[3]!.peerId)).toMatch(/^revoked/);
});

test('invites are issued and countersigned by the authority alone', async () => {
  const swarm = testSwarm(4, 2, 2);
  const [a, b, plain] = (await membersOf(swarm, 0, 1, 3)) as [Members, Members, Members];
  const wanted = {
    role: 'launcher' as Role,
    singleUse: true,
    redeemSeconds: DAY,
    memberSeconds: 30 * DAY,
    bootstrap: [],
    nonce: new Uint8Array(12),
  };
  const half = await issueInvite(a, wanted);
  expect(missingSignatures(half)).toBe(1);
  const whole = await countersign(b, half);
  expect(missingSignatures(whole)).toBe(0);
  expect(inviteIdOf(whole.body)).toBe(inviteIdOf(half.body));
  await expect(issueInvite(plain, wanted)).rejects.toThrow('not an admin');
  const peer: PeerId = swarm.keys[2]!.peerId;
  const answer = await redeem(b, requestOf(swarm, whole, 2), among([a]));
  expect(answer.kind).toBe('signed');
  expect(b.may(peer, 'launch')).toBe(true);
});
