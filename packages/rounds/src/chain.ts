import { compareText, type JobId, type PeerId } from '@starling/core';
import {
  type Certificate,
  type CertificateHash,
  type Manifest,
  type Statement,
  statementHash,
  verifyStatement,
} from '@starling/protocol-rounds';
import { threshold } from '@starling/protocol-secagg';
import { fromBitmap } from '@starling/secagg';

/** Certificates of rounds 1, 2, …: the job itself (design §1). */
export type Chain = readonly Certificate[];

export interface ChainRules {
  readonly jobId: JobId;
  readonly manifest: Manifest;
}

/** Hash that the next certificate names as its parent; the job's id before the first. */
export function headHash(chain: Chain, jobId: JobId): CertificateHash {
  const last = chain.at(-1);
  return last ? statementHash(last.statement) : (jobId as string as CertificateHash);
}

/**
 * Whether the job has ended: all rounds are done, the time is up, or the last certificate shows its
 * target.
 */
export function isOver(chain: Chain, { stop }: Manifest): boolean {
  if (chain.length >= stop.rounds) return true;
  if (stop.seconds > 0 && secondsOf(chain) >= stop.seconds) return true;
  const metrics = chain.at(-1)?.statement.metrics;
  if (stop.target === null || metrics === undefined || metrics.examples === 0) return false;
  const { metric, value } = stop.target;
  if (metric === 'accuracy') return metrics.correct / metrics.examples >= value;
  return metrics.lossSum / metrics.examples <= value;
}

/**
 * How long the rounds of a timed job took: of each the mean over its survivors' own clocks, as
 * their secure sum has it. Clocks need not agree, and a liar moves a mean by its own share alone.
 */
export function secondsOf(chain: Chain): number {
  return chain.reduce((sum, { statement }) => {
    return sum + statement.metrics.seconds / survivorCount(statement);
  }, 0);
}

/** Why a certificate cannot follow `before`, or undefined when it can. */
export function certificateFault(
  certificate: Certificate,
  before: Chain,
  { jobId, manifest }: ChainRules,
): string | undefined {
  const { statement } = certificate;
  const { roster } = statement;
  if (statement.jobId !== jobId) return 'belongs to another job';
  if (statement.round !== before.length + 1) return `round ${statement.round} out of order`;
  if (isOver(before, manifest)) return 'follows the end of the job';
  if (statement.parent !== headHash(before, jobId)) return 'names another parent';
  if (roster.length < Math.max(3, manifest.admission.minPeers)) return 'roster too small';
  if (roster.some((peer, i) => i > 0 && compareText(roster[i - 1]!, peer) >= 0)) {
    return 'roster not in order';
  }
  const survivors = fromBitmap(statement.survivors, roster.length);
  if (survivors === undefined || survivors.length === 0) return 'survivor set malformed';
  if (metricsFault(statement, manifest)) return 'measures what the job does not';
  if (signersOf(certificate).size < threshold(roster.length)) return 'no quorum of signatures';
  return undefined;
}

/** With noise nothing is measured. */
function metricsFault({ metrics }: Statement, { training, privacy }: Manifest): boolean {
  const wanted = privacy.mechanism === 'none' ? training.metrics.length : 0;
  return (metrics.named?.length ?? 0) !== wanted;
}

/** Members whose signatures under the statement hold. */
export function signersOf({ statement, signatures }: Certificate): ReadonlySet<PeerId> {
  const signers = new Set<PeerId>();
  for (const { member, signature } of signatures) {
    const peer = statement.roster[member];
    if (peer !== undefined && verifyStatement(statement, peer, signature)) signers.add(peer);
  }
  return signers;
}

/**
 * Whether more than half of the parent's roster signed certificate `i` or its child, and the parent
 * is settled, too (design decision 9d): what a few go on to certify among themselves never is. The
 * first certificate has no parent's roster and counts as settled.
 */
export const isSettled = (chain: Chain, i: number): boolean => settledLength(chain, i + 1) > i;

/**
 * Certificates of the chain's settled beginning, of the first `most`.
 * @param signers `signersOf`, or one that remembers what it answered
 */
export function settledLength(chain: Chain, most = chain.length, signers = signersOf): number {
  let length = 0;
  while (length < most && followsSettled(chain, length, signers)) length++;
  return length;
}

function followsSettled(chain: Chain, i: number, signers: typeof signersOf): boolean {
  const parent = chain[i - 1];
  if (parent === undefined) return true;
  const child = chain[i + 1];
  const signed = new Set([...signers(chain[i]!), ...(child ? signers(child) : [])]);
  const { roster } = parent.statement;
  return roster.filter((peer) => signed.has(peer)).length * 2 > roster.length;
}

/**
 * Fork choice: the longer settled beginning, then the longer chain, then most survivors where the
 * two part, then the lower hash there. In round 1, where no roster before tells who the job's peers
 * are, survivors come first: else three peers alone outrun the many. Total, so every peer that sees
 * both chains takes the same.
 */
export function isBetter(candidate: Chain, mine: Chain): boolean {
  const fork = firstDifference(candidate, mine);
  if (fork === undefined) return false;
  const rank = (chain: Chain): readonly number[] => {
    const at = chain[fork]?.statement;
    const survivors = at ? survivorCount(at) : 0;
    const lengths = [settledLength(chain), chain.length];
    return fork === 0 ? [survivors, ...lengths] : [...lengths, survivors];
  };
  const theirs = rank(candidate);
  const ours = rank(mine);
  for (const [i, value] of theirs.entries()) {
    if (value !== ours[i]) return value > ours[i]!;
  }
  return compareText(hashAt(candidate, fork), hashAt(mine, fork)) < 0;
}

const hashAt = (chain: Chain, i: number): string => {
  const certificate = chain[i];
  return certificate ? statementHash(certificate.statement) : '';
};

/** First index at which two chains differ; undefined when they are the same. */
export function firstDifference(a: Chain, b: Chain): number | undefined {
  for (let i = 0; i < Math.max(a.length, b.length); i++) {
    if (hashAt(a, i) !== hashAt(b, i)) return i;
  }
  return undefined;
}

/** Peers whose updates are in the sum; nobody when the bitmap is malformed. */
export function survivorsOf({ survivors, roster }: Certificate['statement']): readonly PeerId[] {
  const members = fromBitmap(survivors, roster.length) ?? [];
  return members.map((member) => roster[member]!);
}

export const survivorCount = (statement: Certificate['statement']): number =>
  survivorsOf(statement).length;

/** The whole chain, checked from the start; the reason and round of the first fault. */
export function verifyChain(
  chain: Chain,
  rules: ChainRules,
): { ok: true } | { ok: false; round: number; reason: string } {
  for (const [i, certificate] of chain.entries()) {
    const reason = certificateFault(certificate, chain.slice(0, i), rules);
    if (reason !== undefined) return { ok: false, round: i + 1, reason };
  }
  return { ok: true };
}
