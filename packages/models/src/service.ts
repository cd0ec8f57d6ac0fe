import {
  type BlobHash,
  ConfigError,
  encodeCanonical,
  errorMessage,
  fromHex,
  InvariantError,
  millis,
  type PeerId,
  ProtocolError,
} from '@starling/core';
import {
  type Card,
  type CardId,
  cardFault,
  type ModelQuery,
  type ModelsGossip,
  modelsGossipCodec,
  modelsTopic,
  signCard,
  signStatement,
  type Word,
} from '@starling/protocol-models';
import { CardBook } from './book.ts';
import { cardNamed } from './card-name.ts';
import type { HeldCard, Taken } from './card-shelf.ts';
import { CardFeed } from './feed.ts';
import { gatherCard, gatherFound } from './gather.ts';
import { searchInTurns } from './search.ts';
import type {
  Asked,
  CardDraft,
  FetchedModel,
  ModelParts,
  PublishedFiles,
  SearchOptions,
  SearchOutcome,
} from './service-parts.ts';

const REQUEST_TIMEOUT_MS = 10_000;
const PROVIDERS_TIMEOUT_MS = 2_000;
/** For a MiB of a model: even a slow uplink that many share sends it in this time. */
const PIECE_TIMEOUT_MS = 60_000;
/** Peers that one search asks. */
const ASKED_MAX = 16;
/** Peers that a model is fetched from. */
const SOURCES_MAX = 32;

/** Published models as one peer sees them: it publishes, searches, fetches, and speaks of them. */
export class ModelService {
  readonly book: CardBook;
  readonly #parts: ModelParts;
  readonly #feed: CardFeed;

  private constructor(parts: ModelParts, book: CardBook) {
    this.#parts = parts;
    this.book = book;
    this.#feed = new CardFeed(parts, book);
  }

  static async open(parts: ModelParts): Promise<ModelService> {
    const { journal, log, key, swarm, refusal, limits } = parts;
    const self = key.peerId;
    const book = await CardBook.open({ journal, log, self, swarm, refusal, limits });
    return new ModelService(parts, book);
  }

  start(): void {
    this.#feed.start();
    for (const held of this.book.own()) this.#announce(held);
  }

  stop(): void {
    this.#feed.stop();
  }

  /** Blobs of what this peer has published: they must stay. */
  *pinned(): Iterable<BlobHash> {
    for (const { card } of this.book.own()) {
      yield card.blob.hash;
      if (card.proof !== null) yield card.proof.hash;
    }
  }

  /**
   * Signs a card, keeps the files and tells the others. What would not verify is not published.
   * @throws ConfigError that names what does not hold
   */
  async publish(draft: CardDraft, files: PublishedFiles): Promise<HeldCard> {
    const { key, swarm, wallSeconds, blobs, faultOf } = this.#parts;
    const version = draft.version ?? this.#nextVersion(draft.name);
    const card: Card = { ...draft, version, published: wallSeconds(), swarm: swarm() };
    const fault = cardFault(card);
    if (fault !== undefined) throw new ConfigError('card', fault);
    this.#demandNew(card);
    const signed = signCard(card, key);
    const { model, proof, blob = model } = files;
    const broken = await faultOf({ card: signed.bytes, model, proof });
    if (broken !== undefined) throw new ConfigError('card', broken);
    if ((await blobs.put(blob)) !== card.blob.hash) {
      throw new ConfigError('card.blob', 'is not the blob given');
    }
    if (proof !== undefined) await blobs.put(proof);
    await files.onSigned?.(signed.id);
    demandTaken(await this.book.takeCard(signed.bytes));
    const held = this.book.get(signed.id)!;
    await this.#tell({ kind: 'card', card: signed.bytes });
    this.#announce(held);
    return held;
  }

  /** In what is held here, and at once; of others only when asked, within the deadline. */
  async search(query: ModelQuery, { here, deadlineMs }: SearchOptions): Promise<SearchOutcome> {
    const namedBy = new Map<CardId, PeerId[]>();
    const peers = here ? [] : this.#parts.transport.peers().slice(0, ASKED_MAX);
    const asked = await Promise.all(
      peers.map(async (peer): Promise<Asked> => {
        try {
          const ids = await this.#within(deadlineMs, this.#ask(peer, query, deadlineMs));
          for (const id of ids) namedBy.set(id, [...(namedBy.get(id) ?? []), peer]);
          return { peer, found: ids.length, fault: undefined };
        } catch (error) {
          return { peer, found: 0, fault: faultOfPeer(error) };
        }
      }),
    );
    const found = (await searchInTurns(this.book.all(), query)).map((each) => ({
      ...each,
      namedBy: namedBy.get(each.held.id) ?? [],
    }));
    return { found, asked };
  }

  /** The restricted card that a file is the model of, if it is known here. */
  restrictedAs(model: BlobHash): CardId | undefined {
    const isIt = ({ card }: HeldCard) => card.access === 'restricted' && card.model.hash === model;
    return this.book.all().find(isIt)?.id;
  }

  /** A card by its id, the beginning of one, or its name. @throws ConfigError */
  named(wanted: string): HeldCard {
    return cardNamed(this.book.all(), wanted);
  }

  /**
   * The model and its proof, from whoever has them. They are checked against the card's hashes,
   * and not more: `verifyCard` does the rest.
   * @throws ProtocolError when nobody has them
   */
  async fetch(wanted: string): Promise<FetchedModel> {
    const held = await this.#look(wanted);
    const { card, id } = held;
    const blob = await this.blob(card.blob.hash, held);
    const model = card.access === 'open' ? blob : await this.#unsealed(held, blob);
    const proof = card.proof === null ? undefined : await this.blob(card.proof.hash, held);
    this.#provide(card.blob.hash);
    this.#provide(id);
    return { held, model, proof };
  }

