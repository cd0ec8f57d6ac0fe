import { decodeCanonical, type PeerId } from '@starling/core';
import { PROOF_BYTES_MAX, proofCodec, readJob } from '@starling/protocol-rounds';
import { type Chain, isSettled, survivorsOf } from '@starling/rounds';
import { chainFault } from './chain-fault.ts';

/** What the certificates of a job say that one peer gave to it. */
export interface Credit {
  readonly peer: PeerId;
  /** Rounds in whose sum its update is. */
  readonly updates: number;
  /** Rounds in whose roster it was, whether its update came into the sum or not. */
  readonly rosters: number;
  /** Certificates that it signed. */
  readonly signatures: number;
  /** Its updates over those of all peers. */
  readonly share: number;
}

export interface JobCredits {
  readonly job: string;
  readonly name: string;
  readonly launcher: PeerId;
  readonly rounds: number;
  /** Rounds at the end that a better chain may still replace. */
  readonly provisional: number;
  /** The most updates first. */
  readonly credits: readonly Credit[];
}

/**
 * Credits from a proof alone: a certificate is a receipt that a quorum of the round's roster
 * signed, and it names who is in the sum. It says nothing of what an update held or was worth.
 * @throws ProtocolError when the proof is malformed
 * @returns why the proof does not hold, or the credits
 */
export function creditsOf(proofBytes: Uint8Array): JobCredits | { readonly fault: string } {
  const proof = decodeCanonical(proofCodec, proofBytes, PROOF_BYTES_MAX);
  const job = readJob(proof.manifest);
  if (job === undefined) return { fault: "the manifest's signature is not its launcher's" };
  const chain: Chain = proof.certificates;
  const broken = chainFault(chain, job);
  if (broken !== undefined) return { fault: broken.fault };
  return {
    ...{ job: job.id, name: job.manifest.name, launcher: job.launcher, rounds: chain.length },
    provisional: chain.filter((_, i) => !isSettled(chain, i)).length,
    credits: tally(chain),
  };
}

function tally(chain: Chain): readonly Credit[] {
  const counts = new Map<PeerId, { updates: number; rosters: number; signatures: number }>();
  const of = (peer: PeerId) => {
    const known = counts.get(peer) ?? { updates: 0, rosters: 0, signatures: 0 };
    counts.set(peer, known);
    return known;
  };
  for (const { statement, signatures } of chain) {
    for (const peer of statement.roster) of(peer).rosters++;
    for (const peer of survivorsOf(statement)) of(peer).updates++;
    for (const { member } of signatures) of(statement.roster[member]!).signatures++;
  }
  const all = [...counts.values()].reduce((sum, { updates }) => sum + updates, 0);
  return [...counts]
    .map(([peer, count]) => ({ peer, ...count, share: all === 0 ? 0 : count.updates / all }))
    .toSorted((a, b) => b.updates - a.updates || b.signatures - a.signatures);
}
