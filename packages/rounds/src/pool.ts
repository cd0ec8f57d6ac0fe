import type { Millis, PeerId, RoundId } from '@starling/core';
import type { Envelope } from '@starling/protocol-rounds';
import { decodeMessage, type SecaggMessage, slotOf } from '@starling/protocol-secagg';

/** Most envelopes that one sender can make us keep for one attempt. */
const PER_SENDER_MAX = 256;
/** Attempts of one round in which one sender can make us keep envelopes. */
const ATTEMPTS_PER_SENDER_MAX = 32;

export interface Pooled {
  readonly envelope: Envelope;
  readonly at: Millis;
}

/** One sender's envelopes of one attempt, by slot; a second one in a slot under `again/…`. */
type Slots = ReadonlyMap<string, Pooled>;
/**
 * Envelopes of the present round: `roundId/attempt` → sender → slot → envelope. What two peers hold
 * differs only by what has not reached them yet, and `pull` closes the gap.
 */
export type Pool = ReadonlyMap<string, ReadonlyMap<PeerId, Slots>>;

export const emptyPool: Pool = new Map();

const attemptKey = (roundId: RoundId, attempt: number): string => `${roundId}/${attempt}`;

/**
 * Adds an envelope; the same pool when it changes nothing, is malformed, or limits are reached. Of
 * two in one slot both are kept: together they prove that their sender lied, and a decision may be
 * bound to either.
 */
export const addToPool = (pool: Pool, envelope: Envelope, at: Millis): Pool =>
  addAllToPool(pool, [envelope], at).pool;

export interface Added {
  readonly pool: Pool;
  /** Those that were new. */
  readonly added: readonly Envelope[];
  /** New ones in a slot that their sender had filled otherwise, each behind the first. */
  readonly conflicts: readonly (readonly [first: Envelope, second: Envelope])[];
}

/** Adds many at once. */
export function addAllToPool(pool: Pool, envelopes: readonly Envelope[], at: Millis): Added {
  const draft = new PoolDraft(pool);
  const added = envelopes.filter((envelope) => draft.add(envelope, at));
  return { pool: draft.pool, added, conflicts: draft.conflicts };
}

/** Copies each map of a pool the first time it is written to. */
class PoolDraft {
  pool: Pool;
  readonly conflicts: (readonly [Envelope, Envelope])[] = [];
  readonly #mine = new Set<unknown>();

  constructor(pool: Pool) {
    this.pool = pool;
  }

  add(envelope: Envelope, at: Millis): boolean {
    const { roundId, attempt, sender } = envelope;
    const key = attemptKey(roundId, attempt);
    const held = this.pool.get(key)?.get(sender);
    const slot = freeSlot(held, envelope);
    if (slot === undefined || (held?.size ?? 0) >= PER_SENDER_MAX) return false;
    if (held === undefined) this.#makeRoom(sender);
    if (slot.startsWith(AGAIN)) {
      this.conflicts.push([held!.get(slot.slice(AGAIN.length))!.envelope, envelope]);
    }
    const senders = this.#own(this.#ownPool(), key);
    this.#own(senders, sender).set(slot, { envelope, at });
    return true;
  }

  #ownPool(): Map<string, ReadonlyMap<PeerId, Slots>> {
    if (!this.#mine.has(this.pool)) {
      this.pool = new Map(this.pool);
      this.#mine.add(this.pool);
    }
    return this.pool as Map<string, ReadonlyMap<PeerId, Slots>>;
  }

  #own<K, L, V>(outer: Map<K, ReadonlyMap<L, V>>, key: K): Map<L, V> {
    const held = outer.get(key);
    if (held !== undefined && this.#mine.has(held)) return held as Map<L, V>;
    const copy = new Map(held);
    this.#mine.add(copy);
    outer.set(key, copy);
    return copy;
  }

  /** A round may take many attempts: a sender's oldest makes room, the others' stay. */
  #makeRoom(sender: PeerId): void {
    const attempts = [...this.pool].filter(([, senders]) => senders.has(sender));
    if (attempts.length < ATTEMPTS_PER_SENDER_MAX) return;
    const [oldest] = attempts[0]!;
    const pool = this.#ownPool();
    const senders = this.#own(pool, oldest);
    senders.delete(sender);
    if (senders.size === 0) pool.delete(oldest);
  }
}

/** Where an envelope goes; undefined when it is malformed, known, or the third of its slot. */
function freeSlot(held: Slots | undefined, envelope: Envelope): string | undefined {
  const slot = slotOfEnvelope(envelope);
  if (slot === undefined) return undefined;
  const first = held?.get(slot);
  if (first === undefined) return slot;
  const again = `${AGAIN}${slot}`;
  return first.envelope.hash === envelope.hash || held?.has(again) ? undefined : again;
}
const AGAIN = 'again/';

