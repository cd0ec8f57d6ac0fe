import { createHash } from 'node:crypto';
import {
  type BlobHash,
  type BlobStore,
  type Clock,
  decodeCanonical,
  encodeCanonical,
  fromHex,
  type Parcel,
  type PeerId,
  ProtocolError,
  type RequestOptions,
  type Transport,
  toHex,
} from '@starling/core';
import {
  BLOB_HEADER_BYTES_MAX,
  BLOBS_PROTOCOL,
  type BlobResponse,
  blobRequest,
  blobResponse,
  PIECE_BYTES,
  pieceCount,
  pieceLength,
} from '@starling/protocol-blobs';
import { Download } from './download.ts';
import { FairTurns } from './fair-turns.ts';
import { type MemoryDraft, memoryDraft } from './memory-draft.ts';
import { type BlobTree, bitsOf, treeOf } from './tree.ts';

export interface BlobExchangeParts {
  readonly transport: Transport;
  readonly store: BlobStore;
  readonly clock: Clock;
  /** Blobs that are served though the store does not hold them, such as chunks in memory. */
  readonly extra?: (hash: BlobHash) => Uint8Array | undefined;
}

export interface BlobOptions extends RequestOptions {
  /** Told of good bytes, and who sent them. */
  readonly onReceived?: (peer: PeerId, bytes: number) => void;
}

export interface BlobExchange {
  /**
   * The blob, from our store or else from `from`, into memory; `timeoutMs` is for each request. It
   * is not stored. A small one comes from the first that has it, a large one from several at once.
   * @throws ProtocolError 'blob-unavailable' with each peer's reason when they do not have it
   */
  fetch(hash: BlobHash, from: readonly PeerId[], options: BlobOptions): Promise<Uint8Array>;
  /**
   * Resolves when the store holds the blob. Pieces go to the store as they come and are kept when
   * it fails or the process dies, so the next call goes on from there. Calls for the same blob
   * share one download.
   * @throws ProtocolError as `fetch`; ConfigError when the store has no room
   */
  obtain(hash: BlobHash, from: readonly PeerId[], options: BlobOptions): Promise<void>;
}

const NO_BODY = new Uint8Array(0);
/** Trees kept; each is at most 16 KiB, and takes a reading of the whole blob to make again. */
const TREES_MAX = 64;
/** Reads and hashes under way; a well-behaved peer has at most four requests open. */
const TURNS = { atOnce: 8, perPeer: 16 } as const;

/** Serves our blobs to others from now on, and fetches theirs. */
export function createBlobExchange(parts: BlobExchangeParts): BlobExchange {
  const server = new Server(parts);
  const { transport, store, clock } = parts;
  transport.handle(BLOBS_PROTOCOL, (parcel, from) => server.answer(parcel, from));
  return {
    async fetch(hash, from, options) {
      const held = parts.extra?.(hash) ?? (await store.get(hash));
      if (held !== undefined) return held;
      let draft: MemoryDraft | undefined;
      const open = async (size: number) => {
        draft = memoryDraft(hash, size);
        return draft;
      };
      const download = new Download({ transport, clock, hash, options, open });
      return (await download.run(from)) ?? draft?.bytes() ?? NO_BODY;
    },
    async obtain(hash, from, options) {
      if (await store.has(hash)) return;
      const ongoing = server.downloads.get(hash);
      if (ongoing !== undefined) {
        ongoing.download.add(from);
        return ongoing.end;
      }
      const open = (size: number) => store.draft(hash, size);
      const download = new Download({ transport, clock, hash, options, open });
      const end = obtained(download, from, store).finally(() => server.downloads.delete(hash));
      server.downloads.set(hash, { download, end });
      return end;
    },
  };
}

async function obtained(download: Download, from: readonly PeerId[], store: BlobStore) {
  const whole = await download.run(from);
  if (whole !== undefined) await store.put(whole);
}

interface Ongoing {
  readonly download: Download;
  readonly end: Promise<void>;
}

/** The answering side: whole blobs, those in memory, and the pieces of those on their way to us. */
class Server {
  /** On their way into the store: their pieces are served as they come. */
  readonly downloads = new Map<BlobHash, Ongoing>();
  readonly #parts: BlobExchangeParts;
  readonly #turns = new FairTurns(TURNS);
  /** By blob, the one asked for last at the end. */
  readonly #trees = new Map<BlobHash, Promise<BlobTree | undefined>>();

