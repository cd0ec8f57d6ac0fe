import {
  decodeCanonical,
  encodeCanonical,
  equalBytes,
  fromHex,
  type PeerId,
  type RoundId,
  toHex,
} from '@starling/core';
import { hashHex, publicKeyOf } from '@starling/crypto';
import {
  ACCUSATIONS,
  type Envelope,
  EVIDENCE_BYTES_MAX,
  type Evidence,
  evidenceCodec,
  openEnvelope,
} from '@starling/protocol-rounds';
import { byzantineMax, threshold } from '@starling/protocol-secagg';
import { headHash } from './chain.ts';
import { indexIn } from './peer-index.ts';
import { accusationsOf, slotOfEnvelope } from './pool.ts';
import { roundIdOf, slotKey } from './round-id.ts';
import {
  type Draft,
  type EngineState,
  notice,
  type RunningSession,
  roundOf,
  selfOf,
  send,
} from './state.ts';

/**
 * Who provably lied is left out of the rosters of the next hundred rounds. Proof is what a peer
 * that was not there can check: two envelopes in one slot, or accusations by more members of a
 * roster than it can have liars. Spec protocols/rounds/spec.md §4.8.
 */

const BAN_ROUNDS = 100;
/** Bans kept of one job; whoever makes up keys to fill the list is banned by each of them. */
const BANS_MAX = 4_096;

/** Why a peer is in no roster before round `until`. */
export interface Ban {
  readonly until: number;
  readonly reason: string;
  /** What convinces others; undefined when it is too large, or nobody else can check it. */
  readonly evidence: Uint8Array | undefined;
}

const banText = ({ until, reason, evidence }: Ban): string =>
  [until, reason, evidence === undefined ? '' : toHex(evidence)].join(' ');

/** A ban as the journal has it. */
export function parseBan(text: string): Ban {
  const [until, reason = '', evidence] = text.split(' ');
  return { until: Number(until), reason, evidence: evidence ? fromHex(evidence) : undefined };
}

export const isBanned = (s: EngineState, peer: PeerId): boolean =>
  (s.bans.get(peer)?.until ?? 0) > roundOf(s);

/** Whether everybody has had an attempt's time to learn of the ban: then no ROSTER may name the peer. */
export const isKnownLiar = (s: EngineState, peer: PeerId): boolean =>
  isBanned(s, peer) && s.bans.get(peer)!.evidence !== undefined && !s.freshBans.has(peer);

/** A new attempt: what was shown to all before it counts against its ROSTERs. */
export function settleBans(d: Draft): void {
  d.freshBans = new Map([...d.freshBans].filter(([, how]) => how === 'own'));
}

function told(d: Draft, peer: PeerId): void {
  if (d.freshBans.get(peer) === 'own') d.freshBans = new Map(d.freshBans).set(peer, 'told');
}

/** Tells the others why a peer is banned: they put it into a roster, or would miss it in one. */
export function showEvidence(d: Draft, peer: PeerId): void {
  const bytes = d.bans.get(peer)?.evidence;
  if (bytes === undefined) return;
  d.effects.push({ kind: 'gossip', message: { kind: 'evidence', bytes }, cell: null });
  told(d, peer);
}

/** Those who show what all hold, about. */
const WITNESSES = 8;

/**
 * The same, of a ROSTER that names a banned peer: many hold the evidence, and a few of them, drawn
 * by the ROSTER's hash, show it for all.
 */
export function showByLot(d: Draft, peer: PeerId, roster: Envelope, members: number): void {
  const [first] = hashHex(fromHex(roster.hash), publicKeyOf(selfOf(d))).match(/^.{8}/)!;
  if (Number.parseInt(first, 16) / 2 ** 32 < WITNESSES / members) showEvidence(d, peer);
}

/** Two envelopes in one slot, as this peer got them. */
export function onConflict(d: Draft, first: Envelope, second: Envelope): void {
  const place = placeOf(d, first.roundId);
  if (place === undefined) return;
  const evidence = { kind: 'equivocation', ...place, first: first.bytes, second: second.bytes };
  ban(d, first.sender, 'equivocation', evidence as Evidence);
}

