import {
  compareText,
  concatBytes,
  decodeCanonical,
  fromHex,
  LIMITS,
  type PeerId,
  type RoundId,
  u32be,
} from '@starling/core';
import { deriveSecret } from '@starling/crypto';
import type { Envelope } from '@starling/protocol-rounds';
import { type Hello, helloCodec } from '@starling/protocol-secagg';
import { isBanned } from './bans.ts';
import { joinsOf, type Pooled } from './pool.ts';
import { proposerRank, type Slot, slotKey } from './round-id.ts';
import { currentRoundId, type EngineState, parentOf, roundOf, stateHashOf } from './state.ts';

/** The seed of this update's keys in one attempt; fresh for every slot. */
export const attemptSeed = (s: EngineState, roundId: RoundId, attempt: number) =>
  deriveSecret(s.update!.entropy, concatBytes(fromHex(roundId), u32be(attempt)));

/** Slots beyond its own in which a peer takes JOINs into account. */
const RESTARTS_AHEAD = 16;
const ATTEMPTS_AHEAD = 64;

/** The session's keys in a JOIN; undefined when they do not decode. */
export function readHello({ body }: Envelope): Hello | undefined {
  if (body.kind !== 'join') return undefined;
  try {
    return decodeCanonical(helloCodec, body.hello, LIMITS.controlBytesMax);
  } catch {
    return undefined;
  }
}

/**
 * Whether a JOIN belongs to the round this peer works on, was trained from the same state, can be
 * put into a roster, and names a slot within reach.
 */
export function isJoinCurrent(s: EngineState, envelope: Envelope): boolean {
  const { body, roundId, attempt } = envelope;
  if (body.kind !== 'join' || body.round !== roundOf(s)) return false;
  return (
    body.parent === parentOf(s) &&
    body.stateHash === stateHashOf(s) &&
    roundId === currentRoundId(s, body.restarts) &&
    body.restarts <= s.slot.restarts + RESTARTS_AHEAD &&
    attempt <= s.slot.attempt + ATTEMPTS_AHEAD &&
    readHello(envelope) !== undefined
  );
}

/** Whether the swarm lets the sender of a JOIN train, now. Spec protocols/membership §8. */
export function isAdmitted({ config }: EngineState, { body, sender }: Envelope): boolean {
  if (config.mayJoin === undefined) return true;
  // A proposer has JOINed, too: what its JOIN says of it is looked at there.
  return config.mayJoin(sender, body.kind !== 'join' || body.weight === 0);
}

/** Valid JOINs of a slot, by peers that are not banned and still members. */
export function joinsInSlot(s: EngineState, slot: Slot): Map<PeerId, Pooled> {
  const joins = joinsOf(s.pool, currentRoundId(s, slot.restarts), slot.attempt);
  for (const peer of s.bans.keys()) if (isBanned(s, peer)) joins.delete(peer);
  if (s.config.mayJoin === undefined) return joins;
  return new Map([...joins].filter(([, { envelope }]) => isAdmitted(s, envelope)));
}

/** The proposer of attempt a: the member with the a-th lowest rank. */
export function proposerOf(roundId: RoundId, attempt: number, members: readonly PeerId[]): PeerId {
  const ranked = members.map((peer) => ({ peer, rank: proposerRank(roundId, attempt, peer) }));
  ranked.sort((a, b) => compareText(a.rank, b.rank));
  return ranked[attempt % ranked.length]!.peer;
}

/** Name of a slot across rounds, for those this peer stays out of. */
export const barKey = (s: EngineState, slot: Slot): string =>
  `${currentRoundId(s, slot.restarts)}/${slotKey(slot)}`;
