import { compareText, toHex, u32be, utf8 } from '@starling/core';
import { sha256 } from '@starling/crypto';
import { SECAGG_LABEL } from '@starling/protocol-secagg';
import { chunkLayout } from './ring/index.ts';
import { maskSetOf, type SessionState } from './state.ts';
import type { RingShape } from './types.ts';

export const chunksOf = (shape: RingShape) =>
  chunkLayout(shape.length, shape.bits, { chunkBytes: shape.chunkBytes });

/**
 * Owners of every chunk: rendezvous hashing over the members of V that are not light (over all of V
 * when every one is). Placement only; privacy does not depend on it. Spec §5.4.
 */
export function placeChunks(d: SessionState): readonly (readonly number[])[] {
  const members = maskSetOf(d);
  const full = members.filter((member) => !d.config.members[member]!.light);
  const eligible = full.length > 0 ? full : members;
  const label = utf8(`${SECAGG_LABEL}/chunk-owner`);
  return Array.from({ length: chunksOf(d.config.shape).count }, (_, chunk) => {
    const ranked = eligible.map((member) => {
      const key = sha256(label, d.config.rosterDigest, u32be(chunk), u32be(member));
      return { member, key: toHex(key) };
    });
    ranked.sort((a, b) => compareText(a.key, b.key));
    return ranked.slice(0, d.config.replication).map(({ member }) => member);
  });
}

/** Chunks that `member` owns. */
export function ownedChunks(d: SessionState, member: number): readonly number[] {
  return [...d.owners.keys()].filter((chunk) => d.owners[chunk]!.includes(member));
}
