import { type BlobHash, equalBytes, type PeerId } from '@starling/core';
import {
  type Certificate,
  CHAIN_ANSWER_MAX,
  type Envelope,
  statementHash,
  verifyStatement,
} from '@starling/protocol-rounds';
import {
  type Chain,
  certificateFault,
  firstDifference,
  headHash,
  isBetter,
  isSettled,
  signersOf,
} from './chain.ts';
import { haveOf, saltOf } from './have.ts';
import { everythingSaid, saidInCellBy } from './pool.ts';
import {
  type Draft,
  type EngineState,
  notice,
  once,
  previousRoster,
  roundOf,
  selfOf,
  setTimer,
} from './state.ts';

/** Certificates before our own head that are asked for, so that a fork's root is among them. */
const LOOK_BACK = 8;
/** Further back when the fork lies deeper: half an answer, so that the rest reaches our end. */
const STEP_BACK = CHAIN_ANSWER_MAX / 2;
/** Reasons a round by which one peer can make us ask it; a pull finds what is behind more. */
const ASKS_PER_PEER_MAX = 32;
/** Peers that are asked for one reason, such as a head or the parent of a JOIN. */
const ASKS_PER_REASON = 3;
const MARKS_MAX = 8_192;
const PULL_FIRST_MS = 100;
const PULL_ACTIVE_MS = 1_000;
const PULL_IDLE_MS = 4_000;
/** One idle pull in so many asks for the chain when the job is over. */
const FINISHED_TURNS = 4;
/** Largest roster in which pulls are not slowed down. */
const FULL_PACE_MAX = 128;

/** Re-armed for ever: gossip may lose anything, a pull from one peer after another finds it. */
export function armPull(d: Draft): void {
  if (d.pullTurn === 0) {
    setTimer(d, 'pull', PULL_FIRST_MS);
    return;
  }
  const active = !['watching', 'finished', 'cancelled'].includes(d.phase.name);
  // Within a cell pulls are cheap; else they cost more in a larger roster.
  const pace = cellOf(d) === undefined ? paceOf(d) : 1;
  setTimer(d, 'pull', (active ? PULL_ACTIVE_MS : PULL_IDLE_MS) * pace);
}

const paceOf = (d: Draft): number => Math.max(1, Math.ceil(rosterSizeOf(d) / FULL_PACE_MAX));

/** The digest of the cell that this peer is in, when there are many. */
function cellOf({ phase }: Draft): Uint8Array | undefined {
  if (!('session' in phase) || phase.session.assembly === undefined) return undefined;
  return phase.session.config.rosterDigest;
}

/** Of the roster under way, or the last one. */
function rosterSizeOf(d: Draft): number {
  if ('session' in d.phase) return d.phase.session.roster.length;
  if (d.phase.name === 'placing') return d.phase.placing.joins.length;
  return previousRoster(d).length;
}

export function pullOnce(d: Draft): void {
  d.pullTurn += 1;
  armPull(d);
  const salt = saltOf(selfOf(d), d.pullTurn);
  const mates = cellMates(d);
  const to = pullTarget(d, mates, salt);
  const isOver = d.phase.name === 'finished' || d.phase.name === 'cancelled';
  if (to !== undefined && isOver) {
    // Nothing is left to do but to learn of a better branch.
    const fromRound = Math.max(1, d.chain.length - LOOK_BACK);
    if (d.pullTurn % FINISHED_TURNS === 0) d.effects.push({ kind: 'fetch-chain', to, fromRound });
    return;
  }
  const round = roundOf(d);
  const cell = cellOf(d);
  const mate = cell && oneOf(d, mates, salt);
  if (cell !== undefined && mate !== undefined) {
    d.effects.push({ kind: 'pull', to: mate, round, cell, ...haveOf(saidInCell(d, cell), salt) });
    if (d.pullTurn % paceOf(d) !== 0) return;
  }
  if (to === undefined) return;
  d.effects.push({ kind: 'pull', to, round, cell: null, ...haveOf(saidToAll(d), salt) });
}

/** Members of the running cell, or of the roster before, and whoever is connected. */
function pullTarget(d: Draft, mates: readonly PeerId[], salt: number): PeerId | undefined {
  const { launcher } = d.config.job;
  // Who launches a job JOINs before anybody else can hear it.
  if (d.pullTurn === 1 && launcher !== selfOf(d) && d.reachable.has(launcher)) return launcher;
  return oneOf(d, [...(mates.length > 0 ? mates : previousRoster(d)), ...d.reachable], salt);
}

/**
 * Everybody asks somebody else: news then spreads like a rumour, whoever had it first. Looks at no
 * more peers than it must, for rosters of a thousand.
 */
function oneOf(d: Draft, peers: readonly PeerId[], salt: number): PeerId | undefined {
  for (let i = 0; i < peers.length; i++) {
    const peer = peers[(salt + i) % peers.length]!;
    if (peer !== selfOf(d) && !d.lost.has(peer)) return peer;
  }
  return undefined;
}

/** The members of the running cell or, without cells, of the roster. */
function cellMates({ phase }: Draft): readonly PeerId[] {
  return 'session' in phase ? phase.session.config.members.map(({ peer }) => peer) : [];
}

/** What this peer holds that was said in the cell of this digest, if that is its own. */
export function saidInCell({ phase, pool }: EngineState, cell: Uint8Array): readonly Envelope[] {
  if (!('session' in phase)) return [];
  const { assembly, config, roundId, slot } = phase.session;
  if (assembly === undefined || !equalBytes(cell, config.rosterDigest)) return [];
  const peers = config.members.map(({ peer }) => peer);
  return saidInCellBy(pool, roundId, slot.attempt, peers);
}

