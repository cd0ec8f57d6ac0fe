import { compareText, encodeCanonical, fromHex, type PeerId } from '@starling/core';
import { hashHex } from '@starling/crypto';
import type { BodyOf } from '@starling/protocol-rounds';
import { byzantineMax, helloCodec } from '@starling/protocol-secagg';
import { helloOf } from '@starling/secagg';
import { isBanned, settleBans, showEvidence } from './bans.ts';
import { beaconCommitment, beaconReveal, oneCellMax } from './cells.ts';
import { attemptSeed, barKey, joinsInSlot, proposerOf } from './joins.ts';
import { enterPlacing } from './placing.ts';
import { joinCounts, joinsOf, type Pooled } from './pool.ts';
import { acceptableRoster, isRosterMade } from './roster.ts';
import { compareSlots, SLOT_MAX, type Slot, slotAfter, slotKey } from './round-id.ts';
import { sessionOver } from './running.ts';
import {
  currentRoundId,
  type Draft,
  type EngineState,
  notice,
  once,
  parentOf,
  previousRoster,
  roundOf,
  selfOf,
  send,
  setTimer,
  stateHashOf,
  undo,
  withItem,
} from './state.ts';

/**
 * From a trained update to a roster: JOIN, wait for the window to close, propose or accept. All
 * waiting is on the local monotonic clock, started by events (design decision 14a). Spec
 * protocols/rounds/spec.md §4.
 */
export function enterJoining(d: Draft, wanted: Slot): void {
  let slot = wanted;
  while (d.barred.has(barKey(d, slot))) slot = slotAfter(slot);
  d.slot = slot;
  settleBans(d);
  // Back in a slot whose window was closed before: its roster is waited for anew.
  undo(d, `closed/${slotKey(slot)}`);
  if (slot.restarts > SLOT_MAX) {
    // No message can name such a slot: only somebody else's certificate leads out of this round.
    d.phase = { name: 'watching' };
    return;
  }
  d.phase = { name: 'joining', slot };
  notice(d, { kind: 'joining', round: roundOf(d), slot });
  joinSlot(d, slot);
}

function joinSlot(d: Draft, slot: Slot): void {
  const stateHash = stateHashOf(d);
  const key = slotKey(slot);
  if (d.joined.has(key) || stateHash === undefined) return;
  d.joined = withItem(d.joined, key);
  const roundId = currentRoundId(d, slot.restarts);
  d.effects.push({ kind: 'journal', key: `join/${roundId}/${key}`, value: d.update!.id });
  const seed = attemptSeed(d, roundId, slot.attempt);
  const hello = encodeCanonical(helloCodec, helloOf(seed));
  const context = { roundId, attempt: slot.attempt, roster: null };
  send(d, context, {
    kind: 'join',
    round: roundOf(d),
    restarts: slot.restarts,
    parent: parentOf(d),
    stateHash,
    hello,
    beacon: beaconCommitment(beaconReveal(seed)),
    weight: d.config.weight,
  });
}

/** Does what the JOINs seen so far call for. Runs after every event while joining. */
export function advanceJoining(d: Draft): void {
  if (d.phase.name !== 'joining') return;
  followOthers(d);
  const { slot } = d.phase;
  const key = slotKey(slot);
  const roster = acceptableRoster(d, slot);
  if (roster !== undefined) {
    leaveForGood(d, slot);
    if (roster.joins.length > oneCellMax(d.config.job.manifest)) enterPlacing(d, roster);
    else {
      const session = sessionOver(d, roster);
      if (session !== undefined) d.phase = { name: 'session', session };
    }
    return;
  }
  const joins = joinsInSlot(d, slot);
  const { joinWindowSeconds, minPeers } = d.config.job.manifest.admission;
  if (joins.size > 0 && once(d, `window-set/${key}`)) {
    setTimer(d, `window/${key}`, joinWindowSeconds * 1000);
    setTimer(d, `grace/${key}`, joinWindowSeconds * 200);
  }
  if (!isWindowClosed(d, slot, joins)) return;
  // Whoever has gone since its JOIN would only cost the roster one of the deaths it can bear.
  const here = new Map([...joins].filter(([peer]) => !d.lost.has(peer)));
  if (here.size < Math.max(3, minPeers)) {
    if (once(d, `waiting/${key}/${here.size}`)) {
      notice(d, { kind: 'waiting', round: roundOf(d), joined: here.size, needed: minPeers });
    }
    return;
  }
  const { phaseSeconds } = d.config.job.manifest.aggregation;
  if (once(d, `closed/${key}`)) setTimer(d, `roster/${key}`, phaseSeconds * 1000);
  proposeIfMine(d, slot, here);
}

/**
 * Everybody who was there last time has JOINed or is gone, or as many as a roster may have are
 * here, or the window's time is over.
 */
