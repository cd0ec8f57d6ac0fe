import { equalBytes } from '@starling/core';
import { audit, tagOfMember } from './audits.ts';
import { blame, convictLiars, isBlamed } from './blame.ts';
import {
  type CommittedSum,
  fetchSums,
  isEverySumHere,
  isHere,
  sumKey,
  sumsOf,
} from './phase-4-sums.ts';
import { remainingMasks, selfMasksOpened, sendShares } from './phase-5-unmask.ts';
import { addTags, type MaskTerm } from './ring/index.ts';
import { tagSeed } from './secrets.ts';
import { chunksToOpen, isShared, shareUnmasking } from './shared-unmasking.ts';
import {
  broadcast,
  type Draft,
  end,
  enterPhase,
  once,
  own,
  setTimer,
  survivorsOf,
} from './state.ts';
import type { ChunkOf, ChunkSum } from './types.ts';

/**
 * Phase 6: everybody checks the sums by linear tags, with coefficients that nobody knew when the
 * sums were committed to, then removes the masks. Spec §5.9.
 */
export function advanceUnmask(d: Draft): void {
  const shared = isShared(d);
  if (!shared) fetchSums(d, d.placement.keys());
  if (d.config.protection === 'none') {
    trustSums(d);
    if (isEverySumHere(d)) openSum(d, []);
    return;
  }
  sendShares(d);
  const masks = selfMasksOpened(d);
  if (masks === 'inconsistent') end(d, { kind: 'burnt', reason: 'shares-inconsistent' });
  if (typeof masks === 'string') return;
  if (d.tagSeed === undefined) enterVerify(d, masks);
  if (shared) {
    const chunks = chunksToOpen(d);
    fetchSums(d, chunks);
    checkSums(d, chunks);
    shareUnmasking(d, chunks, () => masksLeft(d, masks));
    return;
  }
  checkSums(d, [...d.placement.keys()]);
  if (!isEverySumHere(d) || d.done.has('unmask')) return;
  const terms = masksLeft(d, masks);
  if (terms !== undefined) openSum(d, terms);
}

/** The masks to be removed; undefined while some are not open, or when they never can be. */
function masksLeft(d: Draft, selfMasks: readonly Uint8Array[]): readonly MaskTerm[] | undefined {
  const terms = remainingMasks(d, selfMasks);
  if (terms === 'inconsistent') end(d, { kind: 'burnt', reason: 'shares-inconsistent' });
  return typeof terms === 'string' ? undefined : terms;
}

/** Without protection there is nothing to verify with: the first sum of every chunk is taken. */
function trustSums(d: Draft): void {
  for (const chunk of d.placement.keys()) {
    const sum = sumsOf(d, chunk).find((entry) => isHere(d, entry));
    if (sum !== undefined) own(d, 'verified').set(chunk, sum.hash);
  }
}

function enterVerify(d: Draft, selfMasks: readonly Uint8Array[]): void {
  const { decision } = d.survivors;
  if (decision?.kind !== 'set') return;
  d.tagSeed = tagSeed(d.config, decision.members, selfMasks);
  enterPhase(d, 'verify');
  setTimer(d, 'verify/0', 1);
  const { self } = d.config;
  // One that abandoned promised to reveal nothing: others audit its chunks.
  if (!survivorsOf(d).includes(self) || d.done.has('abandoned')) return;
  const chunks = [...d.placement.keys()].map((chunk): ChunkOf => ({ chunk, of: self }));
  d.effects.push({ kind: 'compute', compute: { task: 'tag-chunks', chunks, seed: d.tagSeed } });
}

/** Own tags go out when all are computed; others' serve audits and blame. */
export function onChunksTagged(
  d: Draft,
  tags: readonly (ChunkOf & { readonly tag: Uint8Array })[],
): void {
  const { self } = d.config;
  for (const { chunk, of, tag } of tags) {
    own(d, 'chunkTags').set(`${chunk}/${of}`, tag);
    if (of !== self) convictLiars(d, chunk, of, tag);
  }
  const mine = [...d.placement.keys()].flatMap(
    (chunk) => d.chunkTags.get(`${chunk}/${self}`) ?? [],
  );
  if (d.chunkHashes === undefined || mine.length !== d.placement.length) return;
  if (survivorsOf(d).includes(self)) broadcast(d, { kind: 'tags', tags: mine });
}

export function onSumsTagged(
  d: Draft,
  tags: readonly (ChunkSum & { readonly tag: Uint8Array })[],
): void {
  for (const { chunk, hash, tag } of tags) own(d, 'sumTags').set(sumKey({ chunk, hash }), tag);
}

/** Compares each sum's tag with those of its parts; what does not fit is blamed on somebody. */
function checkSums(d: Draft, chunks: readonly number[]): void {
  const untagged: ChunkSum[] = [];
  const canCheck = isTagSetPlausible(d);
  for (const chunk of chunks) {
    if (d.verified.has(chunk)) continue;
    for (const sum of sumsOf(d, chunk)) {
      const tag = d.sumTags.get(sumKey(sum));
      if (tag !== undefined && canCheck) checkSum(d, sum, tag);
      else if (isHere(d, sum) && once(d, `tag/${sumKey(sum)}`)) untagged.push(sum);
    }
    if (isBlamed(d, chunk)) blame(d, chunk);
  }
  const wanted = new Set(chunks);
  audit(d, (chunk) => wanted.has(chunk));
  if (untagged.length === 0) return;
  const compute = { task: 'tag-sums', sums: untagged, seed: d.tagSeed! } as const;
  d.effects.push({ kind: 'compute', compute });
}

/** Whether tags may be complete: nobody's are missing, or some came from elsewhere. */
function isTagSetPlausible(d: Draft): boolean {
  const fromElsewhere = d.audits.size > 0 || d.chunkTags.size > d.placement.length;
  return fromElsewhere || survivorsOf(d).every((member) => d.inbox.has(`tags/${member}`));
}

function checkSum(d: Draft, sum: CommittedSum, tag: Uint8Array): void {
  const parts: Uint8Array[] = [];
  for (const member of survivorsOf(d)) {
    const part = tagOfMember(d, member, sum.chunk);
    if (part === undefined) return;
    parts.push(part);
  }
  if (equalBytes(addTags(parts), tag)) {
    own(d, 'verified').set(sum.chunk, sum.hash);
    own(d, 'done').delete(sum.refused);
  } else own(d, 'done').add(sum.refused);
}

function openSum(d: Draft, terms: readonly MaskTerm[]): void {
  if (!once(d, 'unmask')) return;
  const sums = [...d.placement.keys()].map((chunk) => ({ chunk, hash: d.verified.get(chunk)! }));
  const survivors = survivorsOf(d).length;
  d.effects.push({ kind: 'compute', compute: { task: 'unmask', sums, terms, survivors } });
}
