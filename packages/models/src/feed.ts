import {
  decodeCanonical,
  errorMessage,
  InvariantError,
  LIMITS,
  millis,
  type Parcel,
  type PeerId,
  ProtocolError,
} from '@starling/core';
import { MODELS_PROTOCOL, modelsGossipCodec, modelsTopic } from '@starling/protocol-models';
import type { CardBook } from './book.ts';
import { gatherCard, gatherNewest } from './gather.ts';
import { answerModels } from './messages.ts';
import { Pace } from './pace.ts';
import type { ModelParts } from './service-parts.ts';

const REQUEST_TIMEOUT_MS = 10_000;
/** A peer may publish many cards at once; after that one a second is what is looked at. */
const GOSSIP_PACE = { burst: 64, everyMs: 1_000, peersMax: 1_024 };
/** To catch up with all marks, and with statements about each, takes 145 questions. */
const QUESTION_PACE = { burst: 160, everyMs: 250, peersMax: 1_024 };
/** Peers whose newest cards are fetched at the same time. */
const CATCHING_UP_MAX = 2;
/** Gossip is lossy, and a member that was unknown when it spoke is known later. */
const CATCH_UP_EVERY_MS = millis(5 * 60_000);
/** Peers that wait for that; of more, gossip brings what they have. */
const WAITING_MAX = 64;

/** Fills the book from others: what gossip brings, and what a peer had before it was met. */
export class CardFeed {
  readonly #parts: ModelParts;
  readonly #book: CardBook;
  readonly #pace: Pace;
  readonly #questions: Pace;
  readonly #leave: (() => void)[] = [];
  readonly #waiting = new Set<PeerId>();
  #catchingUp = 0;
  #turn = 0;
  #cancelTimer: () => void = () => {};
  #stopped = false;

  constructor(parts: ModelParts, book: CardBook) {
    this.#parts = parts;
    this.#book = book;
    this.#pace = new Pace(parts.clock, GOSSIP_PACE);
    this.#questions = new Pace(parts.clock, QUESTION_PACE);
  }

  /** Answers others from now on, and listens to them. */
  start(): void {
    const { transport } = this.#parts;
    transport.handle(MODELS_PROTOCOL, (parcel, from) => this.#answer(parcel, from));
    this.#leave.push(
      transport.subscribe(modelsTopic, (message, from) => this.#hear(message, from)),
      transport.onPeerChange((peer, connected) => {
        if (connected) this.#catchUpWith(peer);
        else this.#waiting.delete(peer);
      }),
    );
    for (const peer of transport.peers()) this.#catchUpWith(peer);
    this.#setTimer();
  }

  stop(): void {
    this.#stopped = true;
    this.#waiting.clear();
    this.#cancelTimer();
    for (const leave of this.#leave) leave();
  }

  async #answer(parcel: Parcel, from: PeerId): Promise<Parcel> {
    if (this.#questions.take(from)) return answerModels(this.#book, parcel);
    throw new ProtocolError('busy', 'too many questions about models, try again in a moment');
  }

  /** With one peer after another. */
  #setTimer(): void {
    this.#cancelTimer = this.#parts.clock.setTimer(CATCH_UP_EVERY_MS, () => {
      const peers = this.#parts.transport.peers();
      const peer = peers[this.#turn++ % Math.max(1, peers.length)];
      if (peer !== undefined) this.#catchUpWith(peer);
      this.#setTimer();
    });
  }

  #hear(message: Uint8Array, from: PeerId): void {
    if (!this.#pace.take(from)) return;
    this.#take(message, from).catch((error: unknown) => this.#fail(error, from));
  }

  async #take(message: Uint8Array, from: PeerId): Promise<void> {
    const gossip = decodeCanonical(modelsGossipCodec, message, LIMITS.controlBytesMax);
    if (gossip.kind === 'card') {
      const taken = await this.#book.takeCard(gossip.card);
      if (taken.kind === 'refused') throw new ProtocolError('refused', taken.reason);
      return;
    }
    const taken = await this.#book.takeStatement(gossip.statement);
    if (taken.kind === 'refused') throw new ProtocolError('refused', taken.reason);
    if (taken.kind !== 'unknown-card') return;
    const parts = { transport: this.#parts.transport, book: this.#book };
    await gatherCard(parts, from, taken.card, { timeoutMs: REQUEST_TIMEOUT_MS });
  }

  #catchUpWith(peer: PeerId): void {
    if (this.#waiting.size < WAITING_MAX) this.#waiting.add(peer);
    this.#next();
  }

  #next(): void {
    const [peer] = this.#waiting;
    if (this.#stopped || peer === undefined || this.#catchingUp >= CATCHING_UP_MAX) return;
    this.#waiting.delete(peer);
    this.#catchingUp += 1;
    const parts = { transport: this.#parts.transport, book: this.#book };
    gatherNewest(parts, peer, { timeoutMs: REQUEST_TIMEOUT_MS })
      .catch((error: unknown) => this.#fail(error, peer))
      .finally(() => {
        this.#catchingUp -= 1;
        this.#next();
      });
  }

  #fail(error: unknown, peer: PeerId): void {
    if (this.#stopped) return;
    if (error instanceof InvariantError) this.#parts.onFatal(error);
    const { log } = this.#parts;
    if (error instanceof ProtocolError) {
      log.debug('of a peer’s cards', { peer, error: errorMessage(error) });
    } else log.error('cards cannot be taken', { peer, error: errorMessage(error) });
  }
}
