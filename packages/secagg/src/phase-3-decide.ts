import type { DecisionValue } from '@starling/protocol-secagg';
import { fromBitmap, toBitmap } from './bitmap.ts';
import { lastReceipt } from './phase-2-chunks.ts';
import { type Draft, maskSetOf, rosterSize, type SessionState, survivorsMinOf } from './state.ts';

/**
 * Phase 3: the roster decides U, the survivor set, or ABORT. A contributor counts only if every one
 * of its chunks is receipted by an owner: U is uniform over chunks. Spec §5.6.
 */
function receiptedMembers(d: SessionState): readonly number[] {
  const receipts = new Map<number, ReadonlySet<number>>();
  for (const owner of maskSetOf(d)) {
    const receipt = lastReceipt(d, owner);
    const members = receipt && fromBitmap(receipt.contributors, rosterSize(d));
    if (members !== undefined) receipts.set(owner, new Set(members));
  }
  const holds = (owner: number, member: number) => receipts.get(owner)?.has(member) === true;
  return maskSetOf(d).filter((member) =>
    d.owners.every((owners) => owners.some((owner) => holds(owner, member))),
  );
}

/** U as this peer would propose it; ABORT when time is over and too few are complete. */
export function survivorsCandidate(d: SessionState): DecisionValue | undefined {
  if (d.owners.length === 0) return undefined;
  const complete = receiptedMembers(d);
  const waiting = maskSetOf(d).some((m) => !complete.includes(m) && !d.unreachable.has(m));
  const enough = complete.length >= survivorsMinOf(d);
  if (waiting && !d.expired.has('survivors')) return undefined;
  if (enough) return { kind: 'set', members: toBitmap(complete, rosterSize(d)) };
  return d.expired.has('survivors') ? { kind: 'abort' } : undefined;
}

/** Vouches for what this peer's own receipts show; for ABORT only when it would abort itself. */
export function areSurvivorsValid(d: SessionState, value: DecisionValue): boolean {
  if (d.owners.length === 0) return false;
  if (value.kind === 'abort') return survivorsCandidate(d)?.kind === 'abort';
  const members = fromBitmap(value.members, rosterSize(d));
  if (members === undefined || members.length < survivorsMinOf(d)) return false;
  const complete = receiptedMembers(d);
  return members.every((member) => complete.includes(member));
}

/** After the owners' last receipts: waits a little longer than they do for late chunks. */
export function armSurvivorsTimer(d: Draft): void {
  const afterMs = 2.5 * d.config.timers.phaseMs;
  d.effects.push({ kind: 'set-timer', timer: 'survivors', afterMs });
}