  constructor(parts: BlobExchangeParts) {
    this.#parts = parts;
  }

  async answer({ header, body }: Parcel, from: PeerId): Promise<Parcel> {
    const request = decodeCanonical(blobRequest, header, BLOB_HEADER_BYTES_MAX);
    if (body.length > 0) throw new ProtocolError('malformed', 'a blob request has no body');
    const hash = toHex(request.hash) as BlobHash;
    return this.#turns.run(from, () =>
      request.kind === 'blob' ? this.#blob(hash) : this.#piece(hash, request.index),
    );
  }

  async #blob(hash: BlobHash): Promise<Parcel> {
    const { store, extra } = this.#parts;
    const inMemory = extra?.(hash);
    const size = inMemory?.length ?? (await store.size(hash));
    if (size === undefined) return this.#partial(hash);
    if (size <= PIECE_BYTES) {
      const blob = inMemory ?? (await store.get(hash));
      if (blob === undefined) return said({ kind: 'missing' });
      return said({ kind: 'whole', size: blob.length }, blob);
    }
    const tree = await this.#tree(hash, size, inMemory);
    if (tree === undefined) return said({ kind: 'missing' });
    return said({ kind: 'tree', size, root: fromHex(tree.root), held: NO_BODY }, tree.leaves);
  }

  /** What we have of a blob that we fetch ourselves. */
  #partial(hash: BlobHash): Parcel {
    const part = this.downloads.get(hash)?.download.part();
    if (part === undefined) return said({ kind: 'missing' });
    const { size, root, leaves, held } = part;
    const bits = bitsOf(held, pieceCount(size));
    return said({ kind: 'tree', size, root: fromHex(root), held: bits }, leaves);
  }

  async #piece(hash: BlobHash, index: number): Promise<Parcel> {
    const { store, extra } = this.#parts;
    const inMemory = extra?.(hash);
    const size = inMemory?.length ?? (await store.size(hash));
    if (size === undefined) {
      const piece = await this.downloads.get(hash)?.download.piece(index);
      return piece === undefined ? said({ kind: 'missing' }) : said({ kind: 'piece' }, piece);
    }
    if (index >= pieceCount(size)) throw new ProtocolError('malformed', `no piece ${index}`);
    const [at, length] = [index * PIECE_BYTES, pieceLength(size, index)];
    const piece = inMemory?.subarray(at, at + length) ?? (await store.read(hash, at, length));
    return piece === undefined ? said({ kind: 'missing' }) : said({ kind: 'piece' }, piece);
  }

  /** The tree of a held blob; undefined when its bytes no longer give its hash. */
  #tree(
    hash: BlobHash,
    size: number,
    inMemory: Uint8Array | undefined,
  ): Promise<BlobTree | undefined> {
    const known = this.#trees.get(hash);
    this.#trees.delete(hash);
    const tree = known ?? this.#grow(hash, size, inMemory);
    this.#trees.set(hash, tree);
    const [oldest] = this.#trees.keys();
    if (this.#trees.size > TREES_MAX && oldest !== undefined) this.#trees.delete(oldest);
    return tree;
  }

  async #grow(
    hash: BlobHash,
    size: number,
    inMemory: Uint8Array | undefined,
  ): Promise<BlobTree | undefined> {
    const { store } = this.#parts;
    // Chunks in memory were made or checked by ourselves; files may have rotted.
    const whole = inMemory === undefined ? createHash('sha256') : undefined;
    try {
      const tree = await treeOf(size, async (at, length) => {
        const piece = inMemory?.subarray(at, at + length) ?? (await store.read(hash, at, length));
        if (piece !== undefined) whole?.update(piece);
        return piece;
      });
      if (whole === undefined || whole.digest('hex') === hash) return tree;
    } catch (error) {
      this.#trees.delete(hash);
      throw error;
    }
    this.#trees.delete(hash);
    // Finds the damage, too, and puts the file aside.
    await store.get(hash);
    return undefined;
  }
}

const said = (response: BlobResponse, body: Uint8Array = NO_BODY): Parcel => ({
  header: encodeCanonical(blobResponse, response),
  body,
});
