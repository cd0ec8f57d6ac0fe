import { encodeCanonical, fromHex, toHex } from '@starling/core';
import { hashHex } from '@starling/crypto';
import {
  byzantineMax,
  type DecisionName,
  type DecisionValue,
  decisionValueCodec,
  type MessageOf,
  threshold,
  VIEW_MAX,
} from '@starling/protocol-secagg';

/**
 * One irrevocable decision among the roster: Tendermint's consensus for a single height
 * (Buchman, Kwon, Milosevic 2018, Algorithm 1), with the lock rule that makes it unique.
 * Line numbers below are those of Algorithm 1. Spec: protocols/secagg/spec.md §6.
 */
export interface DecideState {
  readonly name: DecisionName;
  readonly members: number;
  /** Members in the order in which they propose; view v belongs to `proposers[v mod g]`. */
  readonly proposers: readonly number[];
  view: number;
  step: 'waiting' | 'propose' | 'prevote' | 'precommit' | 'decided';
  locked: { readonly view: number; readonly hash: string } | undefined;
  valid: { readonly view: number; readonly value: DecisionValue } | undefined;
  decision: DecisionValue | undefined;
  /** Whether this peer ever precommitted a set: from then on it may not ABANDON. */
  precommittedSet: boolean;
  /** A view's proposals, at most two: a proposer that makes two must not hide the one decided. */
  readonly proposals: Map<number, readonly Proposal[]>;
  /** `kind/view` → votes. */
  readonly tallies: Map<string, Tally>;
  /** Tallies copied since this copy of the decision was made: only these may be written to. */
  readonly owned: Set<Tally>;
  /**
   * Hashes of values that this peer could vouch for once. It stays with them although later news
   * may speak against them: Algorithm 1 wants a predicate that does not change, else a member that
   * locked a value could be left alone with it for ever.
   */
  readonly vouched: Set<string>;
  /** Rules that hold "for the first time" in a view. */
  readonly done: Set<string>;
}

interface Proposal {
  readonly value: DecisionValue;
  readonly hash: string;
  readonly validView: number | null;
}

/**
 * Votes of one kind in one view. A member that votes for two values counts for both: any two
 * quorums still share an honest member, and what one peer counts all others will.
 */
interface Tally {
  readonly voters: Set<number>;
  /** Hash of a value, or `nil` → who voted for it. */
  readonly votes: Map<string, Set<number>>;
}

/** Views beyond our own whose messages are kept: bounds what a peer can make us hold. */
const VIEWS_AHEAD_MAX = 64;

type VoteKind = 'prevote' | 'precommit';
export type DecideMessage = MessageOf<'propose'> | MessageOf<'prevote'> | MessageOf<'precommit'>;

/** What the decision needs from the session around it. */
export interface DecideIo {
  readonly self: number;
  /** This peer's own value once it has one. */
  readonly candidate: () => DecisionValue | undefined;
  /** Whether this peer can vouch for a value from what it has seen itself. */
  readonly isValid: (value: DecisionValue) => boolean;
  /** Whether a member has lost its connection: nobody waits for its proposal. */
  readonly isAway: (member: number) => boolean;
  readonly send: (message: DecideMessage) => void;
  /** Asks for `decideTimeout(state, name)` after a time that grows with the view. */
  readonly setTimer: (step: TimeoutStep, view: number) => void;
}
export type TimeoutStep = 'propose' | 'prevote' | 'precommit';

export const hashOfValue = (value: DecisionValue): string =>
  hashHex(encodeCanonical(decisionValueCodec, value));

export function createDecision(
  name: DecisionName,
  members: number,
  proposers: readonly number[],
): DecideState {
  return {
    name,
    members,
    proposers,
    view: 0,
    step: 'waiting',
    locked: undefined,
    valid: undefined,
    decision: undefined,
    precommittedSet: false,
    proposals: new Map(),
    tallies: new Map(),
    owned: new Set(),
    vouched: new Set(),
    done: new Set(),
  };
}

export const copyDecision = (state: DecideState): DecideState => ({
  ...state,
  proposals: new Map(state.proposals),
  tallies: new Map(state.tallies),
  owned: new Set(),
  vouched: new Set(state.vouched),
  done: new Set(state.done),
});

const copyTally = ({ voters, votes }: Tally): Tally => ({
  voters: new Set(voters),
  votes: new Map([...votes].map(([value, who]) => [value, new Set(who)])),
});

