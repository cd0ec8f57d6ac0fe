import type {
  BlobHash,
  BlobStore,
  Clock,
  Journal,
  Log,
  PeerId,
  RequestOptions,
  Transport,
} from '@starling/core';
import type { SigningKey } from '@starling/crypto';
import type { Card, CardId } from '@starling/protocol-models';
import type { BookLimits } from './book-limits.ts';
import type { CardFiles } from './card-check.ts';
import type { HeldCard } from './card-shelf.ts';
import type { Found } from './search.ts';

/** Moves blobs between peers: what the node has for its jobs. */
export interface ModelExchange {
  obtain(hash: BlobHash, from: readonly PeerId[], options: RequestOptions): Promise<void>;
}

export interface ModelParts {
  readonly transport: Transport;
  readonly journal: Journal;
  readonly log: Log;
  readonly clock: Clock;
  readonly key: SigningKey;
  readonly blobs: BlobStore;
  readonly exchange: ModelExchange;
  readonly swarm: () => string | null;
  /** Why nothing of a peer is taken, as a swarm's membership says it. */
  readonly refusal: (peer: PeerId) => string | undefined;
  /** Seconds since 1970, for what cards and statements say of when they were signed. */
  readonly wallSeconds: () => number;
  /** The first link of a card that does not hold; it may take seconds, so not on our loop. */
  readonly faultOf: (files: CardFiles) => Promise<string | undefined>;
  /** A restricted model in clear, from its blob. @throws ProtocolError or ConfigError */
  readonly unseal?: (
    card: CardId,
    blob: Uint8Array,
    holders: readonly PeerId[],
  ) => Promise<Uint8Array>;
  /** A bug of ours was met. */
  readonly onFatal: (error: unknown) => void;
  readonly limits?: Partial<BookLimits> | undefined;
}

/** What its publisher says of a card; the rest follows from the files and from what is held. */
export type CardDraft = Omit<Card, 'version' | 'published' | 'swarm'> & {
  /** The next one of this name unless told. */
  readonly version?: number | undefined;
};

export interface PublishedFiles {
  /** The ONNX file in clear. */
  readonly model: Uint8Array;
  readonly proof?: Uint8Array | undefined;
  /** What peers exchange, where that is not the model: a ciphertext of it. */
  readonly blob?: Uint8Array | undefined;
  /** Told of the card before anybody else hears of it. */
  readonly onSigned?: ((id: CardId) => Promise<void>) | undefined;
}

export interface SearchOptions {
  /** Only in what is held here. */
  readonly here: boolean;
  /** For all peers together, in milliseconds. */
  readonly deadlineMs: number;
}

/** A peer that was asked: how many cards it named, or why it did not answer. */
export interface Asked {
  readonly peer: PeerId;
  readonly found: number;
  readonly fault: string | undefined;
}

export interface SearchOutcome {
  readonly found: readonly (Found & { readonly namedBy: readonly PeerId[] })[];
  readonly asked: readonly Asked[];
}

export interface FetchedModel {
  readonly held: HeldCard;
  readonly model: Uint8Array;
  readonly proof: Uint8Array | undefined;
}
