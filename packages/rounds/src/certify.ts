import {
  type Certificate,
  type Statement,
  signStatement,
  statementHash,
  verifyStatement,
} from '@starling/protocol-rounds';
import { threshold } from '@starling/protocol-secagg';
import { toBitmap } from '@starling/secagg';
import { outcomeOf } from './attempt.ts';
import { indexIn } from './peer-index.ts';
import { inSlot } from './pool.ts';
import { slotKey } from './round-id.ts';
import {
  type Draft,
  notice,
  once,
  parentOf,
  type RunningSession,
  roundOf,
  send,
  setTimer,
} from './state.ts';
import type { EngineEvent } from './types.ts';

/** Phases of the secure aggregation that a lost quorum of signatures is waited for. */
const CERTIFY_PHASES = 12;
const HURRY_PHASES = 2;

type Applied = Extract<EngineEvent, { kind: 'applied' }>;

/**
 * The new state is computed: sign the statement that everybody who computed the same will sign. Who
 * does not want to sign waits for the others: what a quorum signs is the job's new state for all.
 */
export function enterCertifying(d: Draft, { stateHash, metrics, withheld }: Applied): void {
  if (d.phase.name !== 'applying') return;
  const { session } = d.phase;
  const outcome = outcomeOf(session);
  if (outcome?.kind !== 'sum') return;
  const { roster } = session;
  const survivors = outcome.sums.flatMap((sum) => sum.survivors);
  const statement: Statement = {
    jobId: d.config.job.id,
    round: roundOf(d),
    restarts: session.slot.restarts,
    attempt: session.slot.attempt,
    parent: parentOf(d),
    stateHash,
    roster,
    survivors: toBitmap(survivors, roster.length),
    metrics,
  };
  const hash = statementHash(statement);
  if (withheld === undefined) signFinal(d, session, statement);
  else notice(d, { kind: 'withheld', round: roundOf(d), reason: withheld });
  d.phase = { name: 'certifying', session, statement, hash };
  setTimer(d, `certify/${slotKey(session.slot)}`, CERTIFY_PHASES * session.config.timers.phaseMs);
}

function signFinal(d: Draft, session: RunningSession, statement: Statement): void {
  const hash = statementHash(statement);
  const key = `final/${session.roundId}/${slotKey(session.slot)}`;
  d.effects.push({ kind: 'journal', key, value: hash });
  const { roundId, slot, digest } = session;
  send(
    d,
    { roundId, attempt: slot.attempt, roster: digest },
    { kind: 'final', statement: hash, signature: signStatement(statement, d.config.key) },
  );
}

/** Whether too few of the roster are connected to sign. */
export function isQuorumAway(d: Draft): boolean {
  if (d.phase.name !== 'certifying') return false;
  const { roster } = d.phase.session;
  const alive = roster.filter((peer) => !d.lost.has(peer)).length;
  return alive < threshold(roster.length);
}

/** With a quorum away the full time is not waited for, unless it comes back soon. */
export function hurryCertifying(d: Draft): void {
  if (d.phase.name !== 'certifying' || !isQuorumAway(d)) return;
  const { slot, config } = d.phase.session;
  if (!once(d, `hurry-certify/${slotKey(slot)}`)) return;
  setTimer(d, `certify-hurry/${slotKey(slot)}`, HURRY_PHASES * config.timers.phaseMs);
}

/** The certificate, once a quorum of the roster has signed the same statement. */
export function certificateReady(d: Draft): Certificate | undefined {
  if (d.phase.name !== 'certifying') return undefined;
  const { session, statement, hash } = d.phase;
  const { roundId, slot } = session;
  const said = [...inSlot(d.pool, roundId, slot.attempt, { slot: 'final' })];
  const finals = said.filter(
    ({ envelope: { body } }) => body.kind === 'final' && body.statement === hash,
  );
  // Signatures are looked at only when there may be enough of them.
  if (finals.length < threshold(statement.roster.length)) return undefined;
  const signatures = new Map<number, Uint8Array>();
  for (const { envelope } of finals) {
    const { body, sender } = envelope;
    if (body.kind !== 'final') continue;
    const member = indexIn(statement.roster, sender);
    if (member !== undefined && verifyStatement(statement, sender, body.signature)) {
      signatures.set(member, body.signature);
    }
  }
  if (signatures.size < threshold(statement.roster.length)) return undefined;
  const sorted = [...signatures].sort(([a], [b]) => a - b);
  return { statement, signatures: sorted.map(([member, signature]) => ({ member, signature })) };
}