  async #unsealed({ id, card }: HeldCard, blob: Uint8Array): Promise<Uint8Array> {
    const { unseal } = this.#parts;
    if (unseal !== undefined) return unseal(id, blob, await this.#sources(card.blob.hash));
    throw new ConfigError('card', `"${card.name}" is restricted, and this peer opens no such`);
  }

  /** Says something about a card, in place of what this peer said before. @throws ConfigError */
  async say(wanted: string, word: Word): Promise<HeldCard> {
    const { key, wallSeconds } = this.#parts;
    const { id, statements } = this.named(wanted);
    const before = statements.find(
      (each) => each.signer === key.peerId && each.word.kind === word.kind,
    );
    const count = (before?.count ?? 0) + 1;
    const signed = signStatement({ card: id, count, at: wallSeconds(), word }, key);
    demandTaken(await this.book.takeStatement(signed.bytes));
    await this.#tell({ kind: 'statement', statement: signed.bytes });
    return this.book.get(id)!;
  }

  /** A card that is held, or, by its whole id, one that others have. */
  async #look(wanted: string): Promise<HeldCard> {
    const isWhole = /^[0-9a-f]{64}$/.test(wanted);
    if (isWhole && this.book.get(wanted as CardId) === undefined) {
      const { transport } = this.#parts;
      for (const peer of await this.#sources(wanted)) {
        const parts = { transport, book: this.book };
        const id = wanted as CardId;
        await gatherCard(parts, peer, id, { timeoutMs: REQUEST_TIMEOUT_MS }).catch(faultOfPeer);
        if (this.book.get(id) !== undefined) break;
      }
    }
    return this.named(wanted);
  }

  #ask(peer: PeerId, query: ModelQuery, timeoutMs: number): Promise<readonly CardId[]> {
    const { transport } = this.#parts;
    return gatherFound({ transport, book: this.book }, peer, query, { timeoutMs });
  }

  #within<T>(deadlineMs: number, work: Promise<T>): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      const late = () => reject(new ProtocolError('timeout', `no answer in ${deadlineMs} ms`));
      const cancel = this.#parts.clock.setTimer(millis(deadlineMs), late);
      work.then(resolve, reject).finally(cancel);
    });
  }

  /** A blob of a card, from here or from whoever has it. @throws ProtocolError */
  async blob(hash: BlobHash, { id, publisher }: HeldCard): Promise<Uint8Array> {
    const { blobs, exchange } = this.#parts;
    const held = await blobs.get(hash);
    if (held !== undefined) return held;
    const first = await this.#sources(hash, publisher);
    const from = new Set([...first, ...(await this.#providers(id))]);
    await exchange.obtain(hash, [...from].slice(0, SOURCES_MAX), { timeoutMs: PIECE_TIMEOUT_MS });
    const fetched = await blobs.get(hash);
    if (fetched !== undefined) return fetched;
    throw new ProtocolError('blob-unavailable', `nobody that is reachable has ${hash}`);
  }

  /** Peers that announced a hash, then those that are connected. */
  async #sources(hash: string, publisher?: PeerId): Promise<readonly PeerId[]> {
    const { transport } = this.#parts;
    const all = [...(await this.#providers(hash)), ...(publisher ? [publisher] : [])];
    const peers = new Set([...all, ...transport.peers()]);
    return [...peers].filter((peer) => peer !== transport.self).slice(0, SOURCES_MAX);
  }

  /** Nobody when the DHT does not answer. */
  async #providers(hash: string): Promise<readonly PeerId[]> {
    try {
      const options = { timeoutMs: PROVIDERS_TIMEOUT_MS };
      const found = await this.#parts.transport.findProviders(fromHex(hash), options);
      return found.filter((peer) => peer !== this.#parts.transport.self);
    } catch (error) {
      this.#parts.log.debug('nobody is found in the DHT', { error: faultOfPeer(error) });
      return [];
    }
  }

  #nextVersion(name: string): number {
    const own = this.book.own().filter(({ card }) => card.name === name);
    return 1 + Math.max(0, ...own.map(({ card }) => card.version));
  }

  #demandNew({ name, version }: Card): void {
    const own = this.book.own().map(({ card }) => card);
    if (!own.some((card) => card.name === name && card.version === version)) return;
    const hint = `Leave the version away for ${this.#nextVersion(name)}`;
    throw new ConfigError('card.version', `you have published ${name}@${version} already`, hint);
  }

  /** Whoever is not reached hears of it when it connects. */
  async #tell(gossip: ModelsGossip): Promise<void> {
    const { transport, log } = this.#parts;
    try {
      await transport.publish(modelsTopic, encodeCanonical(modelsGossipCodec, gossip));
    } catch (error) {
      log.debug('not told by gossip', { error: errorMessage(error) });
    }
  }

  #announce({ id, card }: HeldCard): void {
    this.#provide(id);
    this.#provide(card.blob.hash);
  }

  #provide(hash: string): void {
    const { transport, log } = this.#parts;
    transport.provide(fromHex(hash)).catch((error: unknown) => {
      log.debug('a model is not announced in the DHT', { error: errorMessage(error) });
    });
  }
}

function demandTaken(taken: Taken): void {
  if (taken.kind === 'refused') throw new ConfigError('card', taken.reason);
}

/** In words; a bug of ours is no fault of a peer. */
function faultOfPeer(error: unknown): string {
  if (error instanceof InvariantError) throw error;
  return errorMessage(error);
}
