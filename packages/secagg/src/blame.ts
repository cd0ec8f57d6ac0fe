import { equalBytes } from '@starling/core';
import { examine } from './audits.ts';
import { ownersOf } from './owners.ts';
import { committedBy, sumsOf } from './phase-4-sums.ts';
import {
  convict,
  type Draft,
  messageOf,
  once,
  own,
  type SessionState,
  survivorsOf,
} from './state.ts';

/**
 * A sum whose tag does not fit its parts: this peer opens all parts of that chunk, each under its
 * contributor's COMMIT, and sees for itself who lied. The parts add up to the right sum, so the
 * round goes on. Spec §5.9.
 */
export const isBlamed = (d: SessionState, chunk: number): boolean =>
  !d.verified.has(chunk) && sumsOf(d, chunk).some(({ refused }) => d.done.has(refused));

export function blame(d: Draft, chunk: number): void {
  const members = survivorsOf(d);
  examine(
    d,
    members.map((of) => ({ chunk, of })),
  );
  const isHere = (of: number) => d.chunks.get(`${chunk}/${of}`)?.verified === true;
  if (!members.every(isHere) || !once(d, `recount/${chunk}`)) return;
  d.effects.push({ kind: 'compute', compute: { task: 'sum', chunks: [chunk], members } });
}

/** The parts were added up here: this is the sum, whatever anybody committed to. */
export function onRecounted(d: Draft, chunk: number, hash: Uint8Array): void {
  if (!d.done.has(`recount/${chunk}`) || d.verified.has(chunk)) return;
  own(d, 'verified').set(chunk, hash);
  for (const owner of ownersOf(d, chunk)) {
    const committed = committedBy(d, owner, chunk);
    if (committed === undefined || equalBytes(committed, hash)) continue;
    convict(d, owner, { reason: 'wrong-sum', chunk });
  }
}

/** Compares what members and auditors said of a chunk with what this peer found itself. */
export function convictLiars(d: Draft, chunk: number, of: number, tag: Uint8Array): void {
  const said = messageOf(d, 'tags', of)?.tags[chunk];
  if (said !== undefined && !equalBytes(said, tag)) convict(d, of, { reason: 'wrong-tag', chunk });
  for (const [auditor, audited] of d.audits.get(`${chunk}/${of}`) ?? []) {
    if (!equalBytes(audited, tag)) convict(d, auditor, { reason: 'wrong-audit', chunk });
  }
}
