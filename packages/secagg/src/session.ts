import { fromHex, toHex, unreachable } from '@starling/core';
import { abandonsMin, type SecaggMessage } from '@starling/protocol-secagg';
import { onRecounted } from './blame.ts';
import { sendComplaints } from './complaints.ts';
import {
  advance as advanceDecision,
  type DecideIo,
  type DecideState,
  hashOfValue,
  type TimeoutStep,
  timeout as timeoutDecision,
} from './decide.ts';
import {
  holdsMaskSet,
  inspectDealers,
  isBundleSound,
  isMaskSetValid,
  maskSetCandidate,
  startShares,
} from './phase-1-shares.ts';
import {
  enterChunks,
  onChunk,
  onMasked,
  sendChunks,
  sendReceipts,
  verifyChunks,
} from './phase-2-chunks.ts';
import { areSurvivorsValid, survivorsCandidate } from './phase-3-decide.ts';
import { areSumsCommitted, computeSums, enterSums, onSummed, sumKey } from './phase-4-sums.ts';
import { enterUnmask } from './phase-5-unmask.ts';
import { advanceUnmask, onChunksTagged, onSumsTagged } from './phase-6-verify.ts';
import { onChunksUnmasked, onPlainFetched } from './shared-unmasking.ts';
import {
  allMembers,
  broadcast,
  byzantineMaxOf,
  type Draft,
  draftOf,
  end,
  enterPhase,
  journal,
  messageOf,
  once,
  own,
  rosterSize,
  type SessionState,
  setTimer,
  store,
  survivorsOf,
  thresholdOf,
} from './state.ts';
import type { ChunkSum, SessionEffect, SessionEvent } from './types.ts';

export interface Step {
  readonly state: SessionState;
  readonly effects: readonly SessionEffect[];
}

/**
 * One cell's secure aggregation in one attempt, from the roster to the opened sum: event in,
 * effects out, and nothing else. Effects are to be performed in order; a `journal` effect must be
 * on disk before the next one is performed. Spec: protocols/secagg/spec.md §5.
 */
export function step(state: SessionState, event: SessionEvent): Step {
  // An ended session neither votes nor reveals, whatever timers are still to fire.
  if (state.outcome !== undefined) return { state, effects: [] };
  const d = draftOf(state);
  handle(d, event);
  if (d.outcome === undefined) advance(d);
  const { effects, owned: _, ...next } = d;
  return { state: next, effects };
}

function handle(d: Draft, event: SessionEvent): void {
  switch (event.kind) {
    case 'start':
      if (!once(d, 'start')) return;
      enterPhase(d, 'shares');
      armStall(d, 'start');
      startShares(d);
      return;
    case 'messages':
      // No sign that a sender is alive: others pass its old messages on.
      for (const { from, message } of event.messages) {
        if (isWellFormed(d, from, message)) store(d, from, message);
      }
      return;
    case 'timer':
      onTimer(d, event.timer);
      return;
    case 'reachable':
      if (event.reachable) own(d, 'unreachable').delete(event.member);
      else own(d, 'unreachable').add(event.member);
      return;
    case 'masked':
      onMasked(d, event.chunkHashes);
      return;
    case 'chunk-received':
      onChunk(d, event);
      return;
    case 'chunk-missing':
      askAgainLater(d, `open/${event.chunk}/${event.from}`);
      return;
    case 'summed':
      onSummed(d, event.sums);
      for (const { chunk, hash } of event.sums) onRecounted(d, chunk, hash);
      return;
    case 'sum-fetched':
      own(d, 'done').add(`here/${sumKey(event)}`);
      return;
    case 'sum-missing':
      noteMissing(d, event);
      askAgainLater(d, `fetch/${sumKey(event)}`);
      return;
    case 'chunks-tagged':
      onChunksTagged(d, event.tags);
      return;
    case 'sums-tagged':
      onSumsTagged(d, event.tags);
      return;
    case 'chunks-unmasked':
      onChunksUnmasked(d, event.sums);
      return;
    case 'plain-fetched':
      onPlainFetched(d, event);
      return;
    case 'plain-missing':
      askAgainLater(d, `plain/${event.chunk}`);
      return;
    case 'unmasked':
      if (!d.done.has('unmask')) return;
      if (event.inRange) {
        const { result, digest } = event;
        end(d, { kind: 'sum', survivors: survivorsOf(d), result, digest });
      } else end(d, { kind: 'burnt', reason: 'sum-out-of-range' });
      return;
    case 'confirmed':
      onConfirmed(d, event.digest);
      return;
    default:
      unreachable(event);
  }
}

