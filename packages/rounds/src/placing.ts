import { equalBytes, type PeerId } from '@starling/core';
import type { Envelope } from '@starling/protocol-rounds';
import { threshold } from '@starling/protocol-secagg';
import { fromBitmap, toBitmap } from '@starling/secagg';
import { beaconCommitment, beaconReveal, cellsDigest } from './cells.ts';
import { attemptSeed } from './joins.ts';
import { inSlot, type Pooled } from './pool.ts';
import { slotKey } from './round-id.ts';
import { sessionOfMany } from './running.ts';
import { type Draft, notice, once, type Placing, selfOf, send, setTimer } from './state.ts';

/** How long the proposer waits for the last ACK, and everybody for its CELLS, in phases. */
const ACK_PHASES = 1;
const CELLS_PHASES = 4;
/** Part of the ACKs that may have been overlooked. */
const LEFT_OUT_MAX = 1 / 20;

/**
 * From a roster to its cells: everybody reveals what its JOIN committed to, the proposer says whose
 * reveals count, and together they are the beacon that cuts the roster. Nobody could know the cells
 * when it JOINed. Spec protocols/rounds/spec.md §4.4.
 */
export function enterPlacing(d: Draft, placing: Placing): void {
  const { slot, roundId, digest } = placing;
  d.phase = { name: 'placing', placing };
  const reveal = beaconReveal(attemptSeed(d, roundId, slot.attempt));
  send(d, { roundId, attempt: slot.attempt, roster: digest }, { kind: 'ack', reveal });
  const { phaseSeconds } = d.config.job.manifest.aggregation;
  setTimer(d, `acks/${slotKey(slot)}`, ACK_PHASES * phaseSeconds * 1000);
  setTimer(d, `cells/${slotKey(slot)}`, CELLS_PHASES * phaseSeconds * 1000);
}

/** Does what the ACKs seen so far call for; runs after every event while placing. */
export function advancePlacing(d: Draft): void {
  if (d.phase.name !== 'placing') return;
  const { placing } = d.phase;
  proposeCells(d, placing);
  const { roundId, slot, proposer: sender } = placing;
  for (const { envelope, at } of inSlot(d.pool, roundId, slot.attempt, { slot: 'cells', sender })) {
    if (envelope.body.kind !== 'cells' || !isBound(envelope, placing)) continue;
    const acks = acksOf(d, placing);
    const acked = fromBitmap(envelope.body.acked, placing.joins.length);
    if (acked === undefined || acked.length < threshold(placing.joins.length)) continue;
    const joins = acked.map((member) => placing.joins[member]!);
    const reveals = joins.flatMap(({ sender }) => revealIn(acks.get(sender)) ?? []);
    // An ACK that has not come yet will.
    if (reveals.length !== joins.length) continue;
    if (isCensored(d, placing, new Set(joins.map(({ sender }) => sender)), acks, at)) {
      if (!once(d, `refused/${envelope.hash}`)) continue;
      const reason = 'cells leave out many who accepted the roster in time';
      notice(d, { kind: 'refused', reason, peer: envelope.sender });
      continue;
    }
    const digest = cellsDigest(placing.digest, envelope.body.acked, reveals);
    const session = sessionOfMany(d, placing, joins, digest);
    if (session === undefined) continue;
    d.phase = { name: 'session', session };
    return;
  }
}

const isBound = ({ roster }: Envelope, { digest }: Placing): boolean =>
  roster !== null && equalBytes(roster, digest);

function revealIn(ack: Pooled | undefined): Uint8Array | undefined {
  const body = ack?.envelope.body;
  return body?.kind === 'ack' ? body.reveal : undefined;
}

/** ACKs of this roster that open what their senders' JOINs committed to. */
function acksOf(d: Draft, placing: Placing): ReadonlyMap<PeerId, Pooled> {
  const commitments = commitmentsOf(placing);
  const acks = new Map<PeerId, Pooled>();
  const { roundId, slot } = placing;
  for (const pooled of inSlot(d.pool, roundId, slot.attempt, { slot: 'ack' })) {
    const { envelope } = pooled;
    const { body, sender } = envelope;
    const commitment = commitments.get(sender);
    if (body.kind !== 'ack' || commitment === undefined || acks.has(sender)) continue;
    if (isBound(envelope, placing) && opens(envelope, commitment)) acks.set(sender, pooled);
  }
  return acks;
}

const known = new WeakMap<Placing, ReadonlyMap<PeerId, Uint8Array>>();
function commitmentsOf(placing: Placing): ReadonlyMap<PeerId, Uint8Array> {
  const before = known.get(placing);
  if (before !== undefined) return before;
  const made = new Map(
    placing.joins.flatMap(({ sender, body }) => {
      return body.kind === 'join' ? [[sender, body.beacon] as const] : [];
    }),
  );
  known.set(placing, made);
  return made;
}

const opened = new WeakMap<Envelope, Uint8Array>();
/** Whether an ACK reveals what was committed to; each is hashed once. */
function opens(ack: Envelope, commitment: Uint8Array): boolean {
  if (ack.body.kind !== 'ack') return false;
  const hash = opened.get(ack) ?? beaconCommitment(ack.body.reveal);
  opened.set(ack, hash);
  return equalBytes(hash, commitment);
}

/**
 * The inclusion rule: a proposer that leaves out many whose ACKs were here in time chooses the
 * cells, and gets no quorum.
 */
function isCensored(
  d: Draft,
  { joins }: Placing,
  listed: ReadonlySet<PeerId>,
  acks: ReadonlyMap<PeerId, Pooled>,
  cellsAt: number,
): boolean {
  const margin = d.config.job.manifest.aggregation.phaseSeconds * 500;
  const left = [...acks].filter(([peer, { at }]) => {
    return !listed.has(peer) && cellsAt - at > margin && !d.lost.has(peer);
  });
  return left.length > LEFT_OUT_MAX * joins.length;
}

/** The roster's proposer says whose ACKs count, once all are here or time is over. */
function proposeCells(d: Draft, placing: Placing): void {
  const { slot, roundId, joins, digest } = placing;
  if (placing.proposer !== selfOf(d) || d.marks.has(`cells-proposed/${slotKey(slot)}`)) return;
  const acks = acksOf(d, placing);
  const missing = joins.some(({ sender }) => !acks.has(sender) && !d.lost.has(sender));
  if (missing && !d.marks.has(`acks/${slotKey(slot)}`)) return;
  if (acks.size < threshold(joins.length)) return;
  once(d, `cells-proposed/${slotKey(slot)}`);
  const acked = joins.flatMap(({ sender }, member) => (acks.has(sender) ? [member] : []));
  const context = { roundId, attempt: slot.attempt, roster: digest };
  send(d, context, { kind: 'cells', acked: toBitmap(acked, joins.length) });
}
