import { type PeerId, toHex, unreachable } from '@starling/core';
import { Secret } from '@starling/crypto';
import {
  type Certificate,
  type Envelope,
  isCancelled,
  statementHash,
} from '@starling/protocol-rounds';
import type { CellSum } from '@starling/secagg';
import {
  deliverEnvelopes,
  drive,
  driveAssembly,
  outcomeOf,
  startAttempt,
  tellReachable,
} from './attempt.ts';
import { onAccusations, onConflict, onEvidence } from './bans.ts';
import { certificateReady, enterCertifying, hurryCertifying, isQuorumAway } from './certify.ts';
import { type Chain, firstDifference, isBetter, isOver } from './chain.ts';
import { advanceJoining, enterJoining, onRosterTimeout } from './joining.ts';
import { barKey, isAdmitted, isJoinCurrent } from './joins.ts';
import { advancePlacing } from './placing.ts';
import { addAllToPool, emptyPool } from './pool.ts';
import { compareSlots, drawOf, parseSlot, type Slot, slotAfter, slotKey } from './round-id.ts';
import {
  currentRoundId,
  type Draft,
  draftOf,
  type EngineState,
  notice,
  once,
  parentOf,
  type RunningSession,
  roundOf,
  selfOf,
  setTimer,
  stateHashOf,
  undo,
  withItem,
} from './state.ts';
import { armPull, askChain, candidateWith, considerChain, isOutrun, pullOnce } from './sync.ts';
import type { EngineEffect, EngineEvent, TimedEvent } from './types.ts';

type EventOf<K extends EngineEvent['kind']> = Extract<EngineEvent, { readonly kind: K }>;

export interface EngineStep {
  readonly state: EngineState;
  readonly effects: readonly EngineEffect[];
}

/** Envelopes of rounds not reached yet that are kept. */
const EARLY_MAX = 4_096;
/** Restarts beyond our own whose messages are kept. */
const RESTARTS_AHEAD = 4;
/** Marks of a round up to which strangers are told of: keys cost nothing. */
const MARKED_MAX = 1_024;
const RETRAIN_MS = 5_000;
/** The wait doubles so often, up to some five minutes. */
const RETRAIN_DOUBLINGS = 6;

/**
 * One job on one peer: event in, effects out. The same function runs in the daemon and in the
 * simulator. Effects are to be performed in order; `journal` and `store-chain` must be on disk
 * before the next one is performed. Spec: protocols/rounds/spec.md.
 */
export function engineStep(state: EngineState, { at, event }: TimedEvent): EngineStep {
  const d = draftOf(state, at);
  handle(d, event);
  advance(d);
  const { at: _, effects, ...next } = d;
  return { state: next, effects };
}

function handle(d: Draft, event: EngineEvent): void {
  switch (event.kind) {
    case 'start':
      onStart(d, event);
      return;
    case 'prepared':
      d.vectorLength = event.vectorLength;
      d.genesis = event.stateHash;
      if (d.phase.name === 'preparing') beginRound(d);
      return;
    case 'participate':
      onParticipate(d, event.on);
      return;
    case 'trained':
      onTrained(d, event);
      return;
    case 'train-failed':
      onTrainFailed(d, event);
      return;
    case 'envelopes':
      onEnvelopes(d, event.envelopes);
      return;
    case 'evidence':
      onEvidence(d, event.bytes);
      return;
    case 'cancel':
      onCancel(d, event);
      return;
    case 'timer':
      onTimer(d, event.timer);
      return;
    case 'reachable':
      onReachable(d, event.peer, event.reachable);
      return;
    case 'session':
      onSessionEvent(d, event);
      return;
    case 'assembly':
      if (isRunning(d, event)) driveAssembly(d, event.event);
      return;
    case 'applied':
      if (d.phase.name === 'applying' && d.phase.session.roundId === event.roundId) {
        enterCertifying(d, event);
      }
      return;
    case 'apply-failed':
      if (d.phase.name === 'applying' && d.phase.session.roundId === event.roundId) {
        burn(d, event.reason);
      }
      return;
    case 'head':
      onHead(d, event);
      return;
    case 'chain':
      considerChain(d, event.from, event.certificates);
      return;
    case 'state-fetched': {
      d.outrun = candidateWith(d, event.stateHash) ?? d.outrun;
      return;
    }
    case 'state-missing':
      if (d.candidate?.at(-1)?.statement.stateHash === event.stateHash) d.candidate = undefined;
      return;
    default:
      unreachable(event);
  }
}

