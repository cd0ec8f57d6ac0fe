import { equalBytes, toHex } from '@starling/core';
import { ownedChunks } from './owners.ts';
import { holdsAll } from './phase-2-chunks.ts';
import {
  broadcast,
  type Draft,
  end,
  enterPhase,
  maskSetOf,
  messageOf,
  type SessionState,
  survivorsOf,
} from './state.ts';
import type { ChunkSum } from './types.ts';

/**
 * Phase 4: owners add the survivors' chunks as integers and commit to the sums before anything is
 * unmasked. Spec §5.7.
 */
export function enterSums(d: Draft): void {
  enterPhase(d, 'sums');
  const members = survivorsOf(d);
  // An owner that lacks a survivor's chunk stays silent for it: another owner has receipted it.
  const chunks = ownedChunks(d, d.config.self).filter((chunk) =>
    members.every((member) => holdsAll(d, [chunk], member)),
  );
  if (chunks.length > 0) {
    d.effects.push({ kind: 'compute', compute: { task: 'sum', chunks, members } });
  }
}

export function onSummed(d: Draft, sums: readonly ChunkSum[]): void {
  if (d.phase !== 'sums' && d.phase !== 'unmask') return;
  broadcast(d, { kind: 'sums', sums });
  for (const { chunk } of sums) d.fetched.add(chunk);
}

/** Owners that committed to a sum of `chunk`, with the hash; `undefined` while there is none. */
export function sumOf(
  d: SessionState,
  chunk: number,
): { hash: Uint8Array; owners: readonly number[]; consistent: boolean } | undefined {
  const found: { owner: number; hash: Uint8Array }[] = [];
  for (const owner of d.owners[chunk]!) {
    const sum = messageOf(d, 'sums', owner)?.sums.find((entry) => entry.chunk === chunk);
    if (sum !== undefined) found.push({ owner, hash: sum.hash });
  }
  const first = found[0];
  if (first === undefined) return undefined;
  const consistent = found.every(({ hash }) => equalBytes(hash, first.hash));
  return { hash: first.hash, owners: found.map(({ owner }) => owner), consistent };
}

/**
 * True when every chunk has a SUMCOMMIT; ends the session when two owners contradict each other.
 */
export function areSumsCommitted(d: Draft): boolean {
  const sums = d.owners.map((_, chunk) => sumOf(d, chunk));
  if (sums.some((sum) => sum !== undefined && !sum.consistent)) {
    end(d, { kind: 'burnt', reason: 'sum-mismatch' });
    return false;
  }
  return sums.every((sum) => sum !== undefined);
}

/** Asks for every sum this peer does not hold, from the owners that committed to it. */
export function fetchSums(d: Draft): void {
  for (const chunk of d.owners.keys()) {
    const sum = sumOf(d, chunk);
    if (d.fetched.has(chunk) || sum === undefined) continue;
    const from = sum.owners.filter((owner) => owner !== d.config.self);
    const asked = `fetch/${chunk}/${toHex(sum.hash)}`;
    if (d.done.has(asked)) continue;
    d.done.add(asked);
    d.effects.push({ kind: 'fetch-sum', chunk, hash: sum.hash, from });
  }
}

export const isEverySumHere = (d: SessionState): boolean =>
  maskSetOf(d).length > 0 && d.fetched.size === d.owners.length;