/** Says so to everybody who may check it: the roster, or the cell when there are many. */
export function accuse(d: Draft, session: RunningSession, peer: PeerId, reason: string): void {
  const known = ACCUSATIONS.find((each) => each === reason);
  const member = indexIn(session.roster, peer);
  // Equivocation needs no witnesses: the two envelopes are with everybody.
  if (known === undefined || member === undefined) return;
  const { roundId, slot, digest, assembly, config } = session;
  const cell = assembly === undefined ? null : config.rosterDigest;
  const context = { roundId, attempt: slot.attempt, roster: digest };
  send(d, context, { kind: 'accuse', member, reason: known }, cell);
  weighAccusations(d, session, member);
}

/** Counts what has come for the running attempt. */
export function onAccusations(d: Draft, envelopes: readonly Envelope[]): void {
  if (!('session' in d.phase)) return;
  const { session } = d.phase;
  for (const { body, roster } of envelopes) {
    if (body.kind !== 'accuse' || roster === null) continue;
    if (equalBytes(roster, session.digest)) weighAccusations(d, session, body.member);
  }
}

function weighAccusations(d: Draft, session: RunningSession, member: number): void {
  const { roster, roundId, slot, digest, assembly, config } = session;
  const peer = roster[member];
  if (peer === undefined || isBanned(d, peer)) return;
  const isOne = assembly === undefined;
  const witnesses = isOne ? roster : config.members.map((each) => each.peer);
  if (indexIn(witnesses, peer) === undefined) return;
  const heard = accusationsOf(d.pool, roundId, slot.attempt, member).filter(
    (envelope) =>
      envelope.roster !== null &&
      equalBytes(envelope.roster, digest) &&
      indexIn(witnesses, envelope.sender) !== undefined,
  );
  const accusations = firstOfEach(heard);
  const [first] = accusations;
  // A random cell may have more liars than a third of it: there a quorum has to say so.
  const needed = isOne ? byzantineMax(roster.length) + 1 : threshold(witnesses.length);
  if (accusations.length < needed || first?.body.kind !== 'accuse') return;
  const evidence: Evidence = {
    kind: 'testimony',
    round: roundOf(d),
    restarts: slot.restarts,
    accusations: accusations.map(({ bytes }) => bytes),
  };
  ban(d, peer, first.body.reason, isOne ? evidence : undefined);
}

function firstOfEach(envelopes: readonly Envelope[]): readonly Envelope[] {
  const bySender = new Map<PeerId, Envelope>();
  for (const envelope of envelopes) {
    if (!bySender.has(envelope.sender)) bySender.set(envelope.sender, envelope);
  }
  return [...bySender.values()];
}

/** Evidence from others, checked as if nobody had passed it on. */
export function onEvidence(d: Draft, bytes: Uint8Array): void {
  const found = verifyEvidence(d, bytes);
  if (found === undefined) return;
  ban(d, found.peer, found.reason, found.evidence);
  told(d, found.peer);
}

interface Verdict {
  readonly peer: PeerId;
  readonly reason: string;
  readonly evidence: Evidence;
}

/** Whom a piece of evidence convicts; undefined when it convinces nobody, or not this peer yet. */
export function verifyEvidence(s: EngineState, bytes: Uint8Array): Verdict | undefined {
  try {
    const evidence = decodeCanonical(evidenceCodec, bytes, EVIDENCE_BYTES_MAX);
    const verdict =
      evidence.kind === 'equivocation' ? verifyPair(s, evidence) : verifyTestimony(s, evidence);
    return verdict && { ...verdict, evidence };
  } catch {
    // Malformed: whoever passes it on gains nothing.
    return undefined;
  }
}