/** What nobody could deliver is asked for again, but not in the same breath. */
function askAgainLater(d: Draft, mark: string): void {
  setTimer(d, `again/${mark}`, 1 / 4);
}

/** Twice in vain: who committed to this sum does not give it, and another owner should. */
function noteMissing(d: Draft, sum: ChunkSum): void {
  const key = sumKey(sum);
  own(d, 'done').add(d.done.has(`missing/${key}`) ? `unserved/${key}` : `missing/${key}`);
}

/** Checks that need the roster; everything else the codec has checked. */
function isWellFormed(d: Draft, from: number, message: SecaggMessage): boolean {
  if (from === d.config.self) return false;
  if (message.kind === 'keyshare') return isBundleSound(d.config, from, message);
  return true;
}

/** Moves through the phases until nothing more follows from what is known. */
function advance(d: Draft): void {
  if (d.phase === 'shares') inspectDealers(d);
  advanceDecision(d.maskSet, ioOf(d, d.maskSet));
  if (d.phase === 'shares' && holdsMaskSet(d)) {
    enterChunks(d);
    armStall(d, 'chunks');
    // After the owners' last receipts, and time for a chunk to move to another owner.
    setTimer(d, 'survivors', 3.5);
  }
  if (d.placement.length > 0) {
    verifyChunks(d);
    sendChunks(d);
    if (d.survivors.decision === undefined) sendReceipts(d);
    advanceDecision(d.survivors, ioOf(d, d.survivors));
    if (d.phase === 'chunks' && d.survivors.step !== 'waiting') enterPhase(d, 'decide');
    afterDecision(d);
  }
  if (!d.done.has('abandoned') && d.outcome === undefined) sendComplaints(d);
  hurryWhenQuorumIsLost(d);
  leaveWhenAbandoned(d);
}

function afterDecision(d: Draft): void {
  const { decision } = d.survivors;
  if (decision === undefined || d.outcome !== undefined) return;
  if (decision.kind === 'abort') {
    end(d, { kind: 'retry', reason: 'abort-decided' });
    return;
  }
  if (d.phase === 'decide' || d.phase === 'chunks') {
    armStall(d, 'decided', d.config.isCell ? CELL_STALL_PHASES : STALL_PHASES);
    enterSums(d);
  }
  nominate(d);
  computeSums(d);
  if (d.phase === 'sums' && areSumsCommitted(d) && isConfirmed(d)) enterUnmask(d);
  if (d.phase === 'unmask' || d.phase === 'verify') advanceUnmask(d);
}

/** Tells the roster, once, what this cell decided. */
function nominate(d: Draft): void {
  const { decision } = d.survivors;
  if (!d.config.isCell || decision?.kind !== 'set' || !once(d, 'nominated')) return;
  if (d.done.has('confirmed') && !isConfirmed(d)) end(d, { kind: 'burnt', reason: 'cell-divided' });
  const entry = { members: decision.members, digest: fromHex(hashOfValue(decision)) };
  d.effects.push({ kind: 'nominate', entry });
}

/** A cell opens nothing before the roster has confirmed it: see design decision 10. */
function isConfirmed(d: Draft): boolean {
  const { decision } = d.survivors;
  if (!d.config.isCell || decision === undefined) return !d.config.isCell;
  return d.done.has(`confirmed/${hashOfValue(decision)}`);
}

function onConfirmed(d: Draft, digest: Uint8Array | null): void {
  if (digest === null) {
    end(d, { kind: 'retry', reason: 'cell-left-out' });
    return;
  }
  own(d, 'done')
    .add('confirmed')
    .add(`confirmed/${toHex(digest)}`);
  // Not decided here yet: the others' precommits will bring the decision, or the stall ends it.
  if (d.survivors.decision === undefined || isConfirmed(d)) return;
  end(d, { kind: 'burnt', reason: 'cell-divided' });
}

function ioOf(d: Draft, decision: DecideState): DecideIo {
  const { decideMs } = d.config.timers;
  const isMaskSet = decision.name === 'mask-set';
  return {
    self: d.config.self,
    candidate: () => (isMaskSet ? maskSetCandidate(d) : survivorsCandidate(d)),
    isValid: (value) => (isMaskSet ? isMaskSetValid(d, value) : areSurvivorsValid(d, value)),
    isAway: (member) => d.unreachable.has(member),
    send: (message) => {
      if (d.done.has('abandoned')) return;
      if (message.kind !== 'propose') {
        const value = message.value === null ? 'nil' : toHex(message.value);
        const slot = `${message.kind}/${message.decision}/${message.view}`;
        journal(d, { kind: 'vote', slot, value });
      }
      broadcast(d, message);
    },
    setTimer: (timeoutStep, view) => {
      const timer = `${decision.name}/${timeoutStep}/${view}`;
      d.effects.push({ kind: 'set-timer', timer, afterMs: decideMs * (1 + view / 2) });
    },
  };
}

