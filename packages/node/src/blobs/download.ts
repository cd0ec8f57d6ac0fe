import {
  type BlobDraft,
  type Clock,
  equalBytes,
  errorMessage,
  millis,
  type PeerId,
  ProtocolError,
  u32be,
  utf8,
} from '@starling/core';
import { merkleLeaf, sha256 } from '@starling/crypto';
import { PIECE_BYTES, pieceCount, pieceLength } from '@starling/protocol-blobs';
import { delay } from '../delay.ts';
import { type Asked, askBlob, askPiece, corrupt } from './source.ts';
import { type BlobTree, type ClaimedTree, leafAt } from './tree.ts';

export interface DownloadParts extends Asked {
  readonly clock: Clock;
  /** Opens where the pieces go to; called again when another size turns out to be the right one. */
  readonly open: (size: number) => Promise<BlobDraft>;
}

/** A peer that has pieces of the blob. */
interface Source {
  readonly peer: PeerId;
  readonly root: string;
  /** Undefined for all. */
  held: ReadonlySet<number> | undefined;
  /** Failures since its last good piece. */
  strikes: number;
}

/** The tree that is filled, and how far it is. */
interface Filling {
  readonly tree: BlobTree;
  readonly draft: BlobDraft;
  readonly count: number;
  readonly have: Set<number>;
}

/** A piece that was asked for. */
interface Pending {
  readonly askers: Set<PeerId>;
  readonly since: number;
}

/** Peers that are asked at a time; further ones take the place of those that fail. */
const SOURCES_MAX = 8;
/** Requests under way to each: one is answered while the next is on its way. Memory: 24 pieces. */
const LANES = 3;
const STRIKES_MAX = 2;
/** A piece that takes so much longer than others, and so long, is asked of a second peer too. */
const SLOW_FACTOR = 3;
const SLOW_MIN_MS = 500;
/** Until a peer that is itself fetching the blob is asked again what it has. */
const ASK_AGAIN_MS = 1_000;

/**
 * One blob from many peers. Each piece is checked against a tree before it is kept, and the whole
 * against the hash. A tree is a peer's word: pieces are taken from those who have the same tree,
 * and when the whole is wrong they are all left and the next tree's turn has come. What was kept
 * and is the same in it, stays.
 */
export class Download {
  readonly #parts: DownloadParts;
  readonly #known = new Set<PeerId>();
  readonly #waiting: PeerId[] = [];
  readonly #reasons: string[] = [];
  readonly #sources = new Map<PeerId, Source>();
  readonly #trees = new Map<string, BlobTree>();
  /** Roots whose pieces together did not give the hash. */
  readonly #false = new Set<string>();
  readonly #asked = new Map<number, Pending>();
  /** How long pieces take, smoothed. */
  #pieceMs = 0;
  #cancelNudge: (() => void) | undefined;
  #asking = 0;
  #filling: Filling | undefined;
  /** Changes of tree, writes and the last check come one after the other. */
  #work: Promise<void> = Promise.resolve();
  #wake: (() => void)[] = [];
  #progressAt: number;
  #isClosed = false;
  #outcome: 'open' | 'done' | 'failed' = 'open';
  #settle: { readonly done: () => void; readonly fail: (error: unknown) => void } | undefined;

  constructor(parts: DownloadParts) {
    this.#parts = parts;
    this.#progressAt = parts.clock.now();
  }