function ownTally(state: DecideState, key: string): Tally {
  const held = state.tallies.get(key);
  if (held !== undefined && state.owned.has(held)) return held;
  const tally =
    held === undefined ? { voters: new Set<number>(), votes: new Map() } : copyTally(held);
  state.owned.add(tally);
  state.tallies.set(key, tally);
  return tally;
}

const PROPOSALS_PER_VIEW_MAX = 2;
/** Values that one voter can make us count in one view: an honest one has one. */
const VALUES_PER_VOTER_MAX = 2;

/** Takes a message of this decision; the caller has checked its signature. */
export function receive(state: DecideState, from: number, message: DecideMessage): void {
  if (message.view > state.view + VIEWS_AHEAD_MAX || from >= state.members) return;
  if (message.kind !== 'propose') {
    count(state, `${message.kind}/${message.view}`, from, message.value);
    return;
  }
  const isProposer = from === state.proposers[message.view % state.members];
  const known = state.proposals.get(message.view) ?? [];
  if (!isProposer || known.length >= PROPOSALS_PER_VIEW_MAX) return;
  const { value, validView } = message;
  const proposal = { value, hash: hashOfValue(value), validView };
  state.proposals.set(message.view, [...known, proposal]);
}

function count(state: DecideState, key: string, from: number, value: Uint8Array | null): void {
  const tally = ownTally(state, key);
  const hash = value === null ? 'nil' : toHex(value);
  const given = [...tally.votes.values()].filter((who) => who.has(from)).length;
  if (given >= VALUES_PER_VOTER_MAX) return;
  tally.voters.add(from);
  const who = tally.votes.get(hash) ?? new Set();
  tally.votes.set(hash, who.add(from));
}

export function timeout(state: DecideState, step: TimeoutStep, view: number, io: DecideIo): void {
  if (view !== state.view || state.step === 'decided') return;
  if (step === 'propose' && state.step === 'propose') vote(state, 'prevote', undefined, io);
  else if (step === 'prevote' && state.step === 'prevote') vote(state, 'precommit', undefined, io);
  else if (step === 'precommit' && view < VIEW_MAX) enterView(state, view + 1, io);
  advance(state, io);
}

/** Applies every rule that holds, until none does. */
export function advance(state: DecideState, io: DecideIo): void {
  while (decideIfPrecommitted(state) || startIfReady(state, io) || stepOnce(state, io));
}

function startIfReady(state: DecideState, io: DecideIo): boolean {
  if (state.step !== 'waiting') return false;
  const proposal = state.proposals.get(0)?.[0];
  const ready = io.candidate() !== undefined || (proposal && isVouchedFor(state, proposal, io));
  if (!ready && othersAhead(state) === undefined) return false;
  enterView(state, othersAhead(state) ?? 0, io);
  return true;
}

function isVouchedFor(state: DecideState, { value, hash }: Proposal, io: DecideIo): boolean {
  if (!state.vouched.has(hash) && io.isValid(value)) state.vouched.add(hash);
  return state.vouched.has(hash);
}

/** Lines 11–21: StartRound. */
function enterView(state: DecideState, view: number, io: DecideIo): void {
  state.view = view;
  state.step = 'propose';
  io.setTimer('propose', view);
}

function stepOnce(state: DecideState, io: DecideIo): boolean {
  if (state.step === 'waiting' || state.step === 'decided') return false;
  const ahead = othersAhead(state);
  if (ahead !== undefined && ahead > state.view) {
    enterView(state, ahead, io);
    return true;
  }
  return (
    propose(state, io) ||
    prevoteOnProposal(state, io) ||
    lockOnQuorum(state, io) ||
    prevoteWithoutProposer(state, io) ||
    precommitNil(state, io) ||
    leaveNilView(state, io) ||
    armTimeouts(state, io)
  );
}

/** Lines 14–19; a proposer whose value becomes ready only later in its view proposes then. */
function propose(state: DecideState, io: DecideIo): boolean {
  const mine = state.proposers[state.view % state.members] === io.self;
  if (!mine || state.step !== 'propose' || state.proposals.has(state.view)) return false;
  const value = state.valid?.value ?? io.candidate();
  if (value === undefined || !once(state, `proposed/${state.view}`)) return false;
  const validView = state.valid?.view ?? null;
  io.send({ kind: 'propose', decision: state.name, view: state.view, validView, value });
  return true;
}