function verifyPair(
  s: EngineState,
  { round, restarts, ...pair }: Extract<Evidence, { kind: 'equivocation' }>,
): Omit<Verdict, 'evidence'> | undefined {
  const first = openEnvelope(pair.first);
  const second = openEnvelope(pair.second);
  if (first === undefined || second === undefined || first.hash === second.hash) return undefined;
  const slot = slotOfEnvelope(first);
  const isOne =
    slot !== undefined &&
    slot === slotOfEnvelope(second) &&
    first.sender === second.sender &&
    first.roundId === second.roundId &&
    first.attempt === second.attempt;
  if (!isOne || first.roundId !== roundIdAt(s, round, restarts)) return undefined;
  return { peer: first.sender, reason: 'equivocation' };
}

function verifyTestimony(
  s: EngineState,
  { round, restarts, accusations }: Extract<Evidence, { kind: 'testimony' }>,
): Omit<Verdict, 'evidence'> | undefined {
  const envelopes = accusations.map(openEnvelope);
  const [first] = envelopes;
  if (first?.body.kind !== 'accuse' || first.roster === null) return undefined;
  const { member, reason } = first.body;
  const roster = rosterAt(s, round, restarts, first.attempt);
  const peer = roster?.[member];
  if (roster === undefined || peer === undefined) return undefined;
  if (first.roundId !== roundIdAt(s, round, restarts)) return undefined;
  const witnesses = new Set<PeerId>();
  for (const envelope of envelopes) {
    const fits =
      envelope?.body.kind === 'accuse' &&
      envelope.body.member === member &&
      envelope.roundId === first.roundId &&
      envelope.attempt === first.attempt &&
      envelope.roster !== null &&
      equalBytes(envelope.roster, first.roster) &&
      indexIn(roster, envelope.sender) !== undefined;
    if (fits) witnesses.add(envelope.sender);
  }
  return witnesses.size > byzantineMax(roster.length) ? { peer, reason } : undefined;
}

/** The certified roster of an attempt, or the one that this peer is in. */
function rosterAt(
  { chain, phase }: EngineState,
  round: number,
  restarts: number,
  attempt: number,
): readonly PeerId[] | undefined {
  const statement = chain[round - 1]?.statement;
  if (statement?.restarts === restarts && statement.attempt === attempt) return statement.roster;
  if (!('session' in phase) || round !== chain.length + 1) return undefined;
  const { slot, roster } = phase.session;
  return slotKey(slot) === slotKey({ restarts, attempt }) ? roster : undefined;
}

/** The name of a round on this peer's chain; undefined for one that it has not reached. */
function roundIdAt(s: EngineState, round: number, restarts: number): RoundId | undefined {
  if (round < 1 || round > s.chain.length + 1) return undefined;
  const { job } = s.config;
  return roundIdOf(job.id, headHash(s.chain.slice(0, round - 1), job.id), round, restarts);
}

/** Restarts beyond this peer's own in which it looks for a round's name. */
const RESTARTS_AHEAD = 16;

function placeOf(d: Draft, roundId: RoundId): { round: number; restarts: number } | undefined {
  const round = roundOf(d);
  for (let restarts = 0; restarts <= d.slot.restarts + RESTARTS_AHEAD; restarts++) {
    if (roundIdAt(d, round, restarts) === roundId) return { round, restarts };
  }
  return undefined;
}

function ban(d: Draft, peer: PeerId, reason: string, evidence: Evidence | undefined): void {
  if (isBanned(d, peer) || d.bans.size >= BANS_MAX) return;
  const encoded = evidence && encodeCanonical(evidenceCodec, evidence);
  const bytes = encoded && encoded.length <= EVIDENCE_BYTES_MAX ? encoded : undefined;
  const until = (evidence?.round ?? roundOf(d)) + BAN_ROUNDS;
  if (until <= roundOf(d)) return;
  d.bans = new Map(d.bans).set(peer, { until, reason, evidence: bytes });
  d.freshBans = new Map(d.freshBans).set(peer, 'own');
  d.effects.push({ kind: 'journal', key: `ban/${peer}`, value: banText(d.bans.get(peer)!) });
  notice(d, { kind: 'banned', peer, reason, until });
}
