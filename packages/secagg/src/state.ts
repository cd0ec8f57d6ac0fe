import { assert, compareText, equalBytes, remembered, toHex, utf8 } from '@starling/core';
import { type Secret, sha256 } from '@starling/crypto';
import {
  BOUND_LENGTH,
  byzantineMax,
  type DecisionName,
  encodeMessage,
  type MessageOf,
  REVISION_MAX,
  type SecaggMessage,
  slotOf,
  survivorsMin,
  threshold,
} from '@starling/protocol-secagg';
import { fromBitmap } from './bitmap.ts';
import { copyDecision, createDecision, type DecideState, receive } from './decide.ts';
import { isTag } from './ring/index.ts';
import type {
  Conviction,
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
  /** `slot/member` → the first message there; own messages included. */
  readonly inbox: ReadonlyMap<string, SecaggMessage>;
  /** `slot/member` → a second, different one: proof that its sender lied, and still needed. */
  readonly conflicts: ReadonlyMap<string, SecaggMessage>;
  readonly unreachable: ReadonlySet<number>;
  /** Timers that have fired. */
  readonly expired: ReadonlySet<string>;
  readonly maskSet: DecideState;
  readonly survivors: DecideState;
  /** Members of V in order of placement for each chunk; empty until V is decided. */
  readonly placement: readonly (readonly number[])[];
  /** SHA-256 of this peer's own masked chunks; set when masking is done. */
  readonly chunkHashes: readonly Uint8Array[] | undefined;
  /** `chunk/from` → a masked chunk that is here. */
  readonly chunks: ReadonlyMap<string, HeldChunk>;
  /** `dealer/member`, `owner/member` → who complained about it. */
  readonly complaints: ReadonlyMap<string, ReadonlySet<number>>;
  /** Dealers whose shares for this peer were looked at, and whether they opened. */
  readonly dealers: ReadonlyMap<number, boolean>;
  /** Owner → its newest receipt. */
  readonly receipts: ReadonlyMap<number, MessageOf<'receipt'>>;
  /** `chunk/owner` → the first hash it named as the chunk's sum. */
  readonly committed: ReadonlyMap<string, Uint8Array>;
  /** `kind/dealer` → holder → the first share it revealed; not yet checked. */
  readonly shares: ReadonlyMap<string, ReadonlyMap<number, Uint8Array>>;
  /** `kind/dealer` → the secret that its shares opened. */
  readonly recovered: ReadonlyMap<string, Uint8Array>;
  /** `chunk/member` → auditor → the first tag it signed. */
  readonly audits: ReadonlyMap<string, ReadonlyMap<number, Uint8Array>>;
  /** Seed of the check coefficients; known when all self-masks of U are open. */
  readonly tagSeed: Secret | undefined;
  /** `chunk/hash` → tag of a sum that is here. */
  readonly sumTags: ReadonlyMap<string, Uint8Array>;
  /** `chunk/member` → tag of a masked chunk that this peer computed itself. */
  readonly chunkTags: ReadonlyMap<string, Uint8Array>;
  /** Chunk → hash of the sum that its members' tags vouch for. */
  readonly verified: ReadonlyMap<number, Uint8Array>;
  /** Chunk → member → the first hash it named as the chunk's plain sum. */
  readonly plainNamed: ReadonlyMap<number, ReadonlyMap<number, Uint8Array>>;
  /** Chunk → hash of its plain sum: found here, or what those drawn for it agree on. */
  readonly plain: ReadonlyMap<number, Uint8Array>;
  readonly convictions: ReadonlyMap<number, Conviction>;
  /** Things done once: effects asked for, revisions sent. */
  readonly done: ReadonlySet<string>;
  readonly outcome: SessionOutcome | undefined;
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] };
/** A session state while one event is handled, and the effects so far. */
export interface Draft extends Mutable<SessionState> {
  effects: SessionEffect[];
  /** Collections that this draft has made its own. */
  readonly owned: Set<Collection>;
}