/** What this peer holds that was said to everybody; what is said in a cell stays there. */
export function saidToAll({ phase, pool }: EngineState): readonly Envelope[] {
  return everythingSaid(pool, !('session' in phase) || phase.session.assembly === undefined);
}

/**
 * Somebody is further on, or on another branch: ask for the certificates, once a round and peer.
 */
export function askChain(d: Draft, from: PeerId, why: string): void {
  // A few are asked, not all thousand who say the same at once; pulls find what they did not have.
  const turn = Array.from({ length: ASKS_PER_REASON }, (_, i) => `asked/${why}/${i}`);
  const free = turn.find((mark) => !d.marks.has(mark));
  if (free === undefined || d.marks.has(`ask-chain/${from}/${why}`)) return;
  // A peer can make up rounds and parents without end, but not make us ask or remember without end.
  const asked = [...d.marks].filter((mark) => mark.startsWith(`ask-chain/${from}/`));
  if (asked.length >= ASKS_PER_PEER_MAX || d.marks.size > MARKS_MAX) return;
  once(d, `ask-chain/${from}/${why}`);
  once(d, free);
  const fromRound = Math.max(1, roundOf(d) - LOOK_BACK);
  d.effects.push({ kind: 'fetch-chain', to: from, fromRound });
}

/**
 * Certificates came: if they make a better chain, its state is fetched and the chain taken over.
 */
export function considerChain(d: Draft, from: PeerId, certificates: readonly Certificate[]): void {
  const first = certificates[0]?.statement.round;
  if (first === undefined || first < 1) return;
  const jobId = d.config.job.id;
  if (first > (d.candidate ?? d.chain).length + 1) {
    // Once for the same answer: whoever goes on giving it would make us ask without end.
    if (d.marks.size > MARKS_MAX || !once(d, `fetch-all/${from}/${first}`)) return;
    d.effects.push({ kind: 'fetch-chain', to: from, fromRound: 1 });
    return;
  }
  if (first > 1 && certificates[0]!.statement.parent !== headHash(baseOf(d, first), jobId)) {
    if (d.marks.size > MARKS_MAX || !once(d, `step-back/${from}/${first}`)) return;
    const fromRound = Math.max(1, first - STEP_BACK);
    d.effects.push({ kind: 'fetch-chain', to: from, fromRound });
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

/** What we know of the rounds before `first`. */
function baseOf(d: Draft, first: number): Chain {
  const before = first - 1;
  const base = before > d.chain.length && d.candidate !== undefined ? d.candidate : d.chain;
  return base.slice(0, before);
}

/** Our chain up to where theirs begins, and theirs; undefined when a certificate does not hold. */
function graft(d: Draft, from: PeerId, certificates: readonly Certificate[]): Chain | undefined {
  const { job } = d.config;
  const rules = { jobId: job.id, manifest: job.manifest };
  const chain = [...baseOf(d, certificates[0]!.statement.round)];
  for (const certificate of certificates) {
    const reason = certificateFault(certificate, chain, rules) ?? strangerIn(d, certificate);
    if (reason !== undefined) {
      const round = certificate.statement.round;
      notice(d, {
        kind: 'refused',
        reason: `certificate of round ${round}: ${reason}`,
        peer: from,
      });
      return undefined;
    }
    chain.push(withOwnSignatures(d, certificate));
  }
  return chain;
}

/** Made-up keys sign whatever they like: a roster that was never of the swarm proves nothing. */
function strangerIn({ config }: Draft, { statement }: Certificate): string | undefined {
  const { mayHaveJoined } = config;
  const stranger = mayHaveJoined && statement.roster.find((peer) => !mayHaveJoined(peer));
  return stranger && `${stranger} never was a member that may train`;
}

/**
 * Two copies of one certificate may carry different signatures, and `isSettled` counts them: what
 * either has is kept, so that no copy is judged worse than another.
 */
function withOwnSignatures(d: Draft, certificate: Certificate): Certificate {
  const own = d.chain[certificate.statement.round - 1];
  const isSame =
    own !== undefined && statementHash(own.statement) === statementHash(certificate.statement);
  if (!isSame) return certificate;
  // Only those that hold: junk in the one copy must not hide a good signature in the other.
  const merged = new Map<number, Uint8Array>();
  for (const { member, signature } of [...own.signatures, ...certificate.signatures]) {
    const signer = certificate.statement.roster[member];
    if (signer !== undefined && verifyStatement(certificate.statement, signer, signature)) {
      merged.set(member, signature);
    }
  }
  const sorted = [...merged].sort(([a], [b]) => a - b);
  return {
    statement: certificate.statement,
    signatures: sorted.map(([member, signature]) => ({ member, signature })),
  };
}

/**
 * Whether a better chain should wait: it only adds what a smaller roster made of the round that
 * this peer's own attempt is still at, and nothing settled. A few who left early must not outrun
 * the many.
 */
export function isOutrun({ phase, chain: own }: EngineState, chain: Chain): boolean {
  if (!('session' in phase) || firstDifference(chain, own) !== own.length) return false;
  const { roster } = chain[own.length]!.statement;
  const isSettledThere = own.length > 0 && isSettled(chain, own.length);
  return roster.length < phase.session.roster.length && !isSettledThere;
}

/** The candidate whose state has arrived, if it is still better than what we have. */
export function candidateWith(d: Draft, stateHash: BlobHash): Chain | undefined {
  const { candidate } = d;
  if (candidate?.at(-1)?.statement.stateHash !== stateHash) return undefined;
  d.candidate = undefined;
  return isBetter(candidate, d.chain) ? candidate : undefined;
}
