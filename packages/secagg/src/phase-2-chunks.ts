import { assert } from '@starling/core';
import { merkleProofs, merkleRoot, verifyMerkleProof } from '@starling/crypto';
import { toBitmap } from './bitmap.ts';
import { edgeSign, isEdgeIntact } from './edges.ts';
import { neighboursOf } from './graph.ts';
import { chunksOf, keepersOf, ownedChunks, placeChunks } from './owners.ts';
import type { MaskTerm } from './ring/index.ts';
import { ownEdgeSeed, selfMaskOf } from './secrets.ts';
import {
  broadcast,
  type Draft,
  enterPhase,
  isSettled,
  journal,
  maskSetOf,
  messageOf,
  nextRevision,
  once,
  own,
  rosterSize,
  type SessionState,
  setTimer,
  survivorsOf,
} from './state.ts';
import { isVetoed } from './veto.ts';

/**
 * Phase 2: members of V mask their input, commit to it and send every chunk to its owners; owners
 * receipt what they hold. Spec: protocols/secagg/spec.md §5.3 to §5.5.
 */
export function enterChunks(d: Draft): void {
  enterPhase(d, 'chunks');
  d.placement = placeChunks(d);
  setTimer(d, 'chunks', 2);
  // Owners receipt what they have at `chunks`: only after that is one silent.
  setTimer(d, 'receipts', 2.5);
  const members = maskSetOf(d);
  // One whose owner does not agree sends nothing: it stays a voter and a holder of shares.
  if (!members.includes(d.config.self) || isVetoed(d, members)) return;
  const { input } = d.config;
  d.effects.push({ kind: 'compute', compute: { task: 'mask', input, terms: maskTerms(d) } });
}

/**
 * y = q + PRG(b) + Σ ± PRG(s) over the intact edges to the rest of V (Bonawitz et al. 2017, §4).
 */
function maskTerms(d: SessionState): readonly MaskTerm[] {
  const { config } = d;
  const { self, seed } = config;
  if (config.protection === 'none') return [];
  const terms: MaskTerm[] = [{ seed: selfMaskOf(seed), sign: 1 }];
  const members = new Set(maskSetOf(d));
  for (const other of neighboursOf(config, self)) {
    if (!members.has(other) || !isEdgeIntact(d, self, other)) continue;
    const edge = ownEdgeSeed(config, other);
    assert(edge !== undefined, `edge ${self}–${other} is intact but has no seed`);
    terms.push({ seed: edge, sign: edgeSign(self, other) });
  }
  return terms;
}

/** The masked vector is ready: from here on this peer's input is out. */
export function onMasked(d: Draft, chunkHashes: readonly Uint8Array[]): void {
  if (!maskSetOf(d).includes(d.config.self)) return;
  if (d.placement.length === 0 || d.chunkHashes !== undefined) return;
  assert(chunkHashes.length === d.placement.length, 'masked chunks do not fit the layout');
  const { self } = d.config;
  d.chunkHashes = chunkHashes;
  journal(d, { kind: 'masked' });
  own(d, 'done').add('masked');
  broadcast(d, { kind: 'commit', root: merkleRoot(chunkHashes) });
  const proofs = merkleProofs(chunkHashes);
  for (const [chunk, hash] of chunkHashes.entries()) {
    const proof = proofs[chunk]!;
    own(d, 'chunks').set(`${chunk}/${self}`, { hash, proof, verified: true });
  }
}

/** Sends every chunk to its owners, also to those who became so because others are lost. */
export function sendChunks(d: Draft): void {
  const { self } = d.config;
  if (d.chunkHashes === undefined || isLeftOut(d)) return;
  const count = d.chunkHashes.length;
  // Everybody starts with another chunk, so that no owner is hit by all members at once.
  for (let step = 0; step < count; step++) {
    const chunk = (step + self) % count;
    if (isSettled(d, chunk)) continue;
    const { proof } = d.chunks.get(`${chunk}/${self}`)!;
    for (const to of keepersOf(d, chunk, self)) {
      if (to === self || !once(d, `sent/${chunk}/${to}`)) continue;
      d.effects.push({ kind: 'send-chunk', to, chunk, proof });
    }
  }
}

/** After U nobody waits for the chunks of who is not in it. */
function isLeftOut(d: SessionState): boolean {
  const { decision } = d.survivors;
  return decision !== undefined && !survivorsOf(d).includes(d.config.self);
}

/** Keeps an arrived chunk; its path is checked when the contributor's COMMIT is there. */
export function onChunk(
  d: Draft,
  event: { from: number; chunk: number; hash: Uint8Array; proof: readonly Uint8Array[] },
): void {
  const { from, chunk, hash, proof } = event;
  if (chunk >= chunksOf(d.config.shape).count || d.chunks.get(`${chunk}/${from}`)?.verified) return;
  own(d, 'chunks').set(`${chunk}/${from}`, { hash, proof, verified: false });
}

/** Checks Merkle paths of chunks whose COMMIT has come; drops those that do not fit. */
export function verifyChunks(d: Draft): void {
  for (const [key, held] of d.chunks) {
    if (held.verified) continue;
    const [chunk, from] = key.split('/').map(Number) as [number, number];
    const commit = messageOf(d, 'commit', from);
    if (commit === undefined) continue;
    const { hash, proof } = held;
    const fits = verifyMerkleProof(commit.root, hash, chunk, d.placement.length, proof);
    if (fits) own(d, 'chunks').set(key, { hash, proof, verified: true });
    else {
      own(d, 'chunks').delete(key);
      own(d, 'done').delete(`open/${key}`);
    }
  }
}

/** Whether all these chunks of a contributor are here, checked. */
export function holdsAll(d: SessionState, chunks: readonly number[], from: number): boolean {
  return chunks.every((chunk) => d.chunks.get(`${chunk}/${from}`)?.verified === true);
}

const PAUSE = 'receipt-pause';

/** Receipts go out when everybody reachable has delivered, and again when time has run out. */
export function sendReceipts(d: Draft): void {
  const owned = ownedChunks(d, d.config.self);
  if (owned.length === 0) return;
  const members = maskSetOf(d);
  const complete = members.filter((member) => holdsAll(d, owned, member));
  const waiting = members.some((m) => !complete.includes(m) && !d.unreachable.has(m));
  if (waiting && !d.expired.has('chunks')) return;
  const revision = nextRevision(d, 'receipt');
  if (revision === undefined || d.done.has(PAUSE)) return;
  if (!once(d, `receipt/${owned.join(',')}/${complete.join(',')}`)) return;
  // Late chunks come one by one; a receipt for each would use up the revisions.
  own(d, 'done').add(PAUSE);
  setTimer(d, `again/${PAUSE}`, 1 / 4);
  broadcast(d, {
    kind: 'receipt',
    revision,
    chunks: toBitmap(owned, d.placement.length),
    contributors: toBitmap(complete, rosterSize(d)),
  });
}