const decoded = new WeakMap<Envelope, SecaggMessage | undefined>();
/**
 * The message of the secure aggregation in an envelope, decoded once; undefined when there is none,
 * or none that can be read.
 */
export function messageIn(envelope: Envelope): SecaggMessage | undefined {
  if (!decoded.has(envelope)) decoded.set(envelope, decodeBody(envelope));
  return decoded.get(envelope);
}

function decodeBody({ body }: Envelope): SecaggMessage | undefined {
  if (body.kind !== 'session' && body.kind !== 'assembly') return undefined;
  try {
    return decodeMessage(body.message);
  } catch {
    return undefined;
  }
}

/** The slot of an envelope within its sender's attempt; undefined when it is malformed. */
export function slotOfEnvelope(envelope: Envelope): string | undefined {
  const { kind } = envelope.body;
  if (envelope.body.kind === 'accuse') return `${kind}/${envelope.body.member}`;
  if (kind !== 'session' && kind !== 'assembly') return kind;
  const message = messageIn(envelope);
  return message && `${kind}/${slotOf(message)}`;
}

/** Everything held, oldest attempts first. */
export function* pooled(pool: Pool): Iterable<Pooled> {
  for (const senders of pool.values()) {
    for (const slots of senders.values()) yield* slots.values();
  }
}

/** Everything held of one attempt. */
export function* pooledAttempt(pool: Pool, roundId: RoundId, attempt: number): Iterable<Pooled> {
  for (const slots of pool.get(attemptKey(roundId, attempt))?.values() ?? []) yield* slots.values();
}

/** Accusations of one member, by different senders, in one attempt. */
export function accusationsOf(
  pool: Pool,
  roundId: RoundId,
  attempt: number,
  member: number,
): readonly Envelope[] {
  return [...inSlot(pool, roundId, attempt, { slot: `accuse/${member}` })].map(
    ({ envelope }) => envelope,
  );
}

/** What these senders said in their cell in one attempt. */
export function saidInCellBy(
  pool: Pool,
  roundId: RoundId,
  attempt: number,
  senders: Iterable<PeerId>,
): readonly Envelope[] {
  const said: Envelope[] = [];
  const all = pool.get(attemptKey(roundId, attempt));
  for (const sender of senders) {
    for (const { envelope } of all?.get(sender)?.values() ?? []) {
      if (envelope.body.kind === 'session') said.push(envelope);
    }
  }
  return said;
}

/** Everything held, oldest attempts first; without what was said in cells, if so wanted. */
export function everythingSaid(pool: Pool, withCells: boolean): readonly Envelope[] {
  const said: Envelope[] = [];
  for (const senders of pool.values()) {
    for (const slots of senders.values()) {
      for (const { envelope } of slots.values()) {
        if (withCells || envelope.body.kind !== 'session') said.push(envelope);
      }
    }
  }
  return said;
}

/** What every sender, or one, said in one slot of an attempt: at most two each. */
export function* inSlot(
  pool: Pool,
  roundId: RoundId,
  attempt: number,
  { slot, sender }: { readonly slot: string; readonly sender?: PeerId },
): Iterable<Pooled> {
  const senders = pool.get(attemptKey(roundId, attempt));
  const only = sender && senders?.get(sender);
  const all = sender === undefined ? senders?.values() : only && [only];
  for (const slots of all ?? []) {
    for (const key of [slot, `${AGAIN}${slot}`]) {
      const held = slots.get(key);
      if (held !== undefined) yield held;
    }
  }
}

/** A JOIN of each attempt of which there is one, and how many have JOINed it beside `self`. */
export function* joinCounts(
  pool: Pool,
  self: PeerId,
): Iterable<{ readonly join: Envelope; readonly others: number }> {
  for (const senders of pool.values()) {
    let join: Envelope | undefined;
    let others = 0;
    for (const [sender, slots] of senders) {
      const held = slots.get('join');
      if (held === undefined) continue;
      join ??= held.envelope;
      if (sender !== self) others += 1;
    }
    if (join !== undefined) yield { join, others };
  }
}

/** The first JOIN of each sender in one attempt. */
export function joinsOf(pool: Pool, roundId: RoundId, attempt: number): Map<PeerId, Pooled> {
  const joins = new Map<PeerId, Pooled>();
  for (const [sender, slots] of pool.get(attemptKey(roundId, attempt)) ?? []) {
    const join = slots.get('join');
    if (join !== undefined) joins.set(sender, join);
  }
  return joins;
}
