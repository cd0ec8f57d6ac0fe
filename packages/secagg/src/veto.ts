import { survivorsMin } from '@starling/protocol-secagg';
import { neighboursOf } from './graph.ts';
import { rosterSize, type SessionState } from './state.ts';

/**
 * Whether these members are enough for a sum to be opened. On a mask graph each of them must have
 * enough neighbours left, and all must hang together: the sum of a part that is cut off from the
 * rest could be opened alone. Asked before voting for V and for U. Spec §5.2 and §5.6.
 */
export function isEnough(d: SessionState, members: readonly number[]): boolean {
  const { graph } = d.config;
  if (members.length < survivorsMin(rosterSize(d))) return false;
  if (graph === undefined) return true;
  const present = new Set(members);
  const left = (member: number) => neighboursOf(d.config, member).filter((m) => present.has(m));
  if (members.some((member) => left(member).length < graph.shareThreshold)) return false;
  const reached = new Set(members.slice(0, 1));
  for (const member of reached) for (const next of left(member)) reached.add(next);
  return reached.size === members.length;
}

/** Whether this peer's owner lets its update be added to those of `members`. */
export function isVetoed(d: SessionState, members: readonly number[]): boolean {
  const { veto, self } = d.config;
  if (veto === undefined || !members.includes(self)) return false;
  const trusted = members.filter((member) => veto.trusted.has(member)).length;
  return members.length < veto.survivorsMin || trusted < veto.trustedMin;
}