/** Follows up on what any event may have made possible. */
function advance(d: Draft): void {
  if (d.phase.name === 'joining') advanceJoining(d);
  if (d.phase.name === 'placing') advancePlacing(d);
  if (d.phase.name === 'session') {
    const { session } = d.phase;
    if (once(d, `started/${slotKey(session.slot)}`)) startAttempt(d, session);
    onOutcome(d);
  }
  const certificate = certificateReady(d);
  if (certificate !== undefined) adoptChain(d, [...d.chain, certificate], true);
  else hurryCertifying(d);
  adoptOutrun(d);
}

/** Takes over the better chain that is ready, unless this peer's own attempt may make one. */
function adoptOutrun(d: Draft): void {
  const { outrun } = d;
  if (outrun === undefined || isOutrun(d, outrun)) return;
  d.outrun = undefined;
  if (isBetter(outrun, d.chain)) adoptChain(d, outrun, false);
}

function onStart(d: Draft, event: Extract<EngineEvent, { kind: 'start' }>): void {
  d.chain = event.certificates;
  d.bans = new Map(event.bans);
  d.cancelled = event.cancelled;
  for (const { roundId, slot } of event.joined) {
    d.barred = withItem(d.barred, `${roundId}/${slotKey(slot)}`);
  }
  d.slot = firstFreeSlot(
    d,
    event.joined.map(({ slot }) => slot),
  );
  armPull(d);
}

/** The launcher calls its job off: nobody trains or JOINs any more, and what is certified stays. */
function onCancel(d: Draft, { signature, spread = false }: EventOf<'cancel'>): void {
  if (d.cancelled !== undefined || !isCancelled(d.config.job, signature)) return;
  d.cancelled = signature;
  d.effects.push({ kind: 'journal', key: 'cancelled', value: toHex(signature) });
  if (spread) {
    d.effects.push({ kind: 'gossip', message: { kind: 'cancel', signature }, cell: null });
  }
  dropUpdate(d);
  if (d.phase.name !== 'finished') d.phase = { name: 'cancelled' };
  notice(d, { kind: 'cancelled', round: d.chain.length });
}

/** Consent that is taken back holds for an update that no roster has yet, too. */
function onParticipate(d: Draft, on: boolean): void {
  d.participating = on;
  const isOpen = d.phase.name === 'joining' || d.phase.name === 'placing';
  const isWithdrawn = isOpen && !on;
  if (isWithdrawn) {
    dropUpdate(d);
    d.slot = slotAfter(d.slot);
  }
  if (isWithdrawn || d.phase.name === 'watching' || d.phase.name === 'training') beginRound(d);
}

/** After a restart: the slot behind the last one JOINed in the present round. */
function firstFreeSlot(d: Draft, joined: readonly Slot[]): Slot {
  const mine = joined.filter((slot) => d.barred.has(barKey(d, slot))).sort(compareSlots);
  const last = mine.at(-1);
  return last ? slotAfter(last) : { restarts: 0, attempt: 0 };
}

/** Trains for the present round, or watches it. */
function beginRound(d: Draft): void {
  const stateHash = stateHashOf(d);
  if (stateHash === undefined) {
    d.phase = { name: 'preparing' };
    return;
  }
  if (d.cancelled !== undefined) {
    d.phase = { name: 'cancelled' };
    return;
  }
  if (isOver(d.chain, d.config.job.manifest)) {
    d.phase = { name: 'finished' };
    notice(d, { kind: 'finished', round: d.chain.length });
    return;
  }
  const trains = d.participating && isDrawn(d);
  d.phase = { name: trains ? 'training' : 'watching' };
  if (!trains) return;
  notice(d, { kind: 'training', round: roundOf(d) });
  d.effects.push({ kind: 'train', stateHash, round: roundOf(d) });
}