interface Collections {
  inbox: Map<string, SecaggMessage>;
  conflicts: Map<string, SecaggMessage>;
  unreachable: Set<number>;
  expired: Set<string>;
  chunks: Map<string, HeldChunk>;
  complaints: Map<string, ReadonlySet<number>>;
  dealers: Map<number, boolean>;
  receipts: Map<number, MessageOf<'receipt'>>;
  committed: Map<string, Uint8Array>;
  shares: Map<string, ReadonlyMap<number, Uint8Array>>;
  recovered: Map<string, Uint8Array>;
  audits: Map<string, ReadonlyMap<number, Uint8Array>>;
  sumTags: Map<string, Uint8Array>;
  chunkTags: Map<string, Uint8Array>;
  verified: Map<number, Uint8Array>;
  plainNamed: Map<number, ReadonlyMap<number, Uint8Array>>;
  plain: Map<number, Uint8Array>;
  convictions: Map<number, Conviction>;
  done: Set<string>;
}
type Collection = keyof Collections;

/** A collection to write to: copied the first time, so that earlier states stay as they were. */
export function own<K extends Collection>(d: Draft, name: K): Collections[K] {
  // `name` ties a collection to its copy, which the type of a record cannot say.
  const mine: Mutable<Collections> & { readonly owned: Set<Collection> } = d as never;
  if (!mine.owned.has(name)) {
    mine.owned.add(name);
    const held: unknown = mine[name];
    mine[name] = (
      held instanceof Set ? new Set(held) : new Map(held as Map<unknown, unknown>)
    ) as never;
  }
  return mine[name];
}

export function createSession(config: SessionConfig): SessionState {
  const members = config.members.length;
  assert(config.self < members, `member ${config.self} of ${members}`);
  return {
    config,
    phase: 'shares',
    inbox: new Map(),
    conflicts: new Map(),
    unreachable: new Set(),
    expired: new Set(),
    maskSet: createDecision('mask-set', members, proposerOrder(config, 'mask-set')),
    survivors: createDecision('survivors', members, proposerOrder(config, 'survivors')),
    placement: [],
    chunkHashes: undefined,
    chunks: new Map(),
    complaints: new Map(),
    dealers: new Map(),
    receipts: new Map(),
    committed: new Map(),
    shares: new Map(),
    recovered: new Map(),
    audits: new Map(),
    tagSeed: undefined,
    sumTags: new Map(),
    chunkTags: new Map(),
    verified: new Map(),
    plainNamed: new Map(),
    plain: new Map(),
    convictions: new Map(),
    done: new Set(),
    outcome: undefined,
  };
}

/** Proposers of a decision: by SHA-256(roster digest ‖ name ‖ member), the same for everybody. */
function proposerOrder({ rosterDigest, members }: SessionConfig, name: DecisionName) {
  return proposersOf(rosterDigest, members.length, name);
}

export function proposersOf(
  rosterDigest: Uint8Array,
  members: number,
  name: DecisionName,
): readonly number[] {
  return knownOrders(`${toHex(rosterDigest)}/${members}/${name}`, () => {
    const rank = Array.from({ length: members }, (_, member) => {
      return { member, key: toHex(sha256(rosterDigest, utf8(`${name}/${member}`))) };
    });
    return rank.sort((a, b) => compareText(a.key, b.key)).map(({ member }) => member);
  });
}
const knownOrders = remembered<readonly number[]>(64);

export const draftOf = (state: SessionState): Draft => ({
  ...state,
  maskSet: copyDecision(state.maskSet),
  survivors: copyDecision(state.survivors),
  effects: [],
  owned: new Set(),
});

export const rosterSize = (d: SessionState): number => d.config.members.length;
export const thresholdOf = (d: SessionState): number => threshold(rosterSize(d));
export const survivorsMinOf = (d: SessionState): number => survivorsMin(rosterSize(d));
export const byzantineMaxOf = (d: SessionState): number => byzantineMax(rosterSize(d));
export const allMembers = (d: SessionState): readonly number[] => [...d.config.members.keys()];

