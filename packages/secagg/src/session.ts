import { toHex, unreachable } from '@starling/core';
import { abandonsMin, type SecaggMessage } from '@starling/protocol-secagg';
import {
  advance as advanceDecision,
  type DecideIo,
  type DecideState,
  type TimeoutStep,
  timeout as timeoutDecision,
} from './decide.ts';
import {
  holdsMaskSet,
  isBundleSound,
  isMaskSetValid,
  maskSetCandidate,
  startShares,
} from './phase-1-shares.ts';
import { enterChunks, onChunk, onMasked, sendReceipts, verifyChunks } from './phase-2-chunks.ts';
import { areSurvivorsValid, armSurvivorsTimer, survivorsCandidate } from './phase-3-decide.ts';
import { areSumsCommitted, enterSums, onSummed } from './phase-4-sums.ts';
import { advanceUnmask, enterUnmask } from './phase-5-unmask.ts';
import {
  broadcast,
  byzantineMaxOf,
  type Draft,
  draftOf,
  end,
  enterPhase,
  journal,
  messageOf,
  once,
  rosterSize,
  type SessionState,
  store,
  survivorsOf,
  thresholdOf,
} from './state.ts';
import type { SessionEffect, SessionEvent } from './types.ts';

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
  const { effects, ...next } = d;
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
    case 'message':
      // No sign that `from` is alive: others pass its old messages on.
      if (isWellFormed(d, event.from, event.message)) store(d, event.from, event.message);
      return;
    case 'timer':
      onTimer(d, event.timer);
      return;
    case 'reachable':
      if (event.reachable) d.unreachable.delete(event.member);
      else d.unreachable.add(event.member);
      return;
    case 'masked':
      onMasked(d, event.chunkHashes);
      return;
    case 'chunk-received':
      onChunk(d, event);
      return;
    case 'summed':
      onSummed(d, event.sums);
      return;
    case 'sum-fetched':
      if (event.chunk < d.owners.length) d.fetched.add(event.chunk);
      return;
    case 'sum-missing':
      askAgainLater(d, event.chunk);
      return;
    case 'unmasked':
      if (!d.done.has('unmask')) return;
      if (event.inRange) {
        end(d, { kind: 'sum', survivors: survivorsOf(d), result: event.result });
      } else end(d, { kind: 'burnt', reason: 'sum-out-of-range' });
      return;
    default:
      unreachable(event);
  }
}

/** A sum that no owner could deliver is asked for again, but not in the same breath. */
function askAgainLater(d: Draft, chunk: number): void {
  const afterMs = d.config.timers.phaseMs / 4;
  d.effects.push({ kind: 'set-timer', timer: `refetch/${chunk}`, afterMs });
}

function forgetFetch(d: Draft, chunk: number): void {
  for (const asked of d.done) if (asked.startsWith(`fetch/${chunk}/`)) d.done.delete(asked);
}

/** Checks that need the roster; everything else the codec has checked. */
function isWellFormed(d: Draft, from: number, message: SecaggMessage): boolean {
  if (from === d.config.self) return false;
  if (message.kind === 'keyshare') return isBundleSound(d.config, message);
  return true;
}

/** Moves through the phases until nothing more follows from what is known. */
function advance(d: Draft): void {
  advanceDecision(d.maskSet, ioOf(d, d.maskSet));
  if (d.phase === 'shares' && holdsMaskSet(d)) {
    enterChunks(d);
    armStall(d, 'chunks');
    armSurvivorsTimer(d);
  }
  if (d.owners.length > 0) {
    verifyChunks(d);
    if (d.survivors.decision === undefined) sendReceipts(d);
    advanceDecision(d.survivors, ioOf(d, d.survivors));
    if (d.phase === 'chunks' && d.survivors.step !== 'waiting') enterPhase(d, 'decide');
    afterDecision(d);
  }
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
  if (d.phase === 'decide') {
    armStall(d, 'decided');
    enterSums(d);
  }
  const committed = areSumsCommitted(d);
  if (d.phase === 'sums' && committed) enterUnmask(d);
  if (d.phase === 'unmask' && advanceUnmask(d) === 'inconsistent') {
    end(d, { kind: 'burnt', reason: 'shares-inconsistent' });
  }
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
  d.expired.add(timer);
  const [first, second, view] = timer.split('/') as [string, string?, string?];
  if (first === 'stall') onStall(d, second ?? '');
  else if (first === 'burn') onBurn(d, second ?? '');
  else if (first === 'refetch') forgetFetch(d, Number(second));
  else if (first === 'unmask') rearmUnmask(d, Number(second));
  else if (first === 'mask-set' || first === 'survivors') {
    if (view === undefined) return;
    const decision = first === 'mask-set' ? d.maskSet : d.survivors;
    timeoutDecision(decision, second as TimeoutStep, Number(view), ioOf(d, decision));
  }
}

function rearmUnmask(d: Draft, round: number): void {
  if (round >= 7) return;
  const afterMs = d.config.timers.phaseMs;
  d.effects.push({ kind: 'set-timer', timer: `unmask/${round + 1}`, afterMs });
}

/** A stage that takes this long is stuck: see design decision 9b. */
const STALL_PHASES = 8;

function armStall(d: Draft, stage: string, phases: number = STALL_PHASES): void {
  const afterMs = phases * d.config.timers.phaseMs;
  d.effects.push({ kind: 'set-timer', timer: `stall/${stage}`, afterMs });
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
    const afterMs = STALL_PHASES * 0.5 * d.config.timers.phaseMs;
    d.effects.push({ kind: 'set-timer', timer: `burn/${stage}`, afterMs });
  }
}

/** The last respite is over; a quorum that came back, or a decision, has ended the stall. */
function onBurn(d: Draft, stage: string): void {
  const gaveUp = d.done.has('abandoned') && d.survivors.decision === undefined;
  if (isStuckIn(d, stage) || gaveUp) end(d, { kind: 'burnt', reason: 'quorum-lost' });
  else d.done.delete(`burn/${stage}`);
}

/**
 * The stall timer of a stage counts only while that stage lasts; `hurry` whenever quorum is away.
 */
function isStuckIn(d: Draft, stage: string): boolean {
  if (stage === 'start') return d.phase === 'shares';
  if (stage === 'chunks') return d.survivors.decision === undefined;
  if (stage === 'decided') return true;
  if (rosterSize(d) - d.unreachable.size < thresholdOf(d)) return true;
  d.done.delete('hurry');
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
  const members = [...d.config.members.keys()];
  const count = () => members.filter((m) => messageOf(d, 'abandon', m) !== undefined).length;
  if (count() > byzantineMaxOf(d)) abandon(d);
  if (count() < abandonsMin(rosterSize(d))) return;
  end(d, { kind: 'retry', reason: 'abandoned' });
}
