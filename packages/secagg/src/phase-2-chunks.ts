import { assert } from '@starling/core';
import { merkleProof, merkleRoot, verifyMerkleProof } from '@starling/crypto';
import type { MessageOf } from '@starling/protocol-secagg';
import { toBitmap } from './bitmap.ts';
import { edgeSign, isEdgeIntact } from './edges.ts';
import { chunksOf, ownedChunks, placeChunks } from './owners.ts';
import type { MaskTerm } from './ring/index.ts';
import { edgeSeed, maskKeyOf, selfMaskOf } from './secrets.ts';
import {
  broadcast,
  type Draft,
  enterPhase,
  journal,
  maskSetOf,
  messageOf,
  once,
  rosterSize,
  type SessionState,
} from './state.ts';

/**
 * Phase 2: members of V mask their input, commit to it and send every chunk to its owners; owners
 * receipt what they hold. Spec: protocols/secagg/spec.md §5.3 to §5.5.
 */
export function enterChunks(d: Draft): void {
  enterPhase(d, 'chunks');
  d.owners = placeChunks(d);
  const { phaseMs } = d.config.timers;
  d.effects.push({ kind: 'set-timer', timer: 'chunks', afterMs: 2 * phaseMs });
  if (!maskSetOf(d).includes(d.config.self)) return;
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
  const key = maskKeyOf(seed);
  const terms: MaskTerm[] = [{ seed: selfMaskOf(seed), sign: 1 }];
  for (const other of maskSetOf(d)) {
    if (other === self || !isEdgeIntact(d, self, other)) continue;
    const edge = edgeSeed(config, self, key, other);
    assert(edge !== undefined, `edge ${self}–${other} is intact but has no seed`);
    terms.push({ seed: edge, sign: edgeSign(self, other) });
  }
  return terms;
}

/** The masked vector is ready: from here on this peer's input is out. */
export function onMasked(d: Draft, chunkHashes: readonly Uint8Array[]): void {
  if (!maskSetOf(d).includes(d.config.self)) return;
  if (d.owners.length === 0 || d.chunkHashes !== undefined) return;
  assert(chunkHashes.length === d.owners.length, 'masked chunks do not fit the layout');
  const { self } = d.config;
  d.chunkHashes = chunkHashes;
  journal(d, { kind: 'masked' });
  d.done.add('masked');
  broadcast(d, { kind: 'commit', root: merkleRoot(chunkHashes) });
  // Everybody starts with another chunk, so that no owner is hit by all members at once.
  for (let step = 0; step < d.owners.length; step++) {
    const chunk = (step + self) % d.owners.length;
    const proof = merkleProof(chunkHashes, chunk);
    for (const to of d.owners[chunk]!) {
      if (to !== self) d.effects.push({ kind: 'send-chunk', to, chunk, proof });
      else d.chunks.set(`${chunk}/${self}`, { hash: chunkHashes[chunk]!, proof, verified: true });
    }
  }
}

/** Keeps an arrived chunk; its path is checked when the contributor's COMMIT is there. */
export function onChunk(
  d: Draft,
  event: { from: number; chunk: number; hash: Uint8Array; proof: readonly Uint8Array[] },
): void {
  const { from, chunk, hash, proof } = event;
  if (chunk >= chunksOf(d.config.shape).count || d.chunks.get(`${chunk}/${from}`)?.verified) return;
  d.chunks.set(`${chunk}/${from}`, { hash, proof, verified: false });
}

/** Checks Merkle paths of chunks whose COMMIT has come; drops those that do not fit. */
export function verifyChunks(d: Draft): void {
  for (const [key, held] of d.chunks) {
    if (held.verified) continue;
    const [chunk, from] = key.split('/').map(Number) as [number, number];
    const commit = messageOf(d, 'commit', from);
    if (commit === undefined) continue;
    const { hash, proof } = held;
    const fits = verifyMerkleProof(commit.root, hash, chunk, d.owners.length, proof);
    if (fits) d.chunks.set(key, { hash, proof, verified: true });
    else d.chunks.delete(key);
  }
}

/** Whether this owner holds all its chunks of a contributor, checked. */
export function holdsAll(d: SessionState, owned: readonly number[], from: number): boolean {
  return owned.every((chunk) => d.chunks.get(`${chunk}/${from}`)?.verified === true);
}

/** Receipts go out when everybody reachable has delivered, and again when time has run out. */
export function sendReceipts(d: Draft): void {
  const owned = ownedChunks(d, d.config.self);
  if (owned.length === 0) return;
  const members = maskSetOf(d);
  const complete = members.filter((member) => holdsAll(d, owned, member));
  const waiting = members.some((m) => !complete.includes(m) && !d.unreachable.has(m));
  if (waiting && !d.expired.has('chunks')) return;
  const contributors = toBitmap(complete, rosterSize(d));
  const last = lastReceipt(d, d.config.self);
  const revision = last === undefined ? 0 : last.revision + 1;
  if (revision > 7 || !once(d, `receipt/${complete.join(',')}`)) return;
  broadcast(d, { kind: 'receipt', revision, contributors });
}

/** The newest receipt of an owner. */
export function lastReceipt(d: SessionState, owner: number): MessageOf<'receipt'> | undefined {
  for (let revision = 7; revision >= 0; revision--) {
    const receipt = d.inbox.get(`receipt/${revision}/${owner}`);
    if (receipt?.kind === 'receipt') return receipt;
  }
  return undefined;
}
