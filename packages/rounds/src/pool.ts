import { fromHex, type Millis, type PeerId, type RoundId, toHex } from '@starling/core';
import { type Envelope, HAVE_BYTES } from '@starling/protocol-rounds';
import { decodeMessage, slotOf } from '@starling/protocol-secagg';

/** Most envelopes that one sender can make us keep for one attempt. */
const PER_SENDER_MAX = 256;
/** Attempts of one round in which one sender can make us keep envelopes. */
const ATTEMPTS_PER_SENDER_MAX = 32;

export interface Pooled {
  readonly envelope: Envelope;
  readonly at: Millis;
}

/**
 * Envelopes of the present round, one a slot and sender: `roundId/attempt/sender` → slot →
 * envelope. What two peers hold differs only by what has not reached them yet, and `pull` closes
 * the gap.
 */
export type Pool = ReadonlyMap<string, ReadonlyMap<string, Pooled>>;

export const emptyPool: Pool = new Map();

/**
 * Adds an envelope; the same pool when the slot is taken, the message malformed, or limits reached.
 */
export function addToPool(pool: Pool, envelope: Envelope, at: Millis): Pool {
  const slot = slotOfEnvelope(envelope);
  if (slot === undefined) return pool;
  const key = `${envelope.roundId}/${envelope.attempt}/${envelope.sender}`;
  const held = pool.get(key);
  if (held?.has(slot) || (held?.size ?? 0) >= PER_SENDER_MAX) return pool;
  const next = new Map(pool);
  // A round may take many attempts: a sender's oldest makes room, the others' stay.
  const attempts = held === undefined ? attemptsOf(pool, envelope.sender) : [];
  if (attempts.length >= ATTEMPTS_PER_SENDER_MAX) next.delete(attempts[0]!);
  return next.set(key, new Map(held).set(slot, { envelope, at }));
}

/** Keys of a sender's attempts, oldest first. */
const attemptsOf = (pool: Pool, sender: PeerId): readonly string[] =>
  [...pool.keys()].filter((key) => key.endsWith(`/${sender}`));

function slotOfEnvelope({ body }: Envelope): string | undefined {
  if (body.kind !== 'session') return body.kind;
  try {
    return `session/${slotOf(decodeMessage(body.message))}`;
  } catch {
    return undefined;
  }
}

/** Everything held, oldest senders first. */
export function* pooled(pool: Pool): Iterable<Pooled> {
  for (const slots of pool.values()) yield* slots.values();
}

/** Everything held of one attempt, but for JOINs. */
export function* pooledAttempt(pool: Pool, roundId: RoundId, attempt: number): Iterable<Pooled> {
  for (const [key, slots] of pool) {
    if (key.startsWith(`${roundId}/${attempt}/`)) yield* slots.values();
  }
}

/** JOINs of one attempt, by sender. */
export function joinsOf(pool: Pool, roundId: RoundId, attempt: number): Map<PeerId, Pooled> {
  const joins = new Map<PeerId, Pooled>();
  for (const entry of pooledAttempt(pool, roundId, attempt)) {
    if (entry.envelope.body.kind === 'join') joins.set(entry.envelope.sender, entry);
  }
  return joins;
}

/** First bytes of the hashes of the newest `most` envelopes held, for a pull. */
export function haveOf(pool: Pool, most: number): Uint8Array {
  const hashes = [...pooled(pool)].slice(-most);
  const out = new Uint8Array(hashes.length * HAVE_BYTES);
  for (const [i, { envelope }] of hashes.entries()) {
    out.set(fromHex(envelope.hash.slice(0, 2 * HAVE_BYTES)), i * HAVE_BYTES);
  }
  return out;
}

/** Envelopes that a peer with `have` lacks. */
export function missingFrom(pool: Pool, have: Uint8Array): readonly Envelope[] {
  const held = new Set<string>();
  for (let at = 0; at + HAVE_BYTES <= have.length; at += HAVE_BYTES) {
    held.add(toHex(have.subarray(at, at + HAVE_BYTES)));
  }
  return [...pooled(pool)]
    .map(({ envelope }) => envelope)
    .filter(({ hash }) => !held.has(hash.slice(0, 2 * HAVE_BYTES)));
}
