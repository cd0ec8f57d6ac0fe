import type { Job } from '@starling/protocol-rounds';
import { threshold } from '@starling/protocol-secagg';
import { type Chain, signersOf, verifyChain } from '@starling/rounds';
import { quote } from './words.ts';

/** The first link of a chain that does not hold. */
export interface ChainFault {
  /** Of the certificates before it, which hold. */
  readonly sound: Chain;
  /** The exact link, and what is wrong with it. */
  readonly fault: string;
}

/**
 * Walks a chain of certificates from the job's manifest on, and names the first link that does not
 * hold: a forged, cut or reordered chain each in its own words. Undefined when all hold.
 */
export function chainFault(chain: Chain, { id, manifest }: Job): ChainFault | undefined {
  const verdict = verifyChain(chain, { jobId: id, manifest });
  if (verdict.ok) return undefined;
  const at = verdict.round - 1;
  return { sound: chain.slice(0, at), fault: linkFault(chain, at, id, verdict.reason) };
}

/** What is wrong with the certificate at place `at`, of which `reason` is known. */
function linkFault(chain: Chain, at: number, job: Job['id'], reason: string): string {
  const { statement, signatures } = chain[at]!;
  const { round, roster } = statement;
  const place = `certificate of round ${at + 1}`;
  if (statement.jobId !== job) return `${place}: belongs to job ${quote(statement.jobId)}`;
  if (round !== at + 1) {
    const elsewhere = chain.findIndex((each) => each.statement.round === at + 1);
    const fate = elsewhere === -1 ? 'is missing' : `stands in place ${elsewhere + 1}`;
    return `${place}: ${fate}, round ${round}'s stands in its place`;
  }
  if (reason === 'names another parent') {
    return `${place}: parent is not ${at === 0 ? 'the job' : `round ${at}'s`}`;
  }
  const signers = signersOf({ statement, signatures });
  if (reason !== 'no quorum of signatures') return `${place}: ${reason}`;
  const named = signatures.map(({ member }) => roster[member]);
  const broken = named.find((peer) => peer !== undefined && !signers.has(peer));
  const needed = `${signers.size} hold, ${threshold(roster.length)} are needed`;
  const forged = broken === undefined ? '' : `; that of ${broken} does not hold`;
  return `${place}: no quorum of signatures: ${needed}${forged}`;
}
