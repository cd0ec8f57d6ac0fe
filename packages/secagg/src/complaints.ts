import { toBitmap } from './bitmap.ts';
import { ownersOf } from './owners.ts';
import { sumKey, sumsOf } from './phase-4-sums.ts';
import {
  allMembers,
  broadcast,
  type Draft,
  isSettled,
  nextRevision,
  once,
  rosterSize,
  type SessionState,
} from './state.ts';

/**
 * Tells the cell which dealers' shares do not open and which owners do not answer. One complaint
 * proves nothing; more than f of them have an honest one among them. Spec §5.1 and §5.4.
 */
export function sendComplaints(d: Draft): void {
  const dealers = [...d.dealers].filter(([, opened]) => !opened).map(([dealer]) => dealer);
  const owners = silentOwners(d);
  const news = [...dealers.map((m) => `dealer/${m}`), ...owners.map((m) => `owner/${m}`)];
  const { self } = d.config;
  if (news.every((about) => d.complaints.get(about)?.has(self))) return;
  const revision = nextRevision(d, 'complaint');
  if (revision === undefined || !once(d, `complaint/${news.join(',')}`)) return;
  const size = rosterSize(d);
  broadcast(d, {
    kind: 'complaint',
    revision,
    dealers: toBitmap(dealers, size),
    owners: toBitmap(owners, size),
  });
}

/** Owners that hold up a chunk: away or silent, with nobody else who answers for it. */
function silentOwners(d: SessionState): readonly number[] {
  const silent = new Set<number>();
  for (const chunk of d.placement.keys()) {
    const owners = ownersOf(d, chunk).filter((owner) => owner !== d.config.self);
    const isHeld = ownersOf(d, chunk).some((owner) => answersFor(d, owner, chunk));
    if (!isHeld) for (const owner of owners) silent.add(owner);
  }
  return allMembers(d).filter((member) => silent.has(member));
}

/** Whether an owner has done its part for a chunk, or still has time for it. */
function answersFor(d: SessionState, owner: number, chunk: number): boolean {
  if (isSettled(d, chunk)) return true;
  if (d.unreachable.has(owner)) return false;
  if (d.survivors.decision === undefined) {
    if (!d.expired.has('receipts')) return true;
    return owner === d.config.self || d.receipts.get(owner) !== undefined;
  }
  if (!d.expired.has('sums')) return true;
  return sumsOf(d, chunk).some(
    (sum) =>
      sum.owners.includes(owner) &&
      !d.done.has(sum.refused) &&
      !d.done.has(`unserved/${sumKey(sum)}`),
  );
}
