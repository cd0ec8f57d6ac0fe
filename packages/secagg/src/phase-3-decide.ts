import type { DecisionValue } from '@starling/protocol-secagg';
import { fromBitmap, toBitmap } from './bitmap.ts';
import { lastReceipt } from './phase-2-chunks.ts';
import {
  byzantineMaxOf,
  type Draft,
  maskSetOf,
  rosterSize,
  type SessionState,
  survivorsMinOf,
} from './state.ts';

/**
 * Phase 3: the roster decides U, the survivor set, or ABORT. A contributor counts only if every one
 * of its chunks is receipted: U is uniform over chunks. Spec: protocols/secagg/spec.md §5.6.
 *
 * Owner → the members all of whose chunks it receipted; owners without a receipt are not in it.
 */
type Receipts = ReadonlyMap<number, ReadonlySet<number>>;

function receiptsOf(d: SessionState): Receipts {
  const receipts = new Map<number, ReadonlySet<number>>();
  for (const owner of maskSetOf(d)) {
    const receipt = lastReceipt(d, owner);
    const members = receipt && fromBitmap(receipt.contributors, rosterSize(d));
    if (members !== undefined) receipts.set(owner, new Set(members));
  }
  return receipts;
}

/**
 * Whether some owner of every chunk holds it of all `members`: only such an owner can add it up.
 */
function isSummable(d: SessionState, receipts: Receipts, members: readonly number[]): boolean {
  return d.owners.every((owners) =>
    owners.some((owner) => members.every((m) => receipts.get(owner)?.has(m))),
  );
}

/** Members of V that every owner of every chunk holds; `heeds` says which owners are asked. */
function heldByAll(
  d: SessionState,
  receipts: Receipts,
  heeds: (owner: number) => boolean,
): readonly number[] {
  return maskSetOf(d).filter((member) =>
    d.owners.every((owners) => {
      const heeded = owners.filter(heeds);
      return heeded.length > 0 && heeded.every((owner) => receipts.get(owner)?.has(member));
    }),
  );
}

/** One owner for each chunk, the one that holds most: as many members as can be summed at all. */
function largestSummable(d: SessionState, receipts: Receipts): readonly number[] {
  let chosen = maskSetOf(d);
  for (const owners of d.owners) {
    const held = owners.map((owner) => chosen.filter((m) => receipts.get(owner)?.has(m)));
    chosen = held.reduce((best, next) => (next.length > best.length ? next : best), []);
  }
  return chosen;
}

/**
 * A member that only some owners hold died in its upload, and counting it would let one more death
 * lose its chunks. So it is left out, unless that costs more than f members: then it is an owner
 * that is at fault.
 */
function chooseSurvivors(d: SessionState): readonly number[] {
  const receipts = receiptsOf(d);
  const isHeeded = (owner: number) => receipts.has(owner) && !d.unreachable.has(owner);
  const safe = heldByAll(d, receipts, isHeeded);
  const largest = largestSummable(d, receipts);
  const cautious = safe.length >= survivorsMinOf(d) && isSummable(d, receipts, safe);
  return cautious && largest.length - safe.length <= byzantineMaxOf(d) ? safe : largest;
}

/** U as this peer would propose it; ABORT when time is over and too few are complete. */
export function survivorsCandidate(d: SessionState): DecisionValue | undefined {
  if (d.owners.length === 0) return undefined;
  const timeIsUp = d.expired.has('survivors');
  const complete = heldByAll(d, receiptsOf(d), (owner) => !d.unreachable.has(owner));
  const waiting = maskSetOf(d).some((m) => !complete.includes(m) && !d.unreachable.has(m));
  if (waiting && !timeIsUp) return undefined;
  const members = chooseSurvivors(d);
  if (members.length >= survivorsMinOf(d)) {
    return { kind: 'set', members: toBitmap(members, rosterSize(d)) };
  }
  return timeIsUp ? { kind: 'abort' } : undefined;
}

/** Vouches for what this peer's own receipts show; for ABORT only when it would abort itself. */
export function areSurvivorsValid(d: SessionState, value: DecisionValue): boolean {
  if (d.owners.length === 0) return false;
  if (value.kind === 'abort') return survivorsCandidate(d)?.kind === 'abort';
  const members = fromBitmap(value.members, rosterSize(d));
  if (members === undefined || members.length < survivorsMinOf(d)) return false;
  const mask = new Set(maskSetOf(d));
  return members.every((member) => mask.has(member)) && isSummable(d, receiptsOf(d), members);
}

/** After the owners' last receipts: waits a little longer than they do for late chunks. */
export function armSurvivorsTimer(d: Draft): void {
  const afterMs = 2.5 * d.config.timers.phaseMs;
  d.effects.push({ kind: 'set-timer', timer: 'survivors', afterMs });
}