type OneSlotKind = 'keyshare' | 'commit' | 'unmask' | 'tags' | 'abandon';

/** The message of `kind` by `from`, for kinds with one slot: the one a decision is bound to. */
export function messageOf<K extends OneSlotKind>(
  d: SessionState,
  kind: K,
  from: number,
): MessageOf<K> | undefined {
  const key = `${kind}/${from}`;
  const first = d.inbox.get(key) as MessageOf<K> | undefined;
  const second = d.conflicts.get(key) as MessageOf<K> | undefined;
  if (second === undefined || (kind !== 'keyshare' && kind !== 'commit')) return first;
  const bound = boundOf(kind === 'keyshare' ? d.maskSet : d.survivors, rosterSize(d), from);
  if (bound === undefined) return first;
  return [first!, second].find((message) => equalBytes(digestOf(message), bound));
}

/** What the decided value says of a member's message; undefined before the decision. */
function boundOf(decide: DecideState, members: number, of: number): Uint8Array | undefined {
  const { decision } = decide;
  if (decision?.kind !== 'set') return undefined;
  const index = (fromBitmap(decision.members, members) ?? []).indexOf(of);
  return index === -1 ? undefined : decision.bound[index];
}

const digests = new WeakMap<SecaggMessage, Uint8Array>();
/** Digest of a message's encoding, as decisions name it; a message object never changes. */
export function digestOf(message: SecaggMessage): Uint8Array {
  const known = digests.get(message);
  if (known !== undefined) return known;
  const digest = sha256(encodeMessage(message)).subarray(0, BOUND_LENGTH);
  digests.set(message, digest);
  return digest;
}

/** Whether one of the messages that `member` sent is the one with this digest. */
export function holdsBound(
  d: SessionState,
  kind: 'keyshare' | 'commit',
  member: number,
  bound: Uint8Array,
): boolean {
  const key = `${kind}/${member}`;
  const held = [d.inbox.get(key), d.conflicts.get(key)];
  return held.some((message) => message !== undefined && equalBytes(digestOf(message), bound));
}

/** Whether a member was seen to send two different messages where one counts. */
export const isEquivocator = (d: SessionState, member: number): boolean =>
  d.convictions.get(member)?.reason === 'equivocation';

/** Stores a message in its slot; false when it changes nothing. */
export function store(d: Draft, from: number, message: SecaggMessage): boolean {
  const key = `${slotOf(message)}/${from}`;
  const first = d.inbox.get(key);
  if (first === undefined) own(d, 'inbox').set(key, message);
  else {
    if (d.conflicts.has(key) || equalBytes(digestOf(first), digestOf(message))) return false;
    own(d, 'conflicts').set(key, message);
    convict(d, from, { reason: 'equivocation', slot: slotOf(message) });
  }
  if (message.kind === 'propose' || message.kind === 'prevote' || message.kind === 'precommit') {
    if (message.decision === 'mask-set') receive(d.maskSet, from, message);
    else if (message.decision === 'survivors') receive(d.survivors, from, message);
  }
  if (message.kind === 'complaint') noteComplaint(d, from, message);
  if (message.kind === 'receipt') noteReceipt(d, from, message);
  if (message.kind === 'sums') noteSums(d, from, message);
  if (message.kind === 'shares') noteShares(d, from, message);
  if (message.kind === 'audit') noteAudit(d, from, message);
  if (message.kind === 'plain-sums') notePlainSums(d, from, message);
  return true;
}

function noteReceipt(d: Draft, from: number, message: MessageOf<'receipt'>): void {
  const held = d.receipts.get(from);
  if (held === undefined || held.revision < message.revision) own(d, 'receipts').set(from, message);
}

function noteShares(d: Draft, from: number, message: MessageOf<'shares'>): void {
  for (const { kind, of, share } of message.items) {
    const key = `${kind}/${of}`;
    const revealed = d.shares.get(key);
    if (!revealed?.has(from)) own(d, 'shares').set(key, new Map(revealed).set(from, share));
  }
}

