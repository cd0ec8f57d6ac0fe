import { compareText, toHex, u32be, utf8 } from '@starling/core';
import { sha256 } from '@starling/crypto';
import { SECAGG_LABEL } from '@starling/protocol-secagg';
import { chunkLayout } from './ring/index.ts';
import { byzantineMaxOf, complaintsAbout, maskSetOf, type SessionState } from './state.ts';
import type { RingShape } from './types.ts';

export const chunksOf = (shape: RingShape) =>
  chunkLayout(shape.length, shape.bits, { chunkBytes: shape.chunkBytes });

/**
 * Order in which members own every chunk: weighted rendezvous hashing over the members of V that
 * are not light (over all of V when every one is). A member draws as many numbers as its weight,
 * and the lowest counts, so it leads in proportion to its weight. Placement only; privacy does not
 * depend on it. Spec §5.4.
 */
export function placeChunks(d: SessionState): readonly (readonly number[])[] {
  const members = maskSetOf(d);
  const weightOf = (member: number) => d.config.members[member]!.weight;
  const full = members.filter((member) => weightOf(member) > 0);
  const eligible = full.length > 0 ? full : members;
  const label = utf8(`${SECAGG_LABEL}/chunk-owner`);
  return Array.from({ length: chunksOf(d.config.shape).count }, (_, chunk) => {
    const ranked = eligible.map((member) => {
      const keys = Array.from({ length: Math.max(1, weightOf(member)) }, (_, draw) =>
        toHex(sha256(label, d.config.rosterDigest, u32be(chunk), u32be(member), u32be(draw))),
      );
      return { member, key: keys.sort(compareText)[0]! };
    });
    ranked.sort((a, b) => compareText(a.key, b.key));
    return ranked.map(({ member }) => member);
  });
}

/** f + 1 members found that an owner does not answer: at least one of them is honest. */
export const isOwnerLost = (d: SessionState, member: number): boolean =>
  complaintsAbout(d, 'owner', member) > byzantineMaxOf(d);

/**
 * Owners of a chunk: the first R in its order that are not lost, and the lost before them, who may
 * still have what they were sent. The list only grows, so what one was sent is never in vain.
 */
export function ownersOf(d: SessionState, chunk: number): readonly number[] {
  const order = d.placement[chunk] ?? [];
  let live = 0;
  const end = order.findIndex((member) => {
    if (!isOwnerLost(d, member)) live += 1;
    return live === d.config.replication;
  });
  return end === -1 ? order : order.slice(0, end + 1);
}

/**
 * Who is sent a member's chunk: its owners and, when that is the member alone, the next in order.
 * Else the death of an owner would take the only copy of its own chunk along.
 */
export function keepersOf(d: SessionState, chunk: number, of: number): readonly number[] {
  const owners = ownersOf(d, chunk);
  if (owners.some((owner) => owner !== of && !isOwnerLost(d, owner))) return owners;
  const next = d.placement[chunk]?.[owners.length];
  return next === undefined ? owners : [...owners, next];
}

/** Chunks that `member` owns. */
export const ownedChunks = (d: SessionState, member: number): readonly number[] =>
  [...d.placement.keys()].filter((chunk) => ownersOf(d, chunk).includes(member));
