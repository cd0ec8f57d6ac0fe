import type { BlobHash, PeerId } from '@starling/core';
import { type Certificate, CHAIN_ANSWER_MAX } from '@starling/protocol-rounds';
import { type Chain, certificateFault, isBetter, signersOf } from './chain.ts';
import { haveOf } from './pool.ts';
import { type Draft, notice, once, previousRoster, roundOf, selfOf, setTimer } from './state.ts';

/** Hashes named in a pull, at most; older messages are those that everybody has. */
const HAVE_MAX = 2048;
/** Certificates before our own head that are asked for, so that a fork's root is among them. */
const LOOK_BACK = 8;
const MARKS_MAX = 8_192;
const PULL_ACTIVE_MS = 1_000;
const PULL_IDLE_MS = 4_000;

/** Re-armed for ever: gossip may lose anything, a pull from one peer after another finds it. */
export function armPull(d: Draft): void {
  const active = d.phase.name !== 'watching' && d.phase.name !== 'finished';
  setTimer(d, 'pull', active ? PULL_ACTIVE_MS : PULL_IDLE_MS);
}

export function pullOnce(d: Draft): void {
  d.pullTurn += 1;
  armPull(d);
  const peers = pullTargets(d);
  const to = peers[d.pullTurn % Math.max(1, peers.length)];
  if (to === undefined || d.phase.name === 'finished') return;
  d.effects.push({ kind: 'pull', to, round: roundOf(d), have: haveOf(d.pool, HAVE_MAX) });
}

/** Members of the running roster first; else whoever is connected. */
function pullTargets(d: Draft): readonly PeerId[] {
  const roster =
    d.phase.name === 'session' || d.phase.name === 'applying' || d.phase.name === 'certifying'
      ? d.phase.session.config.members.map(({ peer }) => peer)
      : previousRoster(d);
  const known = new Set([...roster, ...d.reachable]);
  return [...known].filter((peer) => peer !== selfOf(d) && !d.lost.has(peer));
}

/**
 * Somebody is further on, or on another branch: ask for the certificates, once a round and peer.
 */
export function askChain(d: Draft, from: PeerId, why: string): void {
  // A peer can make up rounds and parents without end, but not make us ask or remember without end.
  if (d.marks.size > MARKS_MAX || !once(d, `ask-chain/${from}/${why}`)) return;
  const fromRound = Math.max(1, roundOf(d) - LOOK_BACK);
  d.effects.push({ kind: 'fetch-chain', to: from, fromRound });
}

/**
 * Certificates came: if they make a better chain, its state is fetched and the chain taken over.
 */
export function considerChain(d: Draft, from: PeerId, certificates: readonly Certificate[]): void {
  const first = certificates[0]?.statement.round;
  if (first === undefined || first < 1) return;
  if (first > (d.candidate ?? d.chain).length + 1) {
    // Once for the same answer: whoever goes on giving it would make us ask without end.
    if (d.marks.size > MARKS_MAX || !once(d, `fetch-all/${from}/${first}`)) return;
    d.effects.push({ kind: 'fetch-chain', to: from, fromRound: 1 });
    return;
  }
  const candidate = graft(d, from, certificates);
  const best = d.candidate ?? d.chain;
  if (candidate === undefined || !isBetter(candidate, best)) return;
  d.candidate = candidate;
  if (certificates.length >= CHAIN_ANSWER_MAX) {
    d.effects.push({ kind: 'fetch-chain', to: from, fromRound: candidate.length + 1 });
    return;
  }
  const last = candidate.at(-1)!;
  const holders = [...new Set([from, ...signersOf(last)])].filter((peer) => peer !== selfOf(d));
  const { stateHash } = last.statement;
  d.effects.push({ kind: 'fetch-state', stateHash, from: holders });
}

/** Our chain up to where theirs begins, and theirs; undefined when a certificate does not hold. */
function graft(d: Draft, from: PeerId, certificates: readonly Certificate[]): Chain | undefined {
  const { job } = d.config;
  const rules = { jobId: job.id, manifest: job.manifest };
  const before = certificates[0]!.statement.round - 1;
  const base = before > d.chain.length && d.candidate !== undefined ? d.candidate : d.chain;
  const chain = base.slice(0, before);
  for (const certificate of certificates) {
    const reason = certificateFault(certificate, chain, rules);
    if (reason !== undefined) {
      const round = certificate.statement.round;
      notice(d, {
        kind: 'refused',
        reason: `certificate of round ${round}: ${reason}`,
        peer: from,
      });
      return undefined;
    }
    chain.push(certificate);
  }
  return chain;
}

/** The candidate whose state has arrived, if it is still better than what we have. */
export function candidateWith(d: Draft, stateHash: BlobHash): Chain | undefined {
  const { candidate } = d;
  if (candidate?.at(-1)?.statement.stateHash !== stateHash) return undefined;
  d.candidate = undefined;
  return isBetter(candidate, d.chain) ? candidate : undefined;
}