  /** More peers that may have it. */
  add(from: readonly PeerId[]): void {
    for (const peer of from) {
      if (this.#known.has(peer) || peer === this.#parts.transport.self) continue;
      this.#known.add(peer);
      this.#waiting.push(peer);
    }
    if (this.#settle !== undefined) this.#askMore();
  }

  /**
   * Resolves with a blob that came in one piece, or with undefined when the draft is finished.
   * @throws ProtocolError 'blob-unavailable' with each peer's reason
   */
  async run(from: readonly PeerId[]): Promise<Uint8Array | undefined> {
    this.add(from);
    const first = await this.#firstAnswer();
    if ('whole' in first) return first.whole;
    const end = new Promise<void>((done, fail) => {
      this.#settle = { done, fail };
    });
    this.#join(first.peer, first.tree);
    this.#askMore();
    try {
      await end;
    } finally {
      this.#cancelNudge?.();
      this.#changed();
      await this.#work;
      this.#isClosed = true;
      await this.#filling?.draft.close();
    }
    return undefined;
  }

  /** What has come so far; undefined before the first piece. */
  part(): (BlobTree & { readonly held: ReadonlySet<number> }) | undefined {
    const filling = this.#filling;
    if (filling === undefined || filling.have.size === 0) return undefined;
    return { ...filling.tree, held: filling.have };
  }

  /** A piece that has come. */
  async piece(index: number): Promise<Uint8Array | undefined> {
    const filling = this.#filling;
    const isOpen = this.#outcome === 'open' && !this.#isClosed;
    if (filling === undefined || !isOpen || !filling.have.has(index)) return undefined;
    return filling.draft.read(index * PIECE_BYTES, pieceLength(filling.tree.size, index));
  }

  /** Peer after peer: a small blob shall not come from several at once. */
  async #firstAnswer(): Promise<
    { readonly whole: Uint8Array } | { readonly peer: PeerId; readonly tree: ClaimedTree }
  > {
    for (let peer = this.#waiting.shift(); peer !== undefined; peer = this.#waiting.shift()) {
      try {
        const answer = await askBlob(this.#parts, peer);
        return 'whole' in answer ? answer : { peer, tree: answer.tree };
      } catch (error) {
        this.#note(peer, error);
      }
    }
    throw this.#unavailable();
  }

  #note(peer: PeerId, error: unknown): void {
    if (!(error instanceof ProtocolError)) throw error;
    this.#reasons.push(`${peer}: ${errorMessage(error)}`);
  }

  #unavailable(): ProtocolError {
    const tried = this.#reasons.length === 0 ? 'no peer to ask' : this.#reasons.join('; ');
    return new ProtocolError('blob-unavailable', `blob ${this.#parts.hash}: ${tried}`);
  }

  #askMore(): void {
    while (this.#outcome === 'open' && this.#sources.size + this.#asking < SOURCES_MAX) {
      const peer = this.#waiting.shift();
      if (peer === undefined) break;
      this.#asking += 1;
      void this.#ask(peer).finally(() => {
        this.#asking -= 1;
        this.#askMore();
      });
    }
    if (this.#outcome === 'open' && this.#sources.size + this.#asking === 0) {
      this.#fail(this.#unavailable());
    }
  }

  async #ask(peer: PeerId): Promise<void> {
    try {
      const answer = await askBlob(this.#parts, peer);
      if ('whole' in answer) throw new ProtocolError('corrupt', 'has another size than the others');
      this.#join(peer, answer.tree);
    } catch (error) {
      this.#failed(peer, error);
    }
  }

  #join(peer: PeerId, tree: ClaimedTree): void {
    const { root, held } = tree;
    if (this.#outcome !== 'open') return;
    if (this.#false.has(root)) {
      this.#note(peer, corrupt());
      return;
    }
    const source: Source = { peer, root, held, strikes: 0 };
    this.#sources.set(peer, source);
    if (!this.#trees.has(root)) this.#trees.set(root, tree);
    this.#choose();
    for (let lane = 0; lane < LANES; lane++) void this.#lane(source);
    if (held !== undefined) void this.#askAgain(source);
  }

  /** The source is gone; its place is another's. */
  #leave(source: Source, error: unknown): void {
    if (this.#sources.get(source.peer) !== source) return;
    this.#sources.delete(source.peer);
    this.#failed(source.peer, error);
    this.#choose();
    this.#askMore();
    this.#changed();
  }

  #failed(peer: PeerId, error: unknown): void {
    if (error instanceof ProtocolError) this.#note(peer, error);
    else this.#fail(error);
  }

  /** Goes over to the tree that most peers have; one that has all of it counts before any part. */
  #choose(): void {
    const best = this.#favourite();
    if (best === undefined || best.root === this.#filling?.tree.root) return;
    this.#inTurn(async () => {
      const tree = this.#favourite();
      const filling = this.#filling;
      if (tree === undefined || tree.root === filling?.tree.root) return;
      let draft = filling?.draft;
      if (draft === undefined || filling?.tree.size !== tree.size) {
        await draft?.close();
        draft = await this.#parts.open(tree.size);
      }
      const isEmpty = draft.isNew && filling === undefined;
      const have = isEmpty ? new Set<number>() : await soundPieces(draft, tree);
      this.#filling = { tree, draft, count: pieceCount(tree.size), have };
      await this.#finishIfWhole();
    });
  }

  #favourite(): BlobTree | undefined {
    const votes = new Map<string, number>();
    for (const { root, held } of this.#sources.values()) {
      votes.set(root, (votes.get(root) ?? 0) + (held === undefined ? SOURCES_MAX + 1 : 1));
    }
    const now = this.#filling?.tree.root;
    let best: string | undefined;
    for (const [root, count] of votes) {
      const most = best === undefined ? 0 : votes.get(best)!;
      if (count > most || (count === most && root === now)) best = root;
    }
    return best === undefined ? undefined : this.#trees.get(best);
  }

  /** One of a source's requests after the other. */
  async #lane(source: Source): Promise<void> {
    while (this.#outcome === 'open' && this.#sources.get(source.peer) === source) {
      const index = this.#pick(source);
      if (index === undefined) await this.#change();
      else await this.#fetchPiece(source, index);
    }
  }

  async #fetchPiece(source: Source, index: number): Promise<void> {
    const { peer, root } = source;
    const tree = this.#trees.get(root)!;
    const since = this.#parts.clock.now();
    const pending = this.#asked.get(index) ?? { askers: new Set(), since };
    pending.askers.add(peer);
    this.#asked.set(index, pending);
    try {
      const bytes = await askPiece(this.#parts, peer, index, pieceLength(tree.size, index));
      const leaf = merkleLeaf(bytes);
      if (!equalBytes(leaf, leafAt(tree.leaves, index))) throw corrupt();
      source.strikes = 0;
      this.#parts.options.onReceived?.(peer, bytes.length);
      this.#pieceMs += (this.#parts.clock.now() - since - this.#pieceMs) / 8;
      await this.#inTurn(() => this.#keep(index, bytes, leaf));
    } catch (error) {
      source.strikes += 1;
      const isCorrupt = error instanceof ProtocolError && error.code === 'corrupt';
      if (isCorrupt || source.strikes >= STRIKES_MAX || !(error instanceof ProtocolError)) {
        this.#leave(source, error);
      }
    } finally {
      pending.askers.delete(peer);
      if (pending.askers.size === 0) this.#asked.delete(index);
      this.#changed();
    }
  }

  /** Writes a piece if it is one of the tree's that is filled, and was not there. */
  async #keep(index: number, bytes: Uint8Array, leaf: Uint8Array): Promise<void> {
    const filling = this.#filling;
    if (filling === undefined || filling.have.has(index)) return;
    if (!equalBytes(leaf, leafAt(filling.tree.leaves, index))) return;
    await filling.draft.write(index * PIECE_BYTES, bytes);
    filling.have.add(index);
    this.#progressAt = this.#parts.clock.now();
    await this.#finishIfWhole();
  }

  async #finishIfWhole(): Promise<void> {
    const filling = this.#filling;
    if (filling === undefined || filling.have.size < filling.count) return;
    if (this.#outcome !== 'open') return;
    if (await filling.draft.finish()) {
      this.#outcome = 'done';
      this.#settle?.done();
      return;
    }
    const { root } = filling.tree;
    this.#false.add(root);
    for (const source of [...this.#sources.values()]) {
      if (source.root === root) this.#leave(source, corrupt());
    }
  }

  /**
   * The next piece to ask a source for: one that few have, from a place on that differs from peer
   * to peer, so that those who fetch the same blob have something for each other. When all are
   * asked for, a second request goes out for a late one: its first source may hang.
   */
  #pick({ peer, root, held }: Source): number | undefined {
    const filling = this.#filling;
    if (filling === undefined || filling.tree.root !== root) return undefined;
    const { count, have } = filling;
    const lateFrom = this.#parts.clock.now() - this.#patienceMs();
    const start = this.#start(count);
    let best: { readonly index: number; readonly cost: number } | undefined;
    for (let i = 0; i < count; i++) {
      const index = (start + i) % count;
      if (have.has(index) || held?.has(index) === false) continue;
      const pending = this.#asked.get(index);
      if (pending !== undefined) {
        const { askers, since } = pending;
        if (askers.size > 1 || askers.has(peer) || since > lateFrom) continue;
      }
      const cost = (pending === undefined ? 0 : SOURCES_MAX) + this.#holders(root, index);
      if (best === undefined || cost < best.cost) best = { index, cost };
    }
    return best?.index;
  }

  #patienceMs(): number {
    return Math.max(SLOW_MIN_MS, SLOW_FACTOR * this.#pieceMs);
  }

  #holders(root: string, index: number): number {
    let holders = 0;
    for (const source of this.#sources.values()) {
      if (source.root === root && source.held?.has(index) !== false) holders += 1;
    }
    return holders;
  }

  #start(count: number): number {
    const { transport, hash } = this.#parts;
    const [a, b, c] = sha256(utf8(`${hash} ${transport.self}`), u32be(count));
    return (a! * 65_536 + b! * 256 + c!) % count;
  }

  /** A peer that is itself fetching has more and more to give. */
  async #askAgain(source: Source): Promise<void> {
    const { clock, options } = this.#parts;
    const isSource = () => this.#outcome === 'open' && this.#sources.get(source.peer) === source;
    while (isSource() && source.held !== undefined) {
      await delay(this.#parts, ASK_AGAIN_MS);
      if (!isSource()) return;
      if (clock.now() - this.#progressAt > options.timeoutMs) {
        return this.#leave(source, new ProtocolError('timeout', 'has nothing more to give'));
      }
      try {
        const answer = await askBlob(this.#parts, source.peer);
        if (!('tree' in answer) || answer.tree.root !== source.root) throw corrupt();
        source.held = answer.tree.held;
        this.#choose();
        this.#changed();
      } catch (error) {
        return this.#leave(source, error);
      }
    }
  }

  #inTurn(step: () => Promise<void>): Promise<void> {
    this.#work = this.#work
      .then(async () => {
        // What has come is written also when all has failed: the next download starts from it.
        if (this.#outcome !== 'done' && !this.#isClosed) await step();
      })
      .catch((error: unknown) => this.#fail(error))
      .finally(() => this.#changed());
    return this.#work;
  }

  #fail(error: unknown): void {
    if (this.#outcome !== 'open') return;
    this.#outcome = 'failed';
    this.#settle?.fail(error);
    this.#changed();
  }

  /** Waits until something is different for a source that had nothing to do, or a piece is late. */
  #change(): Promise<void> {
    this.#cancelNudge ??= this.#parts.clock.setTimer(millis(this.#patienceMs()), () => {
      this.#cancelNudge = undefined;
      this.#changed();
    });
    return new Promise((resolve) => this.#wake.push(resolve));
  }

  #changed(): void {
    for (const wake of this.#wake.splice(0)) wake();
  }
}

/** The pieces of a draft that are those of the tree; one is read at a time. */
async function soundPieces(draft: BlobDraft, { size, leaves }: BlobTree): Promise<Set<number>> {
  const sound = new Set<number>();
  for (let index = 0; index < pieceCount(size); index++) {
    const piece = await draft.read(index * PIECE_BYTES, pieceLength(size, index));
    if (equalBytes(merkleLeaf(piece), leafAt(leaves, index))) sound.add(index);
  }
  return sound;
}
