import { type BlobHash, type Millis, millis, type PeerId, type RoundId } from '@starling/core';
import type { Secret } from '@starling/crypto';
import {
  type Body,
  type CertificateHash,
  type Envelope,
  type Statement,
  sealEnvelope,
} from '@starling/protocol-rounds';
import type { AssemblyState, SessionConfig, SessionState } from '@starling/secagg';
import type { Ban } from './bans.ts';
import { type Chain, headHash } from './chain.ts';
import { addToPool, emptyPool, type Pool } from './pool.ts';
import { roundIdOf, type Slot } from './round-id.ts';
import type { EngineConfig, EngineEffect, Notice, Update } from './types.ts';

/** A roster this peer accepted, and the aggregation that runs over it. */
export interface RunningSession {
  readonly slot: Slot;
  readonly roundId: RoundId;
  /** Everybody who takes part, in order of peer ids. */
  readonly roster: readonly PeerId[];
  /** What its messages are bound to: the digest of the roster, or of its cells. */
  readonly digest: Uint8Array;
  /** This peer's own cell, which is the whole roster when there is but one. */
  readonly config: SessionConfig;
  readonly state: SessionState;
  /** How many cells become one result. */
  readonly assembly: AssemblyState | undefined;
}

/** A roster that is to be cut into cells, or put on a graph: ACKs are collected. */
export interface Placing {
  readonly slot: Slot;
  readonly roundId: RoundId;
  /** The members' JOINs, in order of peer ids. */
  readonly joins: readonly Envelope[];
  readonly digest: Uint8Array;
  readonly proposer: PeerId;
}

/** Where one job stands on this peer. */
export type Phase =
  /** The model is being made ready. */
  | { readonly name: 'preparing' }
  /** Without consent or data: relays, serves and watches, never JOINs. */
  | { readonly name: 'watching' }
  | { readonly name: 'training' }
  | { readonly name: 'joining'; readonly slot: Slot }
  | { readonly name: 'placing'; readonly placing: Placing }
  | { readonly name: 'session'; readonly session: RunningSession }
  /** The sum is open; the new global model is computed. */
  | { readonly name: 'applying'; readonly session: RunningSession }
  | {
      readonly name: 'certifying';
      readonly session: RunningSession;
      readonly statement: Statement;
      readonly hash: CertificateHash;
    }
  | { readonly name: 'finished' }
  /** Its launcher has called it off. */
  | { readonly name: 'cancelled' };

export interface EngineState {
  readonly config: EngineConfig;
  readonly phase: Phase;
  readonly chain: Chain;
  /** Length of the job's vector with its metric coordinates; 0 until prepared. */
  readonly vectorLength: number;
  /** State of round 0; undefined until prepared. */
  readonly genesis: BlobHash | undefined;
  readonly participating: boolean;
  /** The update to be used next; undefined while there is none that may be used. */
  readonly update: (Update & { readonly entropy: Secret }) | undefined;
  /** The slot to JOIN next. */
  readonly slot: Slot;
  /** Slots JOINed before a restart: their keys are gone, so this peer stays out of them. */
  readonly barred: ReadonlySet<string>;
  /** Slots JOINed with the present update's keys. */
  readonly joined: ReadonlySet<string>;
  readonly pool: Pool;
  /** The launcher's signature that calls the job off. */
  readonly cancelled: Uint8Array | undefined;
  /** Who provably lied in this job. */
  readonly bans: ReadonlyMap<PeerId, Ban>;
  /**
   * Bans that others may not know yet, so that rosters may still name these peers: found by this
   * peer alone (`own`), or shown to all since the attempt began (`told`).
   */
  readonly freshBans: ReadonlyMap<PeerId, 'own' | 'told'>;
  /** Envelopes of rounds that this peer has not reached yet. */
  readonly early: readonly Envelope[];
  /** Peers with a connection now. */
  readonly reachable: ReadonlySet<PeerId>;
  /** Peers that had a connection and lost it: nobody waits for them. */
  readonly lost: ReadonlySet<PeerId>;
  /** Timers that have fired, and things done, in this round. */
  readonly marks: ReadonlySet<string>;
  /** A better chain whose state is on its way. */
  readonly candidate: Chain | undefined;
  /** A better chain, ready, that waits for this peer's own, larger attempt to end. */
  readonly outrun: Chain | undefined;
  readonly pullTurn: number;
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] };
/** An engine state while one event is handled. Maps are replaced, never written to. */
export interface Draft extends Mutable<EngineState> {
  readonly at: Millis;
  readonly effects: EngineEffect[];
}

export function createEngine(config: EngineConfig): EngineState {
  return {
    config,
    phase: { name: 'preparing' },
    chain: [],
    vectorLength: 0,
    genesis: undefined,
    participating: false,
    update: undefined,
    slot: { restarts: 0, attempt: 0 },
    barred: new Set(),
    joined: new Set(),
    pool: emptyPool,
    cancelled: undefined,
    bans: new Map(),
    freshBans: new Map(),
    early: [],
    reachable: new Set(),
    lost: new Set(),
    marks: new Set(),
    candidate: undefined,
    outrun: undefined,
    pullTurn: 0,
  };
}

export const draftOf = (state: EngineState, at: Millis = millis(0)): Draft => ({
  ...state,
  at,
  effects: [],
});

export const selfOf = (s: EngineState): PeerId => s.config.key.peerId;
/** The round being worked on: one more than the chain's length. */
export const roundOf = (s: EngineState): number => s.chain.length + 1;
export const parentOf = (s: EngineState): CertificateHash => headHash(s.chain, s.config.job.id);

/** State from which the present round starts; undefined before the model is prepared. */
export const stateHashOf = (s: EngineState): BlobHash | undefined =>
  s.chain.at(-1)?.statement.stateHash ?? s.genesis;

export const currentRoundId = (s: EngineState, restarts: number): RoundId =>
  roundIdOf(s.config.job.id, parentOf(s), roundOf(s), restarts);

export const withItem = <T>(set: ReadonlySet<T>, item: T): ReadonlySet<T> => new Set(set).add(item);

/** True the first time in a round. */
export function once(d: Draft, mark: string): boolean {
  if (d.marks.has(mark)) return false;
  d.marks = withItem(d.marks, mark);
  return true;
}

/** Takes a mark back, so that `once` is true again. */
export function undo(d: Draft, mark: string): void {
  d.marks = new Set([...d.marks].filter((other) => other !== mark));
}

/** The timer's name carries the round, so that one set in an earlier round says nothing. */
export function setTimer(d: Draft, timer: string, afterMs: number): void {
  d.effects.push({ kind: 'set-timer', timer: `${roundOf(d)}/${timer}`, afterMs });
}

export function notice(d: Draft, what: Notice): void {
  d.effects.push({ kind: 'notice', notice: what });
}

interface SendContext {
  readonly roundId: RoundId;
  readonly attempt: number;
  readonly roster: Uint8Array | null;
}

/** Signs, keeps and gossips a message; `cell` names the cell to which alone it goes. */
export function send(
  d: Draft,
  context: SendContext,
  body: Body,
  cell: Uint8Array | null = null,
): Envelope {
  const envelope = sealEnvelope(context, body, d.config.key);
  d.pool = addToPool(d.pool, envelope, d.at);
  d.effects.push({ kind: 'gossip', message: { kind: 'envelope', bytes: envelope.bytes }, cell });
  return envelope;
}

/** Members of the roster before this round; everybody known before the first. */
export function previousRoster(s: EngineState): readonly PeerId[] {
  return s.chain.at(-1)?.statement.roster ?? [];
}
