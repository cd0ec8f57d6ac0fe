import type { Connection, ConnectionGater } from '@libp2p/interface';
import {
  type Clock,
  DecodeError,
  decodeCanonical,
  encodeCanonical,
  equalBytes,
  errorMessage,
  type Log,
  millis,
  type Parcel,
  type PeerId,
  ProtocolError,
  toHex,
} from '@starling/core';
import { type Members, type News, redeem } from '@starling/membership';
import {
  encodeCredential,
  encodeRevocation,
  type JoinAnswer,
  type JoinRequest,
  joinAnswerCodec,
  joinRequestCodec,
  MEMBERSHIP_LIMITS,
  MEMBERSHIP_PROTOCOL,
} from '@starling/protocol-membership';
import type { Admission } from './admission.ts';
import { peerOf } from './identity.ts';
import { demandVersion } from './probe.ts';
import { VouchExchange } from './vouch-exchange.ts';

export interface GateParts {
  readonly members: Members;
  readonly admission: Admission;
  readonly clock: Clock;
  readonly log: Log;
  /** What a stranger's connection is given to say something valid. */
  readonly graceMs: number;
  /** Sends a request of the join protocol to a connected peer, admitted or not. */
  readonly request: (to: PeerId, protocol: string, parcel: Parcel, ms: number) => Promise<Parcel>;
  readonly connections: (peer?: PeerId) => readonly Connection[];
  readonly connected: () => readonly PeerId[];
  /** Learns a connection's protocols: from then on gossip and DHT know the peer. */
  readonly identify: (connection: Connection) => Promise<unknown>;
  /** Ends a connection for a reason that whoever waits for it is told. */
  readonly reject: (connection: Connection, reason: ProtocolError) => void;
}

/** What another peer said when it did not let us in. */
export interface RefusedBy {
  readonly peer: PeerId;
  readonly reason: string;
}

const HELLO_MS = 10_000;
/** How often a stranger's request of the join protocol gives its connection more time. */
const EXTENSIONS_MAX = 4;
const NEWS_MS = 10_000;
/** How long a revoked peer may take to hear that it is: then its connections end anyway. */
const FAREWELL_MS = 500;
/** A revoked peer that comes back is told why, once in so long; between, it gets no stream. */
const TOLD_MS = 60_000;
const REDEEM_MS = 20_000;
/** How often expiry is looked at, and how often a neighbour's books. */
const EXPIRY_EVERY_MS = 1_000;
const BOOKS_EVERY_MS = 30_000;
const REFUSED_BY_MAX = 16;
const NO_HEADER = new Uint8Array(0);

/**
 * Lets in who belongs to the swarm. A connection begins with the join protocol and nothing else:
 * who dialled says hello, each side looks at the other's credential, they make their books equal,
 * and only then identify runs, without which no service of libp2p knows the peer. Spec §7.
 */
export class Gate {
  readonly #parts: GateParts;
  readonly #vouches: VouchExchange;
  /** Hellos under way, by peer; streams of such peers wait. */
  readonly #greetings = new Map<PeerId, Promise<void>>();
  readonly #strangers = new Map<Connection, () => void>();
  readonly #extensions = new WeakMap<Connection, number>();
  readonly #stopHearing: readonly (() => void)[];
  readonly #toldAt = new Map<PeerId, number>();
  readonly #refusedBy = new Map<PeerId, string>();
  #stopped = false;
  #expiryAt = 0;
  #booksAt = 0;
  #turn = 0;