/**
 * Partial participation: a part of the peers trains in a round, each drawn by H(round ‖ key). When
 * that part brings no certificate in time, twice as many are drawn. A courtesy: whoever trains all
 * the same is as welcome.
 */
function isDrawn(d: Draft): boolean {
  const { participation, joinWindowSeconds } = d.config.job.manifest.admission;
  if (participation >= 1) return true;
  let times = 0;
  while (d.marks.has(`drawn-again/${times}`)) times++;
  const lot = drawOf(currentRoundId(d, 0), selfOf(d));
  if (lot < participation * 2 ** times) return true;
  const wait = DRAW_WINDOWS * joinWindowSeconds + DRAW_PHASES * phaseSecondsOf(d);
  if (once(d, `draw-set/${times}`)) setTimer(d, `draw/${times}`, wait * 1000);
  return false;
}
/** How long those drawn may take before more are. */
const DRAW_WINDOWS = 4;
const DRAW_PHASES = 12;
const phaseSecondsOf = (d: Draft): number => d.config.job.manifest.aggregation.phaseSeconds;

function onTrained(d: Draft, event: Extract<EngineEvent, { kind: 'trained' }>): void {
  if (d.phase.name !== 'training' || event.stateHash !== stateHashOf(d)) return;
  d.update = { ...event.update, entropy: new Secret(event.entropy) };
  enterJoining(d, d.slot);
}

/** An update that is not finite, or a dead trainer: this peer stays out, and tries again later. */
function onTrainFailed(d: Draft, event: Extract<EngineEvent, { kind: 'train-failed' }>): void {
  if (d.phase.name !== 'training' || event.stateHash !== stateHashOf(d)) return;
  const { reason } = event;
  notice(d, { kind: 'train-failed', reason });
  d.phase = { name: 'watching' };
  let attempt = 0;
  while (!once(d, `retrain-set/${attempt}`)) attempt++;
  setTimer(d, `retrain/${attempt}`, RETRAIN_MS * 2 ** Math.min(attempt, RETRAIN_DOUBLINGS));
}

function onEnvelopes(d: Draft, envelopes: readonly Envelope[]): void {
  if (d.phase.name === 'finished' || d.phase.name === 'cancelled') return;
  const ours: Envelope[] = [];
  const others: Envelope[] = [];
  for (const envelope of envelopes) {
    if (isFromStranger(d, envelope)) continue;
    if (isOfThisRound(d, envelope)) ours.push(envelope);
    else others.push(envelope);
  }
  noteOtherRounds(d, others);
  const { pool, added, conflicts } = addAllToPool(d.pool, ours, d.at);
  d.pool = pool;
  for (const [first, second] of conflicts) onConflict(d, first, second);
  onAccusations(d, added);
  deliverEnvelopes(d, added);
}

/** A JOIN or a ROSTER of a peer that the swarm does not let train; told once for each. */
function isFromStranger(d: Draft, envelope: Envelope): boolean {
  const { body, sender } = envelope;
  if (body.kind !== 'join' && body.kind !== 'roster') return false;
  if (isAdmitted(d, envelope)) return false;
  if (d.marks.size < MARKED_MAX && once(d, `stranger/${sender}`)) {
    notice(d, {
      kind: 'refused',
      reason: `${body.kind}: may not train in this swarm`,
      peer: sender,
    });
  }
  return true;
}

function isOfThisRound(d: Draft, envelope: Envelope): boolean {
  if (envelope.body.kind === 'join') return isJoinCurrent(d, envelope);
  const most = d.slot.restarts + RESTARTS_AHEAD;
  for (let restarts = 0; restarts <= most; restarts++) {
    if (envelope.roundId === currentRoundId(d, restarts)) return true;
  }
  return false;
}

