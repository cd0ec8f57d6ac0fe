import { assert, compareText, toHex, utf8 } from '@starling/core';
import { sha256 } from '@starling/crypto';
import {
  byzantineMax,
  type MessageOf,
  type SecaggMessage,
  slotOf,
  survivorsMin,
  threshold,
} from '@starling/protocol-secagg';
import { fromBitmap } from './bitmap.ts';
import { copyDecision, createDecision, type DecideState, receive } from './decide.ts';
import type {
  PhaseName,
  SessionConfig,
  SessionEffect,
  SessionOutcome,
  SessionRecord,
} from './types.ts';

/** A chunk of another member that this owner holds. */
export interface HeldChunk {
  readonly hash: Uint8Array;
  readonly proof: readonly Uint8Array[];
  /** Whether its Merkle path leads to the contributor's COMMIT. */
  readonly verified: boolean;
}

/** Everything a session knows. Only `step` makes a new one; nobody else writes to it. */
export interface SessionState {
  readonly config: SessionConfig;
  readonly phase: PhaseName;
  /** `slot/member` → the one message that counts there; own messages included. */
  readonly inbox: ReadonlyMap<string, SecaggMessage>;
  readonly unreachable: ReadonlySet<number>;
  /** Timers that have fired. */
  readonly expired: ReadonlySet<string>;
  readonly maskSet: DecideState;
  readonly survivors: DecideState;
  /** Owners of each chunk; empty until V is decided. */
  readonly owners: readonly (readonly number[])[];
  /** SHA-256 of this peer's own masked chunks; set when masking is done. */
  readonly chunkHashes: readonly Uint8Array[] | undefined;
  /** `chunk/from` → what an owner holds. */
  readonly chunks: ReadonlyMap<string, HeldChunk>;
  readonly fetched: ReadonlySet<number>;
  /** Things done once: effects asked for, revisions sent. */
  readonly done: ReadonlySet<string>;
  readonly outcome: SessionOutcome | undefined;
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] };
/** A session state while one event is handled: its own maps, and the effects so far. */
export interface Draft extends Mutable<SessionState> {
  inbox: Map<string, SecaggMessage>;
  unreachable: Set<number>;
  expired: Set<string>;
  chunks: Map<string, HeldChunk>;
  fetched: Set<number>;
  done: Set<string>;
  effects: SessionEffect[];
}

export function createSession(config: SessionConfig): SessionState {
  const members = config.members.length;
  assert(config.self < members, `member ${config.self} of ${members}`);
  return {
    config,
    phase: 'shares',
    inbox: new Map(),
    unreachable: new Set(),
    expired: new Set(),
    maskSet: createDecision('mask-set', members, proposerOrder(config, 'mask-set')),
    survivors: createDecision('survivors', members, proposerOrder(config, 'survivors')),
    owners: [],
    chunkHashes: undefined,
    chunks: new Map(),
    fetched: new Set(),
    done: new Set(),
    outcome: undefined,
  };
}

/** Proposers of a decision: by SHA-256(roster digest ‖ name ‖ member), the same for everybody. */
function proposerOrder(config: SessionConfig, name: string): readonly number[] {
  const rank = config.members.map((_, member) => {
    return { member, key: toHex(sha256(config.rosterDigest, utf8(`${name}/${member}`))) };
  });
  return rank.sort((a, b) => compareText(a.key, b.key)).map(({ member }) => member);
}

export function draftOf(state: SessionState): Draft {
  return {
    ...state,
    inbox: new Map(state.inbox),
    unreachable: new Set(state.unreachable),
    expired: new Set(state.expired),
    chunks: new Map(state.chunks),
    fetched: new Set(state.fetched),
    done: new Set(state.done),
    maskSet: copyDecision(state.maskSet),
    survivors: copyDecision(state.survivors),
    effects: [],
  };
}

export const rosterSize = (d: SessionState): number => d.config.members.length;
export const thresholdOf = (d: SessionState): number => threshold(rosterSize(d));
export const survivorsMinOf = (d: SessionState): number => survivorsMin(rosterSize(d));
export const byzantineMaxOf = (d: SessionState): number => byzantineMax(rosterSize(d));

/** The message of `kind` by `from`, for kinds with one slot. */
export function messageOf<K extends 'keyshare' | 'commit' | 'sums' | 'unmask' | 'abandon'>(
  d: SessionState,
  kind: K,
  from: number,
): MessageOf<K> | undefined {
  return d.inbox.get(`${kind}/${from}`) as MessageOf<K> | undefined;
}

/** Stores a message in its slot; false when the slot is taken. */
export function store(d: Draft, from: number, message: SecaggMessage): boolean {
  const key = `${slotOf(message)}/${from}`;
  if (d.inbox.has(key)) return false;
  d.inbox.set(key, message);
  if (message.kind === 'propose' || message.kind === 'prevote' || message.kind === 'precommit') {
    receive(message.decision === 'mask-set' ? d.maskSet : d.survivors, from, message);
  }
  return true;
}

/** Sends to everybody, and counts the message as this peer's own. */
export function broadcast(d: Draft, message: SecaggMessage): void {
  if (!store(d, d.config.self, message)) return;
  d.effects.push({ kind: 'broadcast', message });
}

export function journal(d: Draft, record: SessionRecord): void {
  d.effects.push({ kind: 'journal', record });
}

export function once(d: Draft, what: string): boolean {
  if (d.done.has(what)) return false;
  d.done.add(what);
  return true;
}

export function enterPhase(d: Draft, phase: PhaseName): void {
  d.phase = phase;
  d.effects.push({ kind: 'phase', phase });
}

export function end(d: Draft, outcome: SessionOutcome): void {
  if (d.outcome !== undefined) return;
  d.outcome = outcome;
  enterPhase(d, 'ended');
  d.effects.push({ kind: 'ended', outcome });
}

/** V: the members whose masks are in; empty before the decision. */
export const maskSetOf = (d: SessionState): readonly number[] => membersOf(d, d.maskSet);
/** U: the members whose inputs are in; empty before the decision and after an ABORT. */
export const survivorsOf = (d: SessionState): readonly number[] => membersOf(d, d.survivors);

function membersOf(d: SessionState, { decision }: DecideState): readonly number[] {
  if (decision?.kind !== 'set') return [];
  return fromBitmap(decision.members, rosterSize(d)) ?? [];
}
