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
export const SECAGG_VERSION = 3;
/** Prefix of every domain-separation label of this protocol. */
export const SECAGG_LABEL = `starling/secagg/${SECAGG_VERSION}`;
/** Direct-stream protocol that carries masked chunks to their owners. */
export const CHUNK_PROTOCOL = `/starling/secagg/${SECAGG_VERSION}/chunk`;
/** Direct-stream protocol on which an owner opens a chunk it was sent, for audits and blame. */
export const OPEN_PROTOCOL = `/starling/secagg/${SECAGG_VERSION}/open`;

const hash = bytes(32);
const memberIndex = u32(LIMITS.rosterPeersMax - 1);
/** Last view of a decision; an attempt that gets there ends by its stall timer. */
export const VIEW_MAX = 1_000;
/** One bit per roster member, least significant bit of byte 0 first. */
const bitmap = bytes(1, LIMITS.rosterPeersMax / 8);
const chunkIndex = u32(LIMITS.chunksMax - 1);
/** Revisions of a message that may be corrected: receipts, shares, sums, audits, complaints. */
export const REVISION_MAX = 15;
const revision = u32(REVISION_MAX);
/** Bytes of the linear tags of one chunk: four numbers below 2^61 − 1, little-endian. */
export const TAG_LENGTH = 32;
const tag = bytes(TAG_LENGTH);
/** Bytes of the digest that binds a decision to one of a member's messages. */
export const BOUND_LENGTH = 16;

/** Public keys that a peer puts into its JOIN; both X25519, fresh for every attempt. */
export const helloCodec = struct({ encryptionKey: bytes(32), maskKey: bytes(32) });
export type Hello = Decoded<typeof helloCodec>;

/** What one dealer gives one holder, sealed: shares of its self-mask seed and of its mask key. */
export const sealedSharesCodec = struct({ selfMask: bytes(32), maskKey: bytes(32) });
export type SealedShares = Decoded<typeof sealedSharesCodec>;

/** For every holder of the dealer, in order; the dealer's own edge is 32 zero bytes. */
const dealt = struct({
  sealed: bytes(0, 128),
  selfMaskCommitment: hash,
  maskKeyCommitment: hash,
  edgeCommitment: hash,
});
export type Dealt = Decoded<typeof dealt>;

const keyshare = struct({
  selfMaskCommitment: hash,
  dealt: list(dealt, LIMITS.holdersMax),
});

/**
 * What is decided once. By a cell: whose masks are in (V), whose inputs are in (U). By the whole
 * roster when it has many cells: which cells' U may be opened, and which opened sums count.
 */
export const DECISIONS = ['mask-set', 'survivors', 'assembly', 'results'] as const;
export type DecisionName = (typeof DECISIONS)[number];
const decision = oneOf(DECISIONS);

/** Most cells of a roster. */
export const CELLS_MAX = LIMITS.rosterPeersMax / 4;
/** What one cell puts in: whose inputs, and the hash of its decision U or of its opened sum. */
const cellEntry = struct({ members: bitmap, digest: hash });
export type CellEntry = Decoded<typeof cellEntry>;

/** A value of a decision. */
export const decisionValueCodec = union({
  /** Members, and for each in order the digest of the message that brought it into the set. */
  set: struct({ members: bitmap, bound: list(bytes(BOUND_LENGTH), LIMITS.rosterPeersMax) }),
  /** The end of the attempt. */
  abort: struct({}),
  /** One entry a cell, nil for a cell that is left out. */
  cells: struct({ cells: list(nullable(cellEntry), CELLS_MAX) }),
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
  /** The owner holds all of `chunks` (one bit a chunk) of all `contributors`. */
  receipt: struct({ revision, chunks: bytes(1, LIMITS.chunksMax / 8), contributors: bitmap }),
  sums: struct({
    revision,
    sums: list(struct({ chunk: chunkIndex, hash }), LIMITS.chunksMax),
  }),
  unmask: struct({
    selfMask: bytes(32),
    edges: list(struct({ with: memberIndex, seed: bytes(32) }), LIMITS.holdersMax),
  }),
  shares: struct({ revision, items: list(revealedShare, LIMITS.rosterPeersMax) }),
  /** The sender's tag of each of its masked chunks, in order. */
  tags: struct({ tags: list(tag, LIMITS.chunksMax) }),
  /** Tags of chunks of members who are silent, from who checked them against their COMMIT. */
  audit: struct({
    revision,
    items: list(struct({ of: memberIndex, chunk: chunkIndex, tag }), LIMITS.chunksMax),
  }),
  /** Dealers whose shares did not open, owners who do not answer; one bit a member. */
  complaint: struct({ revision, dealers: bitmap, owners: bitmap }),
  abandon: struct({}),
  /** The sender's cell decided this U; roster-wide. */
  nominate: cellEntry,
  /** The sender's cell opened this sum: SHA-256 of the packed ring words; roster-wide. */
  opened: cellEntry,
  /** Chunks whose masks the sender removed: SHA-256 of what is left, packed in the ring's bits. */
  'plain-sums': struct({
    revision,
    sums: list(struct({ chunk: chunkIndex, hash }), LIMITS.chunksMax),
  }),
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

/** Asks an owner for the chunk that member `of` sent it; the answer has the form of a chunk. */
export const openRequestCodec = struct({
  roundId: hash,
  attempt: u32(),
  chunk: chunkIndex,
  of: memberIndex,
});

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
    case 'sums':
    case 'shares':
    case 'audit':
    case 'complaint':
    case 'plain-sums':
      return `${message.kind}/${message.revision}`;
    default:
      return message.kind;
  }
}