/** From a later round: kept, and a sender asked for the certificates in between. */
function noteOtherRounds(d: Draft, envelopes: readonly Envelope[]): void {
  if (envelopes.length === 0) return;
  // The newest are kept: older ones are more likely of a round that is over.
  d.early = [...d.early, ...envelopes].slice(-EARLY_MAX);
  for (const { body, sender } of envelopes) {
    if (body.kind !== 'join' || body.round < roundOf(d)) continue;
    const isElsewhere = body.round > roundOf(d) || body.parent !== parentOf(d);
    if (isElsewhere) askChain(d, sender, `join/${body.round}/${body.parent}`);
  }
}

function onReachable(d: Draft, peer: PeerId, reachable: boolean): void {
  const without = (set: ReadonlySet<PeerId>) => new Set([...set].filter((other) => other !== peer));
  d.reachable = reachable ? withItem(d.reachable, peer) : without(d.reachable);
  d.lost = reachable ? without(d.lost) : withItem(d.lost, peer);
  if (reachable) askChain(d, peer, `connected/${peer}`);
  tellReachable(d, peer, reachable);
}

function onSessionEvent(d: Draft, event: Extract<EngineEvent, { kind: 'session' }>): void {
  const { roundId, message } = event;
  if (isRunning(d, { roundId, slot: message.slot })) drive(d, message.event);
}

/** Somebody is further on, or as far on another branch. */
function onHead(d: Draft, event: Extract<EngineEvent, { kind: 'head' }>): void {
  const { round, certificate, from } = event;
  const isElsewhere = round === d.chain.length && certificate !== parentOf(d);
  if (round > d.chain.length || isElsewhere) askChain(d, from, `head/${round}/${certificate}`);
}

function isRunning(d: Draft, { roundId, slot }: { roundId: string; slot: Slot }): boolean {
  if (d.phase.name !== 'session') return false;
  const { session } = d.phase;
  return slotKey(session.slot) === slotKey(slot) && session.roundId === roundId;
}

function onTimer(d: Draft, timer: string): void {
  const [round, name, restarts, attempt, ...rest] = timer.split('/') as string[];
  if (Number(round) !== roundOf(d)) return;
  const slot = parseSlot(`${restarts}/${attempt}`);
  switch (name) {
    case 'pull':
      pullOnce(d);
      return;
    case 'retrain':
      if (d.phase.name === 'watching') beginRound(d);
      return;
    case 'draw':
      // The second part of this timer's name counts the draws.
      if (once(d, `drawn-again/${restarts}`) && d.phase.name === 'watching') beginRound(d);
      return;
    case 'window':
    case 'grace':
      once(d, `${name}/${slotKey(slot)}`);
      return;
    case 'roster':
      onRosterTimeout(d, slot);
      return;
    case 'certify':
      if (isCertifying(d, slot)) burn(d, 'certificate-missing');
      return;
    case 'certify-hurry':
      if (isCertifying(d, slot) && isQuorumAway(d)) burn(d, 'certificate-missing');
      else undo(d, `hurry-certify/${slotKey(slot)}`);
      return;
    case 'acks':
      once(d, `acks/${slotKey(slot)}`);
      return;
    case 'cells':
      if (d.phase.name === 'placing' && slotKey(d.phase.placing.slot) === slotKey(slot)) {
        notice(d, { kind: 'retry', round: roundOf(d), slot, reason: 'no-cells', proven: false });
        enterJoining(d, slotAfter(slot));
      }
      return;
    case 'session':
    case 'assembly':
      if (d.phase.name !== 'session' || slotKey(d.phase.session.slot) !== slotKey(slot)) return;
      if (name === 'session') drive(d, { kind: 'timer', timer: rest.join('/') });
      else driveAssembly(d, { kind: 'timer', timer: rest.join('/') });
      return;
    default:
  }
}