function noteAudit(d: Draft, from: number, message: MessageOf<'audit'>): void {
  for (const { chunk, of, tag } of message.items) {
    const key = `${chunk}/${of}`;
    const signed = d.audits.get(key);
    if (signed?.has(from) || !isTag(tag)) continue;
    own(d, 'audits').set(key, new Map(signed).set(from, tag));
  }
}

function noteSums(d: Draft, from: number, message: MessageOf<'sums'>): void {
  for (const { chunk, hash } of message.sums) {
    const key = `${chunk}/${from}`;
    if (!d.committed.has(key)) own(d, 'committed').set(key, hash);
  }
}

function notePlainSums(d: Draft, from: number, message: MessageOf<'plain-sums'>): void {
  for (const { chunk, hash } of message.sums) {
    const named = d.plainNamed.get(chunk);
    if (!named?.has(from)) own(d, 'plainNamed').set(chunk, new Map(named).set(from, hash));
  }
}

function noteComplaint(d: Draft, from: number, message: MessageOf<'complaint'>): void {
  for (const [what, bits] of [
    ['dealer', message.dealers],
    ['owner', message.owners],
  ] as const) {
    for (const of of fromBitmap(bits, rosterSize(d)) ?? []) {
      const key = `${what}/${of}`;
      own(d, 'complaints').set(key, new Set(d.complaints.get(key)).add(from));
    }
  }
}

/** How many members complained about a member. */
export const complaintsAbout = (d: SessionState, what: 'dealer' | 'owner', of: number): number =>
  d.complaints.get(`${what}/${of}`)?.size ?? 0;

/** A member that provably broke the rules; the first proof is enough. */
export function convict(d: Draft, member: number, conviction: Conviction): void {
  if (d.convictions.has(member)) return;
  own(d, 'convictions').set(member, conviction);
  d.effects.push({ kind: 'convict', member, conviction });
}

/** Sends to everybody, and counts the message as this peer's own. */
export function broadcast(d: Draft, message: SecaggMessage): void {
  if (!store(d, d.config.self, message)) return;
  d.effects.push({ kind: 'broadcast', message });
}

export function journal(d: Draft, record: SessionRecord): void {
  d.effects.push({ kind: 'journal', record });
}

export function setTimer(d: Draft, timer: string, phases: number): void {
  d.effects.push({ kind: 'set-timer', timer, afterMs: phases * d.config.timers.phaseMs });
}

/** The revision this peer's next message of a kind has; undefined when there is none left. */
export function nextRevision(
  d: SessionState,
  kind: 'receipt' | 'shares' | 'audit' | 'complaint' | 'sums' | 'plain-sums',
): number | undefined {
  for (let revision = 0; revision <= REVISION_MAX; revision++) {
    if (!d.inbox.has(`${kind}/${revision}/${d.config.self}`)) return revision;
  }
  return undefined;
}

export function once(d: Draft, what: string): boolean {
  if (d.done.has(what)) return false;
  own(d, 'done').add(what);
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

/** Whether this peer needs nothing more of a chunk: its sum is verified, or open already. */
export const isSettled = (d: SessionState, chunk: number): boolean =>
  d.verified.has(chunk) || d.plain.has(chunk);

/** V: the members whose masks are in; empty before the decision. */
export const maskSetOf = (d: SessionState): readonly number[] => membersOf(d, d.maskSet);
/** U: the members whose inputs are in; empty before the decision and after an ABORT. */
export const survivorsOf = (d: SessionState): readonly number[] => membersOf(d, d.survivors);

const memberLists = new WeakMap<object, readonly number[]>();
function membersOf(d: SessionState, { decision }: DecideState): readonly number[] {
  if (decision?.kind !== 'set') return [];
  const known = memberLists.get(decision);
  if (known !== undefined) return known;
  const members = fromBitmap(decision.members, rosterSize(d)) ?? [];
  memberLists.set(decision, members);
  return members;
}