function onTimer(d: Draft, timer: string): void {
  own(d, 'expired').add(timer);
  const [first, second, view] = timer.split('/') as [string, string?, string?];
  if (first === 'stall') onStall(d, second ?? '');
  else if (first === 'burn') onBurn(d, second ?? '');
  else if (first === 'again') own(d, 'done').delete(timer.slice('again/'.length));
  else if (first === 'verify') rearm(d, first, Number(second));
  else if (first === 'mask-set' || first === 'survivors') {
    if (view === undefined) return;
    const decision = first === 'mask-set' ? d.maskSet : d.survivors;
    timeoutDecision(decision, second as TimeoutStep, Number(view), ioOf(d, decision));
  }
}

/** Each time it fires, more members are asked for what is still missing. */
function rearm(d: Draft, timer: string, round: number): void {
  if (round < 7) setTimer(d, `${timer}/${round + 1}`, 1);
}

/** A stage that takes this long is stuck: see design decision 9b. */
const STALL_PHASES = 8;
/** A cell waits for the slowest other cell, too. */
const CELL_STALL_PHASES = 24;

function armStall(d: Draft, stage: string, phases: number = STALL_PHASES): void {
  setTimer(d, `stall/${stage}`, phases);
}

/** With fewer than a quorum reachable there is no point in waiting for the full stall time. */
function hurryWhenQuorumIsLost(d: Draft): void {
  const alive = rosterSize(d) - d.unreachable.size;
  if (d.outcome !== undefined || alive >= thresholdOf(d) || !once(d, 'hurry')) return;
  armStall(d, 'hurry', 1);
}

function onStall(d: Draft, stage: string): void {
  if (d.outcome !== undefined || !isStuckIn(d, stage)) return;
  if (!d.done.has('masked')) {
    abandon(d);
    end(d, { kind: 'retry', reason: 'never-masked' });
    return;
  }
  if (d.survivors.decision === undefined) abandon(d);
  if (once(d, `burn/${stage}`)) {
    setTimer(d, `burn/${stage}`, STALL_PHASES / 2);
  }
}

/** The last respite is over; a quorum that came back, or a decision, has ended the stall. */
function onBurn(d: Draft, stage: string): void {
  const gaveUp = d.done.has('abandoned') && d.survivors.decision === undefined;
  if (isStuckIn(d, stage) || gaveUp) end(d, { kind: 'burnt', reason: 'quorum-lost' });
  else own(d, 'done').delete(`burn/${stage}`);
}

/**
 * The stall timer of a stage counts only while that stage lasts; `hurry` whenever quorum is away.
 */
function isStuckIn(d: Draft, stage: string): boolean {
  if (stage === 'start') return d.phase === 'shares';
  if (stage === 'chunks') return d.survivors.decision === undefined;
  if (stage === 'decided') return true;
  if (rosterSize(d) - d.unreachable.size < thresholdOf(d)) return true;
  own(d, 'done').delete('hurry');
  return false;
}

/**
 * From here on this peer never votes or reveals in this attempt. One that precommitted a survivor
 * set cannot promise that any more: its vote may already stand in somebody's certificate.
 */
function abandon(d: Draft): void {
  if (d.survivors.precommittedSet || !once(d, 'abandoned')) return;
  journal(d, { kind: 'abandon' });
  broadcast(d, { kind: 'abandon' });
}

/**
 * 2f + 1 ABANDONs prove that nothing can be certified any more (design decision 9b). With f + 1 at
 * least one honest member has seen a stall: joining it now brings the proof while all are still
 * here.
 */
function leaveWhenAbandoned(d: Draft): void {
  if (d.outcome !== undefined || d.survivors.decision !== undefined) return;
  const count = () => allMembers(d).filter((m) => messageOf(d, 'abandon', m) !== undefined).length;
  if (count() > byzantineMaxOf(d)) abandon(d);
  if (count() < abandonsMin(rosterSize(d))) return;
  end(d, { kind: 'retry', reason: 'abandoned' });
}