  constructor(parts: GateParts) {
    this.#parts = parts;
    const { members } = parts;
    this.#vouches = new VouchExchange({
      members,
      admission: parts.admission,
      ask: (peer, request) => this.#ask(peer, request, NEWS_MS),
    });
    this.#stopHearing = [
      members.onNews((news, from) => this.#spread(news, from)),
      members.onVouches((vouches, from) => this.#spreadVouches(vouches, from)),
    ];
  }

  stop(): void {
    this.#stopped = true;
    for (const stop of this.#stopHearing) stop();
    for (const cancel of this.#strangers.values()) cancel();
    this.#strangers.clear();
  }

  /** Peers that did not let us in, with their reasons. */
  refusedBy(): readonly RefusedBy[] {
    return [...this.#refusedBy].map(([peer, reason]) => ({ peer, reason }));
  }

  /** For every new connection. */
  opened(connection: Connection): void {
    const peer = peerOf(connection.remotePeer);
    if (peer === undefined) {
      connection.abort(new Error('not an Ed25519 peer'));
    } else if (connection.direction === 'outbound') {
      const greeting = this.#greet(peer, connection).finally(() => {
        if (this.#greetings.get(peer) === greeting) this.#greetings.delete(peer);
      });
      greeting.catch(() => {});
      this.#greetings.set(peer, greeting);
    } else this.#watchStranger(peer, connection);
  }

  /** Whether streams of this connection may pass; spec §7.1. */
  passes(connection: Connection): Promise<void> | undefined {
    const peer = peerOf(connection.remotePeer);
    if (peer === undefined) return Promise.reject(new Error('not an Ed25519 peer'));
    const greeting = this.#greetings.get(peer);
    if (greeting !== undefined) return greeting;
    const refusal = this.#parts.admission.refuses(peer, 'a stream');
    return refusal === undefined
      ? undefined
      : Promise.reject(new ProtocolError('not-a-member', refusal));
  }

  /** The same for identify: its coming says that who dialled is done, so it is our turn. */
  passesIdentify(connection: Connection): Promise<void> | undefined {
    const passing = this.passes(connection);
    if (connection.direction === 'inbound') {
      const identify = () => this.#welcome(connection);
      if (passing === undefined) identify();
      else passing.then(identify, () => {});
    }
    return passing;
  }

  async answer({ body }: Parcel, from: PeerId): Promise<Parcel> {
    for (const connection of this.#parts.connections(from)) this.#extend(from, connection);
    const request = readRequest(body);
    const answer: JoinAnswer =
      request === undefined
        ? { kind: 'refused', reason: 'malformed', detail: 'the request does not decode' }
        : await this.#answer(request, from);
    if (answer.kind === 'refused') {
      const what = request?.kind ?? 'a request';
      this.#parts.admission.count(`${answer.reason}: ${answer.detail}`, { peer: from, what });
    }
    return { header: NO_HEADER, body: encodeCanonical(joinAnswerCodec, answer) };
  }

  /** Ends what has expired and compares books now and then; call it a few times a second. */
  visit(): void {
    const now = this.#parts.clock.now();
    if (now >= this.#expiryAt) {
      this.#expiryAt = now + EXPIRY_EVERY_MS;
      this.#cutRefused();
    }
    if (now >= this.#booksAt) {
      this.#booksAt = now + BOOKS_EVERY_MS;
      const peers = this.#parts.connected();
      const peer = peers[this.#turn++ % Math.max(1, peers.length)];
      if (peer === undefined) return;
      this.#inBackground(this.#compareBooks(peer));
      this.#inBackground(this.#vouches.fetch(peer));
    }
  }

  /** A peer that knows that it is revoked dials nobody. @throws ProtocolError 'revoked' */
  demandOwnStanding(): void {
    const { members } = this.#parts;
    const standing = members.standing(members.self);
    if (standing.ok || standing.reason !== 'revoked') return;
    throw new ProtocolError('revoked', standing.detail);
  }

  /**
   * Who is revoked or not listed is not let in again. One that does not know it yet is told first,
   * once a minute, whichever process of that peer asks: between, its connections just end.
   */
  gater(): ConnectionGater {
    const isBarred = (remote: Connection['remotePeer']): boolean => {
      const peer = peerOf(remote);
      const refusal = peer && this.#parts.admission.refusal(peer);
      return refusal !== undefined && /^(revoked|not-listed)/.test(refusal);
    };
    return {
      denyDialPeer: isBarred,
      denyOutboundEncryptedConnection: isBarred,
      denyInboundEncryptedConnection: (remote) => {
        if (!isBarred(remote)) return false;
        const peer = peerOf(remote)!;
        const toldAt = this.#toldAt.get(peer);
        const isTold = toldAt !== undefined && this.#parts.clock.now() - toldAt < TOLD_MS;
        if (isTold) this.#parts.admission.refuses(peer, 'a connection');
        return isTold;
      },
    };
  }

  /** Said by who dialled; ends the connection when either side does not let the other in. */
  async #greet(peer: PeerId, connection: Connection): Promise<void> {
    const { members, admission } = this.#parts;
    try {
      let answer = await this.#hello(peer);
      if (await this.#vouches.answers(peer, answer)) answer = await this.#hello(peer);
      if (answer.kind === 'refused') throw this.#refusedUs(peer, answer);
      if (answer.kind !== 'welcome') throw new ProtocolError('malformed', 'hello, and no welcome');
      this.#refusedBy.delete(peer);
      if (answer.credential !== null)
        await members.take({ credentials: [answer.credential] }, peer);
      const refusal = admission.refuses(peer, 'hello');
      if (refusal !== undefined) throw new ProtocolError(codeOf(refusal), refusal);
      if (!equalBytes(answer.books, members.books.digest())) await this.#equalBooks(peer);
      // Its books may have said that the peer is revoked.
      const second = admission.refuses(peer, 'hello');
      if (second !== undefined) throw new ProtocolError(codeOf(second), second);
    } catch (error) {
      const known = await this.#strangeness(connection, error);
      this.#parts.reject(connection, known);
      throw known;
    }
    this.#inBackground(this.#parts.identify(connection));
    this.#inBackground(this.#vouches.fetch(peer));
  }

  #hello(peer: PeerId): Promise<JoinAnswer> {
    const { members } = this.#parts;
    const credential = members.ownCredential();
    return this.#ask(peer, { kind: 'hello', credential, books: members.books.digest() });
  }

  /** One that does not know the join protocol is of another swarm, or of another version of it. */
  async #strangeness(connection: Connection, error: unknown): Promise<ProtocolError> {
    if (!(error instanceof ProtocolError)) {
      return new ProtocolError('connection-lost', errorMessage(error));
    }
    if (error.code !== 'unsupported') return error;
    const { network } = this.#parts.members;
    const signal = AbortSignal.timeout(HELLO_MS);
    try {
      await demandVersion(connection, network, signal);
    } catch (reason) {
      if (reason instanceof ProtocolError) return reason;
    }
    return error;
  }

  #refusedUs(peer: PeerId, { reason, detail }: { reason: string; detail: string }): ProtocolError {
    if (this.#refusedBy.size >= REFUSED_BY_MAX && !this.#refusedBy.has(peer)) {
      this.#refusedBy.delete(this.#refusedBy.keys().next().value!);
    }
    this.#refusedBy.set(peer, `${reason}: ${detail}`);
    return new ProtocolError(reason, `${peer} does not let this peer in: ${reason}: ${detail}`);
  }

  #watchStranger(peer: PeerId, connection: Connection): void {
    this.#extend(peer, connection);
    connection.addEventListener('close', () => this.#forget(connection));
  }

  /** Ends an inbound connection of a peer that is not connected after the grace, counted anew. */
  #extend(peer: PeerId, connection: Connection): void {
    if (this.#stopped || connection.direction !== 'inbound' || connection.status !== 'open') return;
    const extensions = this.#extensions.get(connection) ?? 0;
    if (extensions >= EXTENSIONS_MAX) return;
    this.#extensions.set(connection, extensions + 1);
    this.#forget(connection);
    const { clock, connected, reject, graceMs } = this.#parts;
    const cancel = clock.setTimer(millis(graceMs), () => {
      this.#strangers.delete(connection);
      if (connected().includes(peer)) return;
      this.#parts.admission.count('silent: said nothing valid in time', {
        peer,
        what: 'a connection',
      });
      reject(connection, new ProtocolError('not-a-member', `${peer} has not shown a credential`));
    });
    this.#strangers.set(connection, cancel);
  }

  #forget(connection: Connection): void {
    this.#strangers.get(connection)?.();
    this.#strangers.delete(connection);
  }

  #welcome(connection: Connection): void {
    this.#forget(connection);
    this.#inBackground(this.#parts.identify(connection));
    const peer = peerOf(connection.remotePeer);
    if (peer !== undefined) this.#inBackground(this.#vouches.fetch(peer));
  }

  async #answer(request: JoinRequest, from: PeerId): Promise<JoinAnswer> {
    switch (request.kind) {
      case 'hello':
        return this.#answerHello(request.credential, from);
      case 'redeem':
        return redeem(this.#parts.members, request, {
          connected: this.#parts.connected,
          ask: (peer, forwarded) => this.#ask(peer, forwarded, REDEEM_MS),
        });
      case 'vouch':
      case 'vouches':
        return this.#vouches.answer(request, from);
      default:
        return this.#answerMember(request, from);
    }
  }

  async #answerHello(credential: Uint8Array | null, from: PeerId): Promise<JoinAnswer> {
    const { members, admission, clock } = this.#parts;
    const taken =
      credential === null ? undefined : await members.take({ credentials: [credential] }, from);
    const refusal = admission.refusal(from);
    if (refusal === undefined) {
      return {
        kind: 'welcome',
        credential: members.ownCredential(),
        books: members.books.digest(),
      };
    }
    this.#toldAt.set(from, clock.now());
    const standing = members.standing(from);
    if (standing.ok) return { kind: 'refused', reason: 'not-listed', detail: refusal };
    // A credential that was refused says more than that there is none.
    const { reason, detail } =
      standing.reason === 'not-a-member' && taken !== undefined ? taken : standing;
    return { kind: 'refused', reason, detail };
  }

  async #answerMember(
    request: Extract<JoinRequest, { kind: 'news' | 'books' }>,
    from: PeerId,
  ): Promise<JoinAnswer> {
    const { members, admission } = this.#parts;
    const refusal = admission.refusal(from);
    if (refusal !== undefined) {
      return { kind: 'refused', reason: 'not-a-member', detail: refusal };
    }
    if (request.kind === 'books') return { kind: 'books', ...this.#allBooks() };
    const refused = await members.take(request, from);
    return refused === undefined ? { kind: 'taken' } : { ...refused };
  }

  #allBooks() {
    const { books } = this.#parts.members;
    const words = books.revocations().map(encodeRevocation);
    const credentials = books.credentials().map(encodeCredential);
    return { credentials, revocations: { version: words.length, words } };
  }

  async #compareBooks(peer: PeerId): Promise<void> {
    const { members } = this.#parts;
    const answer = await this.#hello(peer);
    if (answer.kind === 'refused') this.#refusedUs(peer, answer);
    if (answer.kind !== 'welcome' || equalBytes(answer.books, members.books.digest())) return;
    await this.#equalBooks(peer);
  }

  /** Fetches a peer's books and sends what it lacks. */
  async #equalBooks(peer: PeerId): Promise<void> {
    const { members } = this.#parts;
    const theirs = await this.#ask(peer, { kind: 'books' });
    if (theirs.kind !== 'books') return;
    await members.take(
      { credentials: theirs.credentials, revocations: theirs.revocations.words },
      peer,
    );
    const held = new Set([...theirs.credentials, ...theirs.revocations.words].map(toHex));
    const { credentials, revocations } = this.#allBooks();
    const lacks = (item: Uint8Array): boolean => !held.has(toHex(item));
    const news = {
      credentials: credentials.filter(lacks),
      revocations: revocations.words.filter(lacks),
    };
    if (news.credentials.length + news.revocations.length > 0) {
      await this.#ask(peer, { kind: 'news', ...news }, NEWS_MS);
    }
  }

  /** To everybody connected but who told us; whoever is revoked by it hears it as its last word. */
  #spread(news: News, from: PeerId | undefined): void {
    if (this.#stopped) return;
    for (const peer of this.#parts.connected()) {
      if (peer === from && this.#parts.admission.refusal(peer) === undefined) continue;
      this.#inBackground(this.#ask(peer, { kind: 'news', ...news }, NEWS_MS));
    }
    if (news.revocations.length === 0) return;
    this.#parts.clock.setTimer(millis(FAREWELL_MS), () => this.#cutRefused());
  }

  #spreadVouches(vouches: readonly Uint8Array[], from: PeerId | undefined): void {
    if (this.#stopped) return;
    for (const peer of this.#parts.connected()) {
      if (peer !== from) this.#inBackground(this.#ask(peer, { kind: 'vouch', vouches }, NEWS_MS));
    }
    // One of them may be a withdrawal.
    this.#cutRefused();
  }

  /** Ends the connections of all that may not be here (any more), those under way excepted. */
  #cutRefused(): void {
    if (this.#stopped) return;
    const { connections, connected, admission, reject } = this.#parts;
    const admitted = new Set(connected());
    for (const connection of connections()) {
      const peer = peerOf(connection.remotePeer);
      if (peer === undefined || this.#greetings.has(peer)) continue;
      const refusal = admission.refusal(peer);
      const isRevoked = refusal?.startsWith('revoked') === true && !this.#strangers.has(connection);
      if (refusal === undefined || !(admitted.has(peer) || isRevoked)) continue;
      admission.count(refusal, { peer, what: 'its connection, now cut' });
      reject(connection, new ProtocolError(codeOf(refusal), refusal));
    }
  }

  async #ask(peer: PeerId, request: JoinRequest, timeoutMs = HELLO_MS): Promise<JoinAnswer> {
    const body = encodeCanonical(joinRequestCodec, request);
    const parcel = { header: NO_HEADER, body };
    const answer = await this.#parts.request(peer, MEMBERSHIP_PROTOCOL, parcel, timeoutMs);
    return decodeCanonical(joinAnswerCodec, answer.body, MEMBERSHIP_LIMITS.messageBytesMax);
  }

  #inBackground(work: Promise<unknown>): void {
    work.catch((error: unknown) => {
      if (this.#stopped) return;
      this.#parts.log.debug('the join protocol broke off', { reason: errorMessage(error) });
    });
  }
}

const codeOf = (refusal: string): string => refusal.split(':', 1)[0]!;

function readRequest(body: Uint8Array): JoinRequest | undefined {
  try {
    return decodeCanonical(joinRequestCodec, body, MEMBERSHIP_LIMITS.messageBytesMax);
  } catch (error) {
    if (error instanceof DecodeError) return undefined;
    throw error;
  }
}
