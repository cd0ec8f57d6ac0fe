import type { BlobHash, Millis, PeerId } from './ids.ts';

/**
 * Local monotonic time and timers. Wall-clock time is not here on purpose (design decision 14a).
 */
export interface Clock {
  now(): Millis;
  /** Calls `fire` once, `after` milliseconds from now; the answer cancels it. */
  setTimer(after: Millis, fire: () => void): () => void;
}

/** Cryptographic randomness in the daemon, a seeded stream in the simulator. */
export interface Random {
  bytes(length: number): Uint8Array;
}

export type LogFields = Readonly<Record<string, unknown>>;
export interface Log {
  debug(message: string, fields?: LogFields): void;
  info(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  error(message: string, fields?: LogFields): void;
}

/** Content-addressed bytes. `put` resolves when the blob survives a crash. */
export interface BlobStore {
  put(bytes: Uint8Array): Promise<BlobHash>;
  /** The bytes, checked against the hash, or undefined when not held. */
  get(hash: BlobHash): Promise<Uint8Array | undefined>;
  has(hash: BlobHash): Promise<boolean>;
  delete(hash: BlobHash): Promise<void>;
  list(): AsyncIterable<BlobHash>;
  /** Bytes of a blob that is held; only `get` proves them. */
  size(hash: BlobHash): Promise<number | undefined>;
  /** `length` bytes from `at` on, unchecked; undefined when the blob is not held or is shorter. */
  read(hash: BlobHash, at: number, length: number): Promise<Uint8Array | undefined>;
  /** Opens a blob of `size` bytes that comes in pieces; one at a time for each hash. */
  draft(hash: BlobHash, size: number): Promise<BlobDraft>;
}

/**
 * A blob on its way. What was written may survive a crash, in part: whoever opens it again checks
 * what it reads.
 */
export interface BlobDraft {
  /** Whether nothing was written before it was opened. */
  readonly isNew: boolean;
  /** Zeros where nothing was written. */
  read(at: number, length: number): Promise<Uint8Array>;
  write(at: number, bytes: Uint8Array): Promise<void>;
  /** Whether the whole has the hash; then the blob is held, durably, and the draft is over. */
  finish(): Promise<boolean>;
  /** Lets go of it; it may be opened again. */
  close(): Promise<void>;
}

/**
 * Durable ordered keys and values: what must survive a crash. `put` and `delete` resolve only when
 * the change is on disk (fsync), so a message may be sent after the await and not before.
 */
export interface Journal {
  put(key: string, value: Uint8Array): Promise<void>;
  get(key: string): Promise<Uint8Array | undefined>;
  /** Keys that start with `prefix`, in order of code units, with their values. */
  entries(prefix: string): AsyncIterable<readonly [key: string, value: Uint8Array]>;
  /** Deletes all keys that start with `prefix`. */
  deletePrefix(prefix: string): Promise<void>;
}

/**
 * A small header (at most LIMITS.controlBytesMax) and a body that may be large
 * (LIMITS.bodyBytesMax).
 */
export interface Parcel {
  readonly header: Uint8Array;
  readonly body: Uint8Array;
}

export interface RequestOptions {
  readonly timeoutMs: number;
  /** Bytes of the answer's body that are taken, at most; LIMITS.bodyBytesMax unless told. */
  readonly bodyBytesMax?: number;
}

/** Bounds one direction of the network. */
export interface Throttle {
  /** Resolves, or returns, when so many bytes of a peer may go; peers that wait take turns. */
  take(bytes: number, peer: PeerId, signal?: AbortSignal): Promise<void> | undefined;
  /** Counts bytes that went already and cannot wait: what comes after them waits the longer. */
  charge(bytes: number): void;
}

export interface Bandwidth {
  readonly up: Throttle;
  readonly down: Throttle;
}

/**
 * How a node reaches others. `from` is the transport's word; whoever needs authorship checks a
 * signature (design decision 16). Handlers run to their end before back-pressure is released.
 */
export interface Transport {
  readonly self: PeerId;
  /** Peers with an open connection. */
  peers(): readonly PeerId[];
  /** Through whom the connection to a peer goes; undefined for a direct one, and for none. */
  relayOf?(peer: PeerId): PeerId | undefined;
  /** Told of every peer whose connection comes or goes; the answer ends it. */
  onPeerChange(listen: (peer: PeerId, connected: boolean) => void): () => void;
  /** Gossip, at most once, lossy, at most LIMITS.controlBytesMax; never delivered to the sender. */
  publish(topic: string, message: Uint8Array): Promise<void>;
  /** Joins a topic; the answer leaves it. */
  subscribe(topic: string, handle: (message: Uint8Array, from: PeerId) => void): () => void;
  /** One request, one answer, over a direct stream. Rejects on a lost connection or a timeout. */
  request(to: PeerId, protocol: string, parcel: Parcel, options: RequestOptions): Promise<Parcel>;
  /** Answers requests of `protocol`; a rejected promise is told to the requester as a refusal. */
  handle(protocol: string, answer: (parcel: Parcel, from: PeerId) => Promise<Parcel>): void;
  /** Announces in the DHT that this node has something to do with `key` (32 bytes). */
  provide(key: Uint8Array): Promise<void>;
  /** Peers that announced `key`; a hint only, they may be gone. */
  findProviders(key: Uint8Array, options: RequestOptions): Promise<readonly PeerId[]>;
}

/** What a member's role may let it do, beside following jobs and serving blobs. */
export type MemberRight = 'train' | 'train-light' | 'launch';

/** Who may take part in a swarm. Its answers change with time and with what comes from others. */
export interface Membership {
  /** Why a peer may not speak here, as `not-a-member: …`; undefined when it may. */
  refusal(peer: PeerId): string | undefined;
  may(peer: PeerId, right: MemberRight): boolean;
  /**
   * Whether a job of this launcher may be taken up: a role that is over by now still stands for the
   * jobs of its time, a revoked one does not.
   */
  mayHaveLaunched(peer: PeerId): boolean;
  /** Whether the peer was ever a member that may train: also one that is revoked since. */
  mayHaveTrained(peer: PeerId): boolean;
}
