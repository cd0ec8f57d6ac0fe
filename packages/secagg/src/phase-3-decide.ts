import type { DecisionValue } from '@starling/protocol-secagg';
import { fromBitmap, toBitmap } from './bitmap.ts';
import { ownersOf } from './owners.ts';
import {
  byzantineMaxOf,
  digestOf,
  holdsBound,
  isEquivocator,
  maskSetOf,
  messageOf,
  rosterSize,
  type SessionState,
} from './state.ts';
import { isEnough, isVetoed } from './veto.ts';

/**
 * Phase 3: the cell decides U, the survivor set, or ABORT. A contributor counts only if every one
 * of its chunks is receipted: U is uniform over chunks. Spec: protocols/secagg/spec.md §5.6.
 */
interface Receipt {
  readonly chunks: ReadonlySet<number>;
  /** The members all of those chunks of whom the owner holds. */
  readonly members: ReadonlySet<number>;
}
/** Owner → its newest receipt; owners without one are not in it. */
type Receipts = ReadonlyMap<number, Receipt>;

function receiptsOf(d: SessionState): Receipts {
  const receipts = new Map<number, Receipt>();
  for (const owner of maskSetOf(d)) {
    const receipt = d.receipts.get(owner);
    const chunks = receipt && fromBitmap(receipt.chunks, d.placement.length);
    const members = receipt && fromBitmap(receipt.contributors, rosterSize(d));
    if (!chunks || !members) continue;
    receipts.set(owner, { chunks: new Set(chunks), members: new Set(members) });
  }
  return receipts;
}

function has(receipts: Receipts, owner: number, chunk: number, member: number): boolean {
  const receipt = receipts.get(owner);
  if (receipt === undefined) return false;
  return receipt.chunks.has(chunk) && receipt.members.has(member);
}

const chunkIndices = (d: SessionState): readonly number[] => [...d.placement.keys()];

/**
 * Whether some owner of every chunk holds it of all `members`: only such an owner can add it up.
 */
function isSummable(d: SessionState, receipts: Receipts, members: readonly number[]): boolean {
  return chunkIndices(d).every((chunk) =>
    ownersOf(d, chunk).some((owner) => members.every((m) => has(receipts, owner, chunk, m))),
  );
}

/** Members of V that every owner of every chunk holds; `heeds` says which owners are asked. */
function heldByAll(
  d: SessionState,
  receipts: Receipts,
  heeds: (owner: number) => boolean,
): readonly number[] {
  const heeded = chunkIndices(d).map((chunk) => ownersOf(d, chunk).filter(heeds));
  return maskSetOf(d).filter((member) =>
    heeded.every(
      (owners, chunk) =>
        owners.length > 0 && owners.every((owner) => has(receipts, owner, chunk, member)),
    ),
  );
}

/** One owner for each chunk, the one that holds most: as many members as can be summed at all. */
function largestSummable(d: SessionState, receipts: Receipts): readonly number[] {
  let chosen = maskSetOf(d);
  for (const chunk of chunkIndices(d)) {
    const held = ownersOf(d, chunk).map((o) => chosen.filter((m) => has(receipts, o, chunk, m)));
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
  const cautious = isEnough(d, safe) && isSummable(d, receipts, safe);
  const chosen = cautious && largest.length - safe.length <= byzantineMaxOf(d) ? safe : largest;
  return chosen.filter((m) => messageOf(d, 'commit', m) !== undefined && !isEquivocator(d, m));
}

/** U as this peer would propose it; ABORT when time is over and too few are complete. */
export function survivorsCandidate(d: SessionState): DecisionValue | undefined {
  if (d.placement.length === 0) return undefined;
  const timeIsUp = d.expired.has('survivors');
  const complete = heldByAll(d, receiptsOf(d), (owner) => !d.unreachable.has(owner));
  const waiting = maskSetOf(d).some((m) => !complete.includes(m) && !d.unreachable.has(m));
  if (waiting && !timeIsUp) return undefined;
  const members = chooseSurvivors(d);
  if (isEnough(d, members) && !isVetoed(d, members)) {
    const bound = members.map((m) => digestOf(messageOf(d, 'commit', m)!));
    return { kind: 'set', members: toBitmap(members, rosterSize(d)), bound };
  }
  return timeIsUp ? { kind: 'abort' } : undefined;
}

/** Vouches for what this peer's own receipts show; for ABORT only when it would abort itself. */
export function areSurvivorsValid(d: SessionState, value: DecisionValue): boolean {
  if (d.placement.length === 0) return false;
  if (value.kind === 'abort') return survivorsCandidate(d)?.kind === 'abort';
  if (value.kind !== 'set') return false;
  const members = fromBitmap(value.members, rosterSize(d));
  if (members === undefined || members.length !== value.bound.length) return false;
  if (!isEnough(d, members) || isVetoed(d, members)) return false;
  const mask = new Set(maskSetOf(d));
  return (
    members.every((m, i) => mask.has(m) && holdsBound(d, 'commit', m, value.bound[i]!)) &&
    isSummable(d, receiptsOf(d), members)
  );
}