/** Lines 22–33. A value that is not valid yet is waited for until the propose timeout. */
function prevoteOnProposal(state: DecideState, io: DecideIo): boolean {
  const proposal = state.proposals.get(state.view)?.[0];
  if (state.step !== 'propose' || proposal === undefined) return false;
  const { validView, hash } = proposal;
  if (validView !== null && !hasQuorum(state, 'prevote', validView, hash)) return false;
  if (!isVouchedFor(state, proposal, io)) return false;
  const free =
    state.locked === undefined ||
    state.locked.hash === hash ||
    (validView !== null && state.locked.view <= validView && validView < state.view);
  vote(state, 'prevote', free ? proposal.value : undefined, io);
  return true;
}

/** Lines 36–43: the lock. */
function lockOnQuorum(state: DecideState, io: DecideIo): boolean {
  const { view } = state;
  if (state.step === 'propose') return false;
  const proposals = state.proposals.get(view) ?? [];
  const proposal = proposals.find(({ hash }) => hasQuorum(state, 'prevote', view, hash));
  if (proposal === undefined || !isVouchedFor(state, proposal, io)) return false;
  if (!once(state, `lock/${view}`)) return false;
  state.valid = { view, value: proposal.value };
  if (state.step === 'prevote') {
    state.locked = { view, hash: proposal.hash };
    vote(state, 'precommit', proposal.value, io);
  }
  return true;
}

/** Lines 44–46. */
function precommitNil(state: DecideState, io: DecideIo): boolean {
  if (state.step !== 'prevote' || !hasQuorum(state, 'prevote', state.view, 'nil')) return false;
  vote(state, 'precommit', undefined, io);
  return true;
}

/** Line 57 before its time: a proposer that is gone will not propose. */
function prevoteWithoutProposer(state: DecideState, io: DecideIo): boolean {
  const proposer = state.proposers[state.view % state.members]!;
  if (state.step !== 'propose' || state.proposals.has(state.view) || !io.isAway(proposer)) {
    return false;
  }
  vote(state, 'prevote', undefined, io);
  return true;
}

/** Line 65 before its time: with a quorum of nil precommits nothing can be decided in this view. */
function leaveNilView(state: DecideState, io: DecideIo): boolean {
  if (state.view >= VIEW_MAX || !hasQuorum(state, 'precommit', state.view, 'nil')) return false;
  enterView(state, state.view + 1, io);
  return true;
}

/** Lines 34–35 and 47–48. */
function armTimeouts(state: DecideState, io: DecideIo): boolean {
  const quorum = threshold(state.members);
  for (const kind of ['prevote', 'precommit'] as const) {
    if (kind === 'prevote' && state.step !== 'prevote') continue;
    if ((state.tallies.get(`${kind}/${state.view}`)?.voters.size ?? 0) < quorum) continue;
    if (!once(state, `timeout/${kind}/${state.view}`)) continue;
    io.setTimer(kind, state.view);
    return true;
  }
  return false;
}

/** Lines 49–54. A quorum's precommits bind whatever this peer can vouch for itself. */
function decideIfPrecommitted(state: DecideState): boolean {
  if (state.step === 'decided') return false;
  for (const [view, proposals] of state.proposals) {
    const decided = proposals.find(({ hash }) => hasQuorum(state, 'precommit', view, hash));
    if (decided === undefined) continue;
    state.step = 'decided';
    state.decision = decided.value;
    return true;
  }
  return false;
}

/** Lines 55–56: the highest view beyond ours in which f + 1 members have spoken. */
function othersAhead(state: DecideState): number | undefined {
  const needed = byzantineMax(state.members) + 1;
  let best: number | undefined;
  for (const key of state.tallies.keys()) {
    const view = Number(key.slice(key.indexOf('/') + 1));
    if (view <= (best ?? -1) || (view <= state.view && state.step !== 'waiting')) continue;
    const speakers = new Set<number>();
    for (const kind of ['prevote', 'precommit']) {
      for (const who of state.tallies.get(`${kind}/${view}`)?.voters ?? []) speakers.add(who);
    }
    if (speakers.size >= needed) best = view;
  }
  return best;
}

function vote(
  state: DecideState,
  kind: VoteKind,
  value: DecisionValue | undefined,
  io: DecideIo,
): void {
  state.step = kind;
  if (kind === 'precommit' && value?.kind === 'set') state.precommittedSet = true;
  const hash = value === undefined ? null : fromHex(hashOfValue(value));
  io.send({ kind, decision: state.name, view: state.view, value: hash });
}

function hasQuorum(state: DecideState, kind: VoteKind, view: number, hash: string): boolean {
  const votes = state.tallies.get(`${kind}/${view}`)?.votes.get(hash)?.size ?? 0;
  return votes >= threshold(state.members);
}

function once(state: DecideState, rule: string): boolean {
  if (state.done.has(rule)) return false;
  state.done.add(rule);
  return true;
}