const isCertifying = (d: Draft, slot: Slot): boolean =>
  d.phase.name === 'certifying' && slotKey(d.phase.session.slot) === slotKey(slot);

function onOutcome(d: Draft): void {
  if (d.phase.name !== 'session') return;
  const { session } = d.phase;
  const { slot } = session;
  const outcome = outcomeOf(session);
  if (outcome === undefined) return;
  if (outcome.kind === 'sum') {
    enterApplying(d, session, outcome.sums);
    return;
  }
  if (outcome.kind === 'retry') {
    const { reason } = outcome;
    const proven = reason !== 'never-masked';
    notice(d, { kind: 'retry', round: roundOf(d), slot, reason, proven });
    if (d.participating) enterJoining(d, slotAfter(slot));
    else withdraw(d);
    advance(d);
    return;
  }
  burn(d, outcome.reason);
}

function enterApplying(d: Draft, session: RunningSession, sums: readonly CellSum[]): void {
  const { slot, roundId, roster } = session;
  const cells = sums.map((sum) => sum.survivors.map((index) => roster[index]!));
  const survivors = cells.flat();
  const round = roundOf(d);
  notice(d, { kind: 'sum', round, slot, survivors, cells });
  d.phase = { name: 'applying', session };
  const results = sums.map(({ result }, cell) => ({ sum: result, survivors: cells[cell]! }));
  const stateHash = stateHashOf(d)!;
  d.effects.push({ kind: 'apply', roundId, slot, results, stateHash, round });
}

/** The update may still be opened by somebody: it is never used again (design decision 9b). */
function burn(d: Draft, reason: string): void {
  if (!('session' in d.phase)) return;
  const { slot, roundId } = d.phase.session;
  const update = d.update!;
  d.effects.push({ kind: 'journal', key: `burnt/${roundId}/${update.id}`, value: reason });
  notice(d, { kind: 'burnt', round: roundOf(d), slot, reason, update: update.id });
  d.slot = { restarts: slot.restarts + 1, attempt: 0 };
  if (d.config.canary === 'reuse-update') {
    enterJoining(d, d.slot);
    return;
  }
  dropUpdate(d);
  beginRound(d);
}

/** Consent is gone: the update is not used again, and the round only watched. */
function withdraw(d: Draft): void {
  dropUpdate(d);
  beginRound(d);
}

/** No JOIN may follow in a slot whose keys belonged to an update that is gone. */
function dropUpdate(d: Draft): void {
  for (const key of d.joined) d.barred = withItem(d.barred, barKey(d, parseSlot(key)));
  d.joined = new Set();
  d.update = undefined;
}

/** Takes over a chain: our own with one more certificate, or a better one from others. */
function adoptChain(d: Draft, chain: Chain, own: boolean): void {
  const from = firstDifference(chain, d.chain)!;
  d.effects.push({ kind: 'store-chain', from, certificates: chain.slice(from) });
  for (let restarts = 0; restarts <= d.slot.restarts; restarts++) {
    d.effects.push({ kind: 'release', roundId: currentRoundId(d, restarts) });
  }
  if (from < d.chain.length) notice(d, { kind: 'rolled-back', toRound: from });
  for (const certificate of chain.slice(from)) noticeCertified(d, certificate, own);
  dropUpdate(d);
  d.chain = chain;
  d.slot = { restarts: 0, attempt: 0 };
  d.pool = emptyPool;
  d.marks = new Set();
  const last = chain.at(-1)!;
  const certificate = statementHash(last.statement);
  const message = { kind: 'head', round: chain.length, certificate } as const;
  d.effects.push({ kind: 'gossip', message, cell: null });
  armPull(d);
  beginRound(d);
  const early = d.early;
  d.early = [];
  onEnvelopes(d, early);
}

function noticeCertified(d: Draft, certificate: Certificate, own: boolean): void {
  const hash = statementHash(certificate.statement);
  notice(d, { kind: 'certified', certificate, hash, own });
}
