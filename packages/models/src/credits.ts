import { decodeCanonical, type PeerId } from '@starling/core';
import {
  PROOF_BYTES_MAX,
  proofCodec,
  readJob,
  readThanks,
  statementHash,
  type Thanks,
  thankersOf,
} from '@starling/protocol-rounds';
import { threshold } from '@starling/protocol-secagg';
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
  /** Bytes that others thank it for: of sums, of models and states, and as a relay. */
  readonly sums: number;
  readonly blobs: number;
  readonly relayed: number;
}

export interface JobCredits {
  readonly job: string;
  readonly name: string;
  readonly launcher: PeerId;
  readonly rounds: number;
  /** Rounds at the end that a better chain may still replace. */
  readonly provisional: number;
  /** Rounds for which a quorum of those who may has thanked: the others' bytes do not count. */
  readonly thanked: number;
  /** The most updates first. */
  readonly credits: readonly Credit[];
}

/**
 * Credits from a proof alone: a certificate is a receipt that a quorum of the round's roster
 * signed, and it names who is in the sum; thanks are survivors' receipts for what they were served.
 * Neither says anything of what an update held or was worth.
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
  const thanks = countedThanks(chain, proof.thanks);
  return {
    ...{ job: job.id, name: job.manifest.name, launcher: job.launcher, rounds: chain.length },
    provisional: chain.filter((_, i) => !isSettled(chain, i)).length,
    thanked: thanks.filter((each) => each.length > 0).length,
    credits: tally(chain, thanks.flat()),
  };
}

/** By round: the thanks of those who may, where a quorum of them has; else none. */
function countedThanks(chain: Chain, all: readonly Uint8Array[]): readonly (readonly Thanks[])[] {
  const byCertificate = new Map<string, Map<PeerId, Thanks>>();
  for (const bytes of all) {
    const thanks = readThanks(bytes);
    if (thanks === undefined) continue;
    const held = byCertificate.get(thanks.certificate) ?? new Map<PeerId, Thanks>();
    byCertificate.set(thanks.certificate, held);
    // Of two the one of the smaller hash counts, whoever has put the proof together.
    const before = held.get(thanks.signer);
    if (before === undefined || thanks.hash < before.hash) held.set(thanks.signer, thanks);
  }
  return chain.map(({ statement }) => {
    const may = thankersOf(statement, survivorsOf(statement));
    const held = byCertificate.get(statementHash(statement))?.values() ?? [];
    const counted = [...held].filter(({ signer }) => may.has(signer));
    return counted.length >= threshold(may.size) ? counted : [];
  });
}

type Counts = Omit<Credit, 'peer' | 'share'>;

function tally(chain: Chain, thanks: readonly Thanks[]): readonly Credit[] {
  const counts = new Map<PeerId, { -readonly [K in keyof Counts]: Counts[K] }>();
  const of = (peer: PeerId) => {
    const none = { updates: 0, rosters: 0, signatures: 0, sums: 0, blobs: 0, relayed: 0 };
    const known = counts.get(peer) ?? none;
    counts.set(peer, known);
    return known;
  };
  for (const { statement, signatures } of chain) {
    for (const peer of statement.roster) of(peer).rosters++;
    for (const peer of survivorsOf(statement)) of(peer).updates++;
    for (const { member } of signatures) of(statement.roster[member]!).signatures++;
  }
  for (const { peer, sums, blobs, relayed } of thanks.flatMap(({ services }) => services)) {
    const credit = of(peer);
    credit.sums += sums;
    credit.blobs += blobs;
    credit.relayed += relayed;
  }
  const all = [...counts.values()].reduce((sum, { updates }) => sum + updates, 0);
  const served = ({ sums, blobs, relayed }: Credit) => sums + blobs + relayed;
  return [...counts]
    .map(([peer, count]) => ({ peer, ...count, share: all === 0 ? 0 : count.updates / all }))
    .toSorted(
      (a, b) => b.updates - a.updates || b.signatures - a.signatures || served(b) - served(a),
    );
}
