import { compareText, concatBytes, toHex, u32be, utf8 } from '@starling/core';
import { type Secret, sha256 } from '@starling/crypto';
import { SECAGG_LABEL } from '@starling/protocol-secagg';
import { allMembers, byzantineMaxOf, type SessionState } from './state.ts';

/**
 * Members drawn for a task by the tag seed, which nobody could choose or foresee: auditors of the
 * silent, and those who unmask a chunk for all. Spec §3.
 */

/** Members whose word on one thing is enough when they agree; of f + 1 one is honest. */
const DRAWN_MAX = 8;
export const drawnCount = (d: SessionState): number => Math.min(DRAWN_MAX, byzantineMaxOf(d) + 1);

const ROUNDS_MAX = 8;
/** Timers `verify/…` that have fired. */
export const roundsPassed = (d: SessionState): number =>
  [...Array(ROUNDS_MAX).keys()].filter((i) => d.expired.has(`verify/${i}`)).length;

export interface Draw {
  /** Label of the task. */
  readonly task: 'auditor' | 'unmasker';
  /** Numbers that name what it is done for. */
  readonly place: readonly number[];
  /** Who cannot be drawn. */
  readonly without?: number;
}

/**
 * Those drawn so far. Each round that passes without an answer adds as many again, until everybody
 * is one.
 */
export function drawn(d: SessionState, draw: Draw): readonly number[] {
  return orderOf(d, draw).slice(0, drawnCount(d) * Math.max(1, roundsPassed(d)));
}

const orders = new WeakMap<Secret, Map<string, readonly number[]>>();
/** Members in the order in which they are drawn, light ones last; made once, then remembered. */
function orderOf(d: SessionState, { task, place, without }: Draw): readonly number[] {
  const seed = d.tagSeed!;
  const known = orders.get(seed) ?? new Map<string, readonly number[]>();
  orders.set(seed, known);
  const name = `${task}/${place.join('/')}`;
  const before = known.get(name);
  if (before !== undefined) return before;
  const label = utf8(`${SECAGG_LABEL}/${task}`);
  const prefix = concatBytes(label, seed.reveal(), ...place.map(u32be));
  const ranked = allMembers(d)
    .filter((member) => member !== without)
    .map((member) => ({ member, key: toHex(sha256(prefix, u32be(member))) }));
  ranked.sort((a, b) => compareText(a.key, b.key));
  const members = ranked.map(({ member }) => member);
  const isLight = (member: number) => d.config.members[member]!.weight === 0;
  const order = [...members.filter((m) => !isLight(m)), ...members.filter(isLight)];
  known.set(name, order);
  return order;
}
