import {
  bytes,
  type Decoded,
  decodeCanonical,
  encodeCanonical,
  LIMITS,
  list,
  nullable,
  oneOf,
  struct,
  u32,
  union,
} from '@starling/core';

/** Version of this protocol; it stands in every label and in the protocol ids. */
export const SECAGG_VERSION = 1;
/** Prefix of every domain-separation label of this protocol. */
export const SECAGG_LABEL = `starling/secagg/${SECAGG_VERSION}`;
/** Direct-stream protocol that carries masked chunks to their owners. */
export const CHUNK_PROTOCOL = `/starling/secagg/${SECAGG_VERSION}/chunk`;

const hash = bytes(32);
const memberIndex = u32(LIMITS.cellPeersMax - 1);
/** Last view of a decision; an attempt that gets there ends by its stall timer. */
export const VIEW_MAX = 1_000;
/** One bit per roster member, least significant bit of byte 0 first. */
const bitmap = bytes(1, LIMITS.cellPeersMax / 8);
const chunkIndex = u32(LIMITS.chunksMax - 1);

/** Public keys that a peer puts into its JOIN; both X25519, fresh for every attempt. */
export const helloCodec = struct({ encryptionKey: bytes(32), maskKey: bytes(32) });
export type Hello = Decoded<typeof helloCodec>;

/** What one dealer gives one holder, sealed: shares of its self-mask seed and of its mask key. */
export const sealedSharesCodec = struct({ selfMask: bytes(32), maskKey: bytes(32) });
export type SealedShares = Decoded<typeof sealedSharesCodec>;

/** For every member of the roster, in roster order; the dealer's own edge is 32 zero bytes. */
const dealt = struct({
  sealed: bytes(0, 128),
  selfMaskCommitment: hash,
  maskKeyCommitment: hash,
  edgeCommitment: hash,
});
export type Dealt = Decoded<typeof dealt>;

const keyshare = struct({
  selfMaskCommitment: hash,
  dealt: list(dealt, LIMITS.cellPeersMax),
});

/** The two things a cell decides once: whose masks are in (V), whose inputs are in (U). */
export const DECISIONS = ['mask-set', 'survivors'] as const;
export type DecisionName = (typeof DECISIONS)[number];
const decision = oneOf(DECISIONS);

/** A value of a decision: a set of members, or the end of the attempt. */
export const decisionValueCodec = union({
  set: struct({ members: bitmap }),
  abort: struct({}),
});
export type DecisionValue = Decoded<typeof decisionValueCodec>;

const propose = struct({
  decision,
  view: u32(VIEW_MAX),
  validView: nullable(u32(VIEW_MAX)),
  value: decisionValueCodec,
});
const vote = { decision, view: u32(VIEW_MAX), value: nullable(hash) };

/** One kind or the other: a message that reveals both kinds for one peer cannot be built. */
const revealedShare = union({
  'self-mask': struct({ of: memberIndex, share: bytes(32) }),
  'mask-key': struct({ of: memberIndex, share: bytes(32) }),
});
export type RevealedShare = Decoded<typeof revealedShare>;

export const messageCodec = union({
  keyshare,
  propose,
  prevote: struct(vote),
  precommit: struct(vote),
  commit: struct({ root: hash }),
  receipt: struct({ revision: u32(7), contributors: bitmap }),
  sums: struct({ sums: list(struct({ chunk: chunkIndex, hash }), LIMITS.chunksMax) }),
  unmask: struct({
    selfMask: bytes(32),
    edges: list(struct({ with: memberIndex, seed: bytes(32) }), LIMITS.cellPeersMax),
  }),
  shares: struct({ revision: u32(7), items: list(revealedShare, LIMITS.cellPeersMax) }),
  abandon: struct({}),
});
export type SecaggMessage = Decoded<typeof messageCodec>;
export type MessageOf<K extends SecaggMessage['kind']> = Extract<SecaggMessage, { kind: K }>;

/** Header of a chunk on a direct stream; the body is the packed masked words of that chunk. */
export const chunkHeaderCodec = struct({
  roundId: hash,
  attempt: u32(),
  chunk: chunkIndex,
  proof: list(hash, 16),
});
export type ChunkHeader = Decoded<typeof chunkHeaderCodec>;

export const encodeMessage = (message: SecaggMessage): Uint8Array =>
  encodeCanonical(messageCodec, message);
/** @throws DecodeError */
export const decodeMessage = (encoded: Uint8Array): SecaggMessage =>
  decodeCanonical(messageCodec, encoded, LIMITS.controlBytesMax);

/**
 * The slot of a message: one valid message per slot and sender counts, a second one is ignored
 * (and is evidence against its sender).
 */
export function slotOf(message: SecaggMessage): string {
  switch (message.kind) {
    case 'propose':
    case 'prevote':
    case 'precommit':
      return `${message.kind}/${message.decision}/${message.view}`;
    case 'receipt':
    case 'shares':
      return `${message.kind}/${message.revision}`;
    default:
      return message.kind;
  }
}
