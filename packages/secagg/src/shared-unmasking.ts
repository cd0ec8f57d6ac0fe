import { equalBytes } from '@starling/core';
import { drawn, drawnCount } from './draws.ts';
import { serversOf } from './phase-4-sums.ts';
import type { MaskTerm } from './ring/index.ts';
import {
  broadcast,
  convict,
  type Draft,
  nextRevision,
  once,
  own,
  type SessionState,
  survivorsOf,
} from './state.ts';
import type { ChunkSum } from './types.ts';

/**
 * Shared unmasking: a few members drawn for each chunk verify its sum and remove its masks; the
 * others fetch what is left when those agree on its hash, and open the chunk themselves when they
 * do not. A member's work is f + 1 parts of g instead of the whole vector. Spec §5.10.
 */

/** Without masks there is nothing to share. */
export const isShared = ({ config }: SessionState): boolean =>
  config.unmasking === 'shared' && config.protection !== 'none';

const unmaskersOf = (d: SessionState, chunk: number): readonly number[] =>
  drawn(d, { task: 'unmasker', place: [chunk] });

/** What those drawn for a chunk named as its plain sum. */
function namedFor(d: SessionState, chunk: number): readonly Uint8Array[] {
  return unmaskersOf(d, chunk).flatMap((member) => d.plainNamed.get(`${chunk}/${member}`) ?? []);
}

/** Chunks that this peer opens itself: those it is drawn for, and those that are disputed. */
export function chunksToOpen(d: SessionState): readonly number[] {
  const { self } = d.config;
  return [...d.placement.keys()].filter((chunk) => {
    if (d.plain.has(chunk)) return false;
    const named = namedFor(d, chunk);
    if (named.some((hash) => !equalBytes(hash, named[0]!))) return true;
    // One that abandoned promised to reveal nothing, so its word is not waited for.
    return !d.done.has('abandoned') && unmaskersOf(d, chunk).includes(self);
  });
}

/**
 * Opens what is this peer's to open, takes over what others agree on, and puts it together.
 * @param chunks those that this peer opens itself
 * @param masks what to remove; undefined while some masks are not open
 */
export function shareUnmasking(
  d: Draft,
  chunks: readonly number[],
  masks: () => readonly MaskTerm[] | undefined,
): void {
  openOwn(d, chunks, masks);
  for (const chunk of d.placement.keys()) {
    const agreed = d.plain.has(chunk) ? undefined : agreedOn(d, chunk);
    if (agreed !== undefined) own(d, 'plain').set(chunk, agreed);
  }
  convictLiars(d);
  const sums = [...d.plain].map(([chunk, hash]): ChunkSum => ({ chunk, hash }));
  for (const sum of sums) fetchPlain(d, sum);
  const isComplete = sums.length === d.placement.length && sums.every((sum) => isPlainHere(d, sum));
  if (!isComplete || d.done.has('unmask') || masks() === undefined) return;
  own(d, 'done').add('unmask');
  sums.sort((a, b) => a.chunk - b.chunk);
  const survivors = survivorsOf(d).length;
  d.effects.push({ kind: 'compute', compute: { task: 'assemble', sums, survivors } });
}

/** All that are ready at once: a message for each would use up the revisions. */
function openOwn(
  d: Draft,
  chunks: readonly number[],
  masks: () => readonly MaskTerm[] | undefined,
): void {
  const wanted = chunks.filter((chunk) => !d.done.has(`opening/${chunk}`));
  const sums = wanted.flatMap((chunk): readonly ChunkSum[] => {
    const hash = d.verified.get(chunk);
    return hash === undefined ? [] : [{ chunk, hash }];
  });
  if (sums.length === 0 || (sums.length < wanted.length && !d.expired.has('verify/0'))) return;
  const terms = masks();
  if (terms === undefined) return;
  for (const { chunk } of sums) own(d, 'done').add(`opening/${chunk}`);
  d.effects.push({ kind: 'compute', compute: { task: 'unmask-chunks', sums, terms } });
}

/** What all drawn for a chunk named, once enough have; one of them is honest. */
function agreedOn(d: SessionState, chunk: number): Uint8Array | undefined {
  const named = namedFor(d, chunk);
  const [first] = named;
  if (first === undefined || named.length < drawnCount(d)) return undefined;
  return named.every((hash) => equalBytes(hash, first)) ? first : undefined;
}

/** What this peer found itself goes before what others say. */
export function onChunksUnmasked(d: Draft, sums: readonly ChunkSum[]): void {
  for (const { chunk, hash } of sums) {
    own(d, 'plain').set(chunk, hash);
    own(d, 'done').add(`found/${chunk}`).add(plainMark({ chunk, hash }));
  }
  const revision = nextRevision(d, 'plain-sums');
  if (d.done.has('abandoned') || revision === undefined) return;
  broadcast(d, { kind: 'plain-sums', revision, sums });
}

export const onPlainFetched = (d: Draft, sum: ChunkSum): void => {
  own(d, 'done').add(plainMark(sum));
};

const plainMark = ({ chunk }: ChunkSum): string => `plain-here/${chunk}`;
const isPlainHere = (d: SessionState, sum: ChunkSum): boolean => d.done.has(plainMark(sum));

function fetchPlain(d: Draft, sum: ChunkSum): void {
  const { chunk, hash } = sum;
  if (isPlainHere(d, sum) || !once(d, `plain/${chunk}`)) return;
  const named = (member: number) => d.plainNamed.get(`${chunk}/${member}`);
  const from = serversOf(
    d,
    unmaskersOf(d, chunk).filter((member) => {
      const said = named(member);
      return said !== undefined && equalBytes(said, hash);
    }),
  );
  d.effects.push({ kind: 'fetch-plain', chunk, hash, from });
}

/** Whoever named another plain sum than this peer found itself. */
function convictLiars(d: Draft): void {
  for (const [key, hash] of d.plainNamed) {
    const [chunk, member] = key.split('/').map(Number) as [number, number];
    if (!d.done.has(`found/${chunk}`) || equalBytes(hash, d.plain.get(chunk)!)) continue;
    convict(d, member, { reason: 'wrong-plain-sum', chunk });
  }
}
