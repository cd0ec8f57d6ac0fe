import {
  type BlobHash,
  bytes,
  concatBytes,
  type Decoded,
  decodeCanonical,
  encodeCanonical,
  fromHex,
  LIMITS,
  list,
  nullable,
  oneOf,
  type RoundId,
  struct,
  toHex,
  u32,
  u32be,
  union,
  utf8,
} from '@starling/core';
import {
  hashCodec,
  peerCodec,
  type SigningKey,
  sha256,
  signatureCodec,
  verify,
} from '@starling/crypto';
import type { CertificateHash } from './certificate.ts';
import { ROUNDS_LABEL } from './version.ts';

/** Greatest weight of a chunk owner. */
export const WEIGHT_MAX = 8;

/** A JOIN is valid for one attempt and names the state it was trained from. */
const join = struct({
  round: u32(1_000_000),
  restarts: u32(1_000),
  parent: hashCodec<CertificateHash>(),
  stateHash: hashCodec<BlobHash>(),
  /** The session's public keys; opaque here. */
  hello: bytes(0, 256),
  /** Commitment to what the sender reveals in its ACK, when the roster is cut into cells. */
  beacon: bytes(32),
  /** How many chunks the sender owns beside others; 0 for a light peer (design decision 14). */
  weight: u32(WEIGHT_MAX),
});
const roster = struct({
  /** SHA-256 of the members' JOIN envelopes, in order of the members' peer ids. */
  joins: list(hashCodec<string>(), LIMITS.rosterPeersMax),
});
/** Acceptance of a roster that is cut into cells, and a part of the beacon that cuts it. */
const ack = struct({ reveal: bytes(32) });
/** Whose ACKs make the beacon: one bit per member of the roster. Nobody else is in a cell. */
const cells = struct({ acked: bytes(1, LIMITS.rosterPeersMax / 8) });
/** Lies of which members of a cell convict each other, by the secure aggregation's own rules. */
export const ACCUSATIONS = [
  'wrong-tag',
  'wrong-sum',
  'wrong-audit',
  'wrong-plain-sum',
  'inconsistent-shares',
] as const;
export const bodyCodec = union({
  join,
  roster,
  ack,
  cells,
  /** A message of one cell's secure aggregation, in its own protocol's encoding. */
  session: struct({ message: bytes(1, LIMITS.controlBytesMax - 512) }),
  /** A message by which many cells become one result; for the whole roster. */
  assembly: struct({ message: bytes(1, LIMITS.controlBytesMax - 512) }),
  /** The sender's signature under the round's certificate. */
  final: struct({ statement: hashCodec<CertificateHash>(), signature: signatureCodec }),
  /** The sender found out, by itself, that this member of the roster lied. */
  accuse: struct({ member: u32(LIMITS.rosterPeersMax - 1), reason: oneOf(ACCUSATIONS) }),
});
export type Body = Decoded<typeof bodyCodec>;
export type BodyOf<K extends Body['kind']> = Extract<Body, { kind: K }>;

const envelopeCodec = struct({
  roundId: hashCodec<RoundId>(),
  attempt: u32(1_000),
  /** Digest of the roster, or of its cells, that the sender is in; null for JOIN and ROSTER. */
  roster: nullable(bytes(32)),
  sender: peerCodec,
  body: bytes(1, LIMITS.controlBytesMax - 256),
  signature: signatureCodec,
});

/** A signed control message of a round, opened and checked. */
export interface Envelope extends Omit<Decoded<typeof envelopeCodec>, 'body' | 'signature'> {
  readonly body: Body;
  /** The exact bytes, to pass on. */
  readonly bytes: Uint8Array;
  /** SHA-256 of `bytes`. */
  readonly hash: string;
  /** The first two words of the hash, big-endian: what filters say of it. */
  readonly words: readonly [number, number];
}

interface Context {
  readonly roundId: RoundId;
  readonly attempt: number;
  readonly roster: Uint8Array | null;
}

/** With and without a roster the labels differ, so that no digest passes for "none". */
function signedBytes({ roundId, attempt, roster }: Context, body: Uint8Array): Uint8Array {
  const label = utf8(`${ROUNDS_LABEL}/envelope/${roster === null ? 'open' : 'roster'}`);
  return concatBytes(label, fromHex(roundId), u32be(attempt), roster ?? new Uint8Array(0), body);
}

export function sealEnvelope(context: Context, body: Body, key: SigningKey): Envelope {
  const encoded = encodeCanonical(bodyCodec, body);
  const sealed = encodeCanonical(envelopeCodec, {
    ...context,
    sender: key.peerId,
    body: encoded,
    signature: key.sign(signedBytes(context, encoded)),
  });
  return { ...context, sender: key.peerId, body, ...named(sealed) };
}

/** @throws DecodeError on malformed bytes; undefined when the signature is wrong */
export function openEnvelope(sealed: Uint8Array): Envelope | undefined {
  const outer = decodeCanonical(envelopeCodec, sealed, LIMITS.controlBytesMax);
  const body = decodeCanonical(bodyCodec, outer.body, LIMITS.controlBytesMax);
  if (!verify(outer.sender, signedBytes(outer, outer.body), outer.signature)) return undefined;
  const { roundId, attempt, roster, sender } = outer;
  return { roundId, attempt, roster, sender, body, ...named(sealed) };
}

function named(sealed: Uint8Array): Pick<Envelope, 'bytes' | 'hash' | 'words'> {
  const hash = sha256(sealed);
  const view = new DataView(hash.buffer, hash.byteOffset);
  return {
    bytes: sealed,
    hash: toHex(hash),
    words: [view.getUint32(0), view.getUint32(4)],
  };
}