function isWindowClosed(d: Draft, slot: Slot, joins: ReadonlyMap<PeerId, Pooled>): boolean {
  const key = slotKey(slot);
  if (d.marks.has(`window/${key}`)) return true;
  if (!d.marks.has(`grace/${key}`)) return false;
  const { maxPeers } = d.config.job.manifest.admission;
  const here = [...joins.keys()].filter((peer) => !d.lost.has(peer) && !isBanned(d, peer));
  if (here.length >= maxPeers) return true;
  const before = previousRoster(d);
  if (before.length === 0) return false;
  return before.every((peer) => joins.has(peer) || d.lost.has(peer) || isBanned(d, peer));
}

/** Proposes the roster when it is this peer's turn; it is, too, when those before it are lost. */
function proposeIfMine(d: Draft, slot: Slot, joins: ReadonlyMap<PeerId, Pooled>): void {
  if (d.marks.has(`proposed/${slotKey(slot)}`)) return;
  const roundId = currentRoundId(d, slot.restarts);
  const members = chooseMembers(d, joins);
  if (proposerOf(roundId, slot.attempt, members) !== selfOf(d)) return;
  if (!once(d, `proposed/${slotKey(slot)}`)) return;
  const body: BodyOf<'roster'> = {
    kind: 'roster',
    joins: members.map((peer) => joins.get(peer)!.envelope.hash),
  };
  // Who has not heard of a ban would miss the banned in this roster.
  for (const peer of joinsOf(d.pool, roundId, slot.attempt).keys()) {
    if (isBanned(d, peer)) showEvidence(d, peer);
  }
  send(d, { roundId, attempt: slot.attempt, roster: null }, body);
  advanceJoining(d);
}

/**
 * Members of a roster in order of peer ids; with too many JOINs, those of lowest H(parent ‖ JOIN).
 */
export function chooseMembers(
  s: EngineState,
  joins: ReadonlyMap<PeerId, Pooled>,
): readonly PeerId[] {
  const { maxPeers } = s.config.job.manifest.admission;
  if (joins.size <= maxPeers) return [...joins.keys()].sort(compareText);
  const ranked = [...joins].map(([peer, { envelope }]) => ({
    peer,
    rank: hashHex(fromHex(parentOf(s)), fromHex(envelope.hash)),
  }));
  ranked.sort((a, b) => compareText(a.rank, b.rank));
  const chosen = ranked.slice(0, maxPeers);
  return chosen.map(({ peer }) => peer).sort(compareText);
}

/** No roster came in time although enough peers JOINed: the next attempt has the next proposer. */
export function onRosterTimeout(d: Draft, slot: Slot): void {
  if (d.phase.name !== 'joining' || slotKey(d.phase.slot) !== slotKey(slot)) return;
  leaveForGood(d, slot);
  enterJoining(d, slotAfter(slot));
}

/** JOINs in a slot that was used or given up say nothing about where their senders are now. */
function leaveForGood(d: Draft, slot: Slot): void {
  d.barred = withItem(d.barred, barKey(d, slot));
}

/**
 * Peers may have counted attempts differently: go where most of the others are, the later slot on a
 * tie. At least f + 1 of the last roster must be there, so that no liar leads anybody astray.
 */
function followOthers(d: Draft): void {
  if (d.phase.name !== 'joining') return;
  const own = d.phase.slot;
  const needed = byzantineMax(Math.max(3, previousRoster(d).length)) + 1;
  const seen = slotsSeen(d);
  const here = seen.find(({ slot }) => slotKey(slot) === slotKey(own));
  let best = { slot: own, count: here?.count ?? 0 };
  for (const { slot, count } of seen) {
    const more = count > best.count || (count === best.count && compareSlots(slot, best.slot) > 0);
    const enough = count >= Math.max(needed, isNear(own, slot) ? 1 : 2);
    if (enough && more && !isClosed(d, slot)) best = { slot, count };
  }
  if (slotKey(best.slot) !== slotKey(own)) enterJoining(d, best.slot);
}

/** One other peer's word is enough for a short way only: a made-up key may be behind it. */
const isNear = (own: Slot, slot: Slot): boolean =>
  slot.restarts <= own.restarts + 1 && slot.attempt <= own.attempt + 2;

const isClosed = (d: Draft, slot: Slot): boolean =>
  d.barred.has(barKey(d, slot)) || isRosterMade(d, slot);

/** Slots that anybody JOINed, and how many others did. */
function slotsSeen(d: Draft): readonly { readonly slot: Slot; readonly count: number }[] {
  return [...joinCounts(d.pool, selfOf(d))].flatMap(({ join: { body, attempt }, others }) => {
    if (body.kind !== 'join') return [];
    return [{ slot: { restarts: body.restarts, attempt }, count: others }];
  });
}
