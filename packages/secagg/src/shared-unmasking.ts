import { equalBytes } from '@starling/core';
import type { Secret } from '@starling/crypto';
import { drawn, drawnCount, roundsPassed } from './draws.ts';
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
  const named = d.plainNamed.get(chunk);
  if (named === undefined) return [];
  return unmaskersOf(d, chunk).flatMap((member) => named.get(member) ?? []);
}

/** Chunks that this peer opens itself: those it is drawn for, and those that are disputed. */
export function chunksToOpen(d: SessionState): readonly number[] {
  // One that abandoned promised to reveal nothing, so its word is not waited for.
  const drawnFor = d.done.has('abandoned') ? NONE : ownDraws(d);
  return [...d.placement.keys()].filter((chunk) => {
    if (d.plain.has(chunk)) return false;
    const named = namedFor(d, chunk);
    return drawnFor.has(chunk) || named.some((hash) => !equalBytes(hash, named[0]!));
  });
}
const NONE: ReadonlySet<number> = new Set();

const knownDraws = new WeakMap<Secret, Map<number, ReadonlySet<number>>>();
/** Chunks that this peer is drawn for so far; asked after every event. */
function ownDraws(d: SessionState): ReadonlySet<number> {
  const rounds = roundsPassed(d);
  const byRounds = knownDraws.get(d.tagSeed!) ?? new Map<number, ReadonlySet<number>>();
  knownDraws.set(d.tagSeed!, byRounds);
  const known = byRounds.get(rounds);
  if (known !== undefined) return known;
  const { self } = d.config;
  const chunks = [...d.placement.keys()].filter((chunk) => unmaskersOf(d, chunk).includes(self));
  const draws = new Set(chunks);
  byRounds.set(rounds, draws);
  return draws;
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
  for (const [chunk, hash] of d.plain) if (!isPlainHere(d, chunk)) fetchPlain(d, { chunk, hash });
  const isComplete =
    d.plain.size === d.placement.length && [...d.plain.keys()].every((c) => isPlainHere(d, c));
  if (!isComplete || d.done.has('unmask') || masks() === undefined) return;
  own(d, 'done').add('unmask');
  const sums = [...d.placement.keys()].map((chunk) => ({ chunk, hash: d.plain.get(chunk)! }));
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
  if ((d.plainNamed.get(chunk)?.size ?? 0) < drawnCount(d)) return undefined;
  const named = namedFor(d, chunk);
  const [first] = named;
  if (first === undefined || named.length < drawnCount(d)) return undefined;
  return named.every((hash) => equalBytes(hash, first)) ? first : undefined;
}

/** What this peer found itself goes before what others say. */
export function onChunksUnmasked(d: Draft, sums: readonly ChunkSum[]): void {
  for (const { chunk, hash } of sums) {
    own(d, 'plain').set(chunk, hash);
    own(d, 'done').add(`found/${chunk}`).add(plainMark(chunk));
  }
  const revision = nextRevision(d, 'plain-sums');
  if (d.done.has('abandoned') || revision === undefined) return;
  broadcast(d, { kind: 'plain-sums', revision, sums });
}

export const onPlainFetched = (d: Draft, { chunk }: ChunkSum): void => {
  own(d, 'done').add(plainMark(chunk));
};

const plainMark = (chunk: number): string => `plain-here/${chunk}`;
const isPlainHere = (d: SessionState, chunk: number): boolean => d.done.has(plainMark(chunk));

function fetchPlain(d: Draft, { chunk, hash }: ChunkSum): void {
  if (!once(d, `plain/${chunk}`)) return;
  const named = [...(d.plainNamed.get(chunk) ?? [])];
  const who = named.flatMap(([member, said]) => (equalBytes(said, hash) ? [member] : []));
  const from = serversOf(d, who);
  d.effects.push({ kind: 'fetch-plain', chunk, hash, from });
}

/** Whoever named another plain sum than this peer found itself. */
function convictLiars(d: Draft): void {
  for (const [chunk, named] of d.plainNamed) {
    if (!d.done.has(`found/${chunk}`)) continue;
    const hash = d.plain.get(chunk)!;
    for (const [member, said] of named) {
      if (!equalBytes(said, hash)) convict(d, member, { reason: 'wrong-plain-sum', chunk });
    }
  }
}
