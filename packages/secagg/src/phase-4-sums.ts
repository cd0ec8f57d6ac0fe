import { toHex } from '@starling/core';
import { ownedChunks, ownersOf } from './owners.ts';
import { holdsAll, verifyChunks } from './phase-2-chunks.ts';
import {
  allMembers,
  broadcast,
  type Draft,
  enterPhase,
  maskSetOf,
  nextRevision,
  once,
  own,
  type SessionState,
  setTimer,
  survivorsOf,
} from './state.ts';
import type { ChunkSum } from './types.ts';

/**
 * Phase 4: owners add the survivors' chunks as integers and commit to the sums before anything is
 * revealed. Spec: protocols/secagg/spec.md §5.7.
 */
export function enterSums(d: Draft): void {
  enterPhase(d, 'sums');
  setTimer(d, 'sums', 1);
  // Who sent two COMMITs has chunks under either: from now on only the decided one counts.
  for (const [key, held] of d.chunks) {
    const from = key.slice(key.indexOf('/') + 1);
    if (d.conflicts.has(`commit/${from}`)) own(d, 'chunks').set(key, { ...held, verified: false });
  }
  verifyChunks(d);
}

/** Adds up what this owner has all of: at once, or later what it took over from a lost owner. */
export function computeSums(d: Draft): void {
  const members = survivorsOf(d);
  // An owner that lacks a survivor's chunk stays silent for it: another owner has receipted it.
  const chunks = ownedChunks(d, d.config.self).filter(
    (chunk) =>
      !d.verified.has(chunk) &&
      members.every((member) => holdsAll(d, [chunk], member)) &&
      once(d, `sum/${chunk}`),
  );
  if (chunks.length === 0) return;
  d.effects.push({ kind: 'compute', compute: { task: 'sum', chunks, members } });
}

export function onSummed(d: Draft, sums: readonly ChunkSum[]): void {
  if (d.survivors.decision?.kind !== 'set') return;
  for (const sum of sums) own(d, 'done').add(`here/${sumKey(sum)}`);
  const owned = new Set(ownedChunks(d, d.config.self));
  const mine = sums.filter(({ chunk }) => owned.has(chunk) && once(d, `committed/${chunk}`));
  const revision = nextRevision(d, 'sums');
  if (mine.length === 0 || revision === undefined) return;
  broadcast(d, { kind: 'sums', revision, sums: mine });
}

export const sumKey = ({ chunk, hash }: ChunkSum): string => `${chunk}/${toHex(hash)}`;

/** One value that owners committed to as the sum of a chunk. */
export interface CommittedSum extends ChunkSum {
  readonly owners: readonly number[];
  /** Mark that its tag does not fit: somebody lied. */
  readonly refused: string;
}

/** What owners committed to as the sum of `chunk`; several when they contradict each other. */
export function sumsOf(d: SessionState, chunk: number): readonly CommittedSum[] {
  const found = new Map<string, { hash: Uint8Array; owners: number[] }>();
  for (const owner of ownersOf(d, chunk)) {
    const hash = committedBy(d, owner, chunk);
    if (hash === undefined) continue;
    const entry = found.get(toHex(hash)) ?? { hash, owners: [] };
    entry.owners.push(owner);
    found.set(toHex(hash), entry);
  }
  return [...found].map(([key, { hash, owners }]) => {
    return { chunk, hash, owners, refused: `refused/${chunk}/${key}` };
  });
}

/** The first hash that an owner named for a chunk. */
export const committedBy = (d: SessionState, owner: number, chunk: number) =>
  d.committed.get(`${chunk}/${owner}`);

/** True when every chunk has a committed sum: only then may masks be opened. */
export const areSumsCommitted = (d: SessionState): boolean =>
  d.placement.every((_, chunk) => sumsOf(d, chunk).length > 0);

/** Asks for the committed sums of these chunks that this peer does not hold. */
export function fetchSums(d: Draft, chunks: Iterable<number>): void {
  for (const chunk of chunks) {
    if (d.verified.has(chunk)) continue;
    for (const { hash, owners, refused } of sumsOf(d, chunk)) {
      const key = sumKey({ chunk, hash });
      if (d.done.has(`here/${key}`) || d.done.has(refused) || !once(d, `fetch/${key}`)) continue;
      d.effects.push({ kind: 'fetch-sum', chunk, hash, from: serversOf(d, owners) });
    }
  }
}

const OTHER_SERVERS = 2;
/** Whom to ask: those who named it, then a few who may have fetched it by now. */
export function serversOf(d: SessionState, owners: readonly number[]): readonly number[] {
  const { self } = d.config;
  const size = allMembers(d).length;
  const isThere = (member: number) => member !== self && !d.unreachable.has(member);
  const next = Array.from({ length: size }, (_, i) => (self + i) % size);
  const others = next.filter((m) => isThere(m) && !owners.includes(m)).slice(0, OTHER_SERVERS);
  return [...owners.filter(isThere), ...others];
}

export const isEverySumHere = (d: SessionState): boolean =>
  maskSetOf(d).length > 0 && d.verified.size === d.placement.length;

/** Whether the sum with this hash is here. */
export const isHere = (d: SessionState, sum: ChunkSum): boolean =>
  d.done.has(`here/${sumKey(sum)}`);
