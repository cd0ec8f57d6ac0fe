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
  readonly proposals: Map<number, { value: DecisionValue; validView: number | null }>;
  /** `kind/view/member` → hash of the value, or `nil`. */
  readonly votes: Map<string, string>;
  /** Rules that hold "for the first time" in a view. */
  readonly done: Set<string>;
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
    votes: new Map(),
    done: new Set(),
  };
}

export const copyDecision = (state: DecideState): DecideState => ({
  ...state,
  proposals: new Map(state.proposals),
  votes: new Map(state.votes),
  done: new Set(state.done),
});

/** Takes a message of this decision; the caller has checked its signature and its slot. */
export function receive(state: DecideState, from: number, message: DecideMessage): void {
  if (message.view > state.view + VIEWS_AHEAD_MAX) return;
  if (message.kind !== 'propose') {
    const value = message.value === null ? 'nil' : toHex(message.value);
    state.votes.set(`${message.kind}/${message.view}/${from}`, value);
    return;
  }
  const isProposer = from === state.proposers[message.view % state.members];
  if (!isProposer || state.proposals.has(message.view)) return;
  state.proposals.set(message.view, { value: message.value, validView: message.validView });
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
  const proposal = state.proposals.get(0);
  const ready = io.candidate() !== undefined || (proposal && io.isValid(proposal.value));
  if (!ready && othersAhead(state) === undefined) return false;
  enterView(state, othersAhead(state) ?? 0, io);
  return true;
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
  const proposal = state.proposals.get(state.view);
  if (state.step !== 'propose' || proposal === undefined) return false;
  const hash = hashOfValue(proposal.value);
  const { validView } = proposal;
  if (validView !== null && !hasQuorum(state, 'prevote', validView, hash)) return false;
  if (!io.isValid(proposal.value)) return false;
  const free =
    state.locked === undefined ||
    state.locked.hash === hash ||
    (validView !== null && state.locked.view <= validView && validView < state.view);
  vote(state, 'prevote', free ? proposal.value : undefined, io);
  return true;
}

/** Lines 36–43: the lock. */
function lockOnQuorum(state: DecideState, io: DecideIo): boolean {
  const proposal = state.proposals.get(state.view);
  if (proposal === undefined || state.step === 'propose') return false;
  const hash = hashOfValue(proposal.value);
  if (!hasQuorum(state, 'prevote', state.view, hash) || !io.isValid(proposal.value)) return false;
  if (!once(state, `lock/${state.view}`)) return false;
  state.valid = { view: state.view, value: proposal.value };
  if (state.step === 'prevote') {
    state.locked = { view: state.view, hash };
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
    if (count(state, kind, state.view) < quorum) continue;
    if (!once(state, `timeout/${kind}/${state.view}`)) continue;
    io.setTimer(kind, state.view);
    return true;
  }
  return false;
}

/** Lines 49–54. A quorum's precommits bind whatever this peer can vouch for itself. */
function decideIfPrecommitted(state: DecideState): boolean {
  if (state.step === 'decided') return false;
  for (const [view, proposal] of state.proposals) {
    if (!hasQuorum(state, 'precommit', view, hashOfValue(proposal.value))) continue;
    state.step = 'decided';
    state.decision = proposal.value;
    return true;
  }
  return false;
}

/** Lines 55–56: the highest view beyond ours in which f + 1 members have spoken. */
function othersAhead(state: DecideState): number | undefined {
  const speakers = new Map<number, Set<string>>();
  for (const key of state.votes.keys()) {
    const [, view, member] = key.split('/') as [string, string, string];
    if (Number(view) <= state.view && state.step !== 'waiting') continue;
    const known = speakers.get(Number(view)) ?? new Set();
    speakers.set(Number(view), known.add(member));
  }
  const needed = byzantineMax(state.members) + 1;
  const views = [...speakers].filter(([, who]) => who.size >= needed).map(([view]) => view);
  return views.length === 0 ? undefined : Math.max(...views);
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
  return count(state, kind, view, hash) >= threshold(state.members);
}

function count(state: DecideState, kind: VoteKind, view: number, hash?: string): number {
  let votes = 0;
  for (let member = 0; member < state.members; member++) {
    const vote = state.votes.get(`${kind}/${view}/${member}`);
    if (vote !== undefined && (hash === undefined || vote === hash)) votes++;
  }
  return votes;
}

function once(state: DecideState, rule: string): boolean {
  if (state.done.has(rule)) return false;
  state.done.add(rule);
  return true;
}
