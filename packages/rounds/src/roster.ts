import { compareText, type PeerId } from '@starling/core';
import type { BodyOf, Envelope } from '@starling/protocol-rounds';
import { isBanned, isKnownLiar, showByLot } from './bans.ts';
import { rosterDigest } from './cells.ts';
import { barKey, isAdmitted, joinsInSlot, proposerOf } from './joins.ts';
import { inSlot, type Pooled } from './pool.ts';
import type { Slot } from './round-id.ts';
import { currentRoundId, type Draft, notice, once, type Placing, selfOf } from './state.ts';

/**
 * The first sound ROSTER of a slot that has this peer in it; accepted once an attempt. Spec
 * protocols/rounds/spec.md §4.3.
 */
export function acceptableRoster(d: Draft, slot: Slot): Placing | undefined {
  if (d.update === undefined || d.barred.has(barKey(d, slot))) return undefined;
  const roundId = currentRoundId(d, slot.restarts);
  for (const { envelope, at } of inSlot(d.pool, roundId, slot.attempt, { slot: 'roster' })) {
    if (envelope.body.kind !== 'roster') continue;
    const members = rosterMembers(d, slot, envelope, envelope.body);
    if (members === undefined || !members.some(({ sender }) => sender === selfOf(d))) continue;
    const liars = members.filter(({ sender }) => isBanned(d, sender)).map(({ sender }) => sender);
    if (liars.length > 0 && once(d, `liars/${envelope.hash}`)) {
      for (const liar of liars) showByLot(d, liar, envelope, members.length);
    }
    const liar = liars.find((peer) => isKnownLiar(d, peer));
    if (liar !== undefined) {
      if (!once(d, `refused/${envelope.hash}`)) continue;
      notice(d, { kind: 'refused', reason: `roster has ${liar}, who lied`, peer: envelope.sender });
      continue;
    }
    const left = leftOut(d, slot, members, at);
    if (left === undefined) {
      const digest = rosterDigest(envelope.body.joins);
      return { slot, roundId, joins: members, digest, proposer: envelope.sender };
    }
    if (once(d, `refused/${envelope.hash}`)) {
      const reason = `roster leaves out ${left}, who had JOINed in time`;
      notice(d, { kind: 'refused', reason, peer: envelope.sender });
    }
  }
  return undefined;
}

/**
 * Whether the slot's roster is made: a sound ROSTER of it has been seen, with this peer or without.
 */
export function isRosterMade(d: Draft, slot: Slot): boolean {
  const roundId = currentRoundId(d, slot.restarts);
  for (const { envelope } of inSlot(d.pool, roundId, slot.attempt, { slot: 'roster' })) {
    const { body } = envelope;
    if (body.kind === 'roster' && rosterMembers(d, slot, envelope, body) !== undefined) return true;
  }
  return false;
}

/**
 * The JOINs behind a ROSTER, in order; undefined when it is not sound or a JOIN is still missing.
 */
function rosterMembers(
  d: Draft,
  slot: Slot,
  envelope: Envelope,
  { joins }: BodyOf<'roster'>,
): readonly Envelope[] | undefined {
  const { minPeers, maxPeers } = d.config.job.manifest.admission;
  if (joins.length < Math.max(3, minPeers) || joins.length > maxPeers) return undefined;
  const byHash = new Map<string, Envelope>();
  // Either of two JOINs of one peer will do: which of them came first here says nothing.
  const joined = inSlot(d.pool, envelope.roundId, slot.attempt, { slot: 'join' });
  for (const { envelope: join } of joined) byHash.set(join.hash, join);
  const members = joins.flatMap((hash) => byHash.get(hash) ?? []);
  if (members.length !== joins.length) return undefined;
  if (!members.every((join) => isAdmitted(d, join))) return undefined;
  const peers = members.map(({ sender }) => sender);
  if (peers.some((peer, i) => i > 0 && compareText(peers[i - 1]!, peer) >= 0)) return undefined;
  if (proposerOf(envelope.roundId, slot.attempt, peers) !== envelope.sender) return undefined;
  return members;
}

/** Part of the JOINs that a proposer may have missed; none in a roster of fewer than twenty. */
const LEFT_OUT_MAX = 1 / 20;

/**
 * The inclusion rule: who of those whose JOINs had been here half a window before the ROSTER came
 * is not in it, if too many are not. A proposer that censors JOINs to build a roster of its friends
 * gets no quorum.
 */
function leftOut(
  d: Draft,
  slot: Slot,
  members: readonly Envelope[],
  rosterAt: number,
): PeerId | undefined {
  const { maxPeers, joinWindowSeconds } = d.config.job.manifest.admission;
  if (members.length >= maxPeers) return undefined;
  const listed = new Set(members.map(({ sender }) => sender));
  const inTime = ({ at }: Pooled) => rosterAt - at > joinWindowSeconds * 500;
  const missed = [...joinsInSlot(d, slot)].filter(([peer, join]) => {
    return !listed.has(peer) && inTime(join) && !d.lost.has(peer);
  });
  return missed.length > LEFT_OUT_MAX * members.length ? missed[0]![0] : undefined;
}
