import {
  ConfigError,
  decodeCanonical,
  encodeCanonical,
  InvariantError,
  type Journal,
  type MemberRight,
  type Membership,
  type PeerId,
  utf8,
} from '@starling/core';
import type { SigningKey } from '@starling/crypto';
import {
  type Credential,
  type Descriptor,
  decodeCredential,
  decodeRevocation,
  decodeVouch,
  encodeCredential,
  encodeRevocation,
  encodeVouch,
  hasRight,
  type Invite,
  type InviteId,
  inviteCodec,
  inviteIdOf,
  MEMBERSHIP_LIMITS,
  networkOf,
  placeOf,
  type Revocation,
  type Role,
  type SwarmId,
  signRevocation,
  signVouch,
  swarmIdOf,
  type Target,
  type Vouch,
  vouchPlaceOf,
  WITHDRAWN,
} from '@starling/protocol-membership';
import { Books, type Standing } from './books.ts';
import type { SwarmRecord } from './record.ts';
import type { Taken } from './taken.ts';
import { Vouches } from './vouches.ts';

export interface MembersParts {
  readonly journal: Journal;
  readonly key: SigningKey;
  /** The wall clock, in seconds since 1970: for expiry alone (design decision 14a). */
  readonly now: () => number;
  /** Peers whose vouches count to this peer's owner. */
  readonly voters?: ReadonlySet<PeerId> | undefined;
}

/** What came in and was new, to be passed on. */
export interface News {
  readonly credentials: readonly Uint8Array[];
  readonly revocations: readonly Uint8Array[];
}

/** `from` is who told us, if somebody did. */
export type NewsListener = (news: News, from: PeerId | undefined) => void;
/** Of vouches that were new. */
export type VouchListener = (vouches: readonly Uint8Array[], from: PeerId | undefined) => void;

export interface MemberView {
  readonly peer: PeerId;
  readonly role: Role;
  readonly standing: Standing;
  readonly credential: Credential | undefined;
}

/**
 * The members of one swarm as this peer knows them: `Books` that are on disk before anybody hears
 * of them. Redeeming is in `redeem.ts`.
 */
export class Members implements Membership {
  readonly descriptor: Descriptor;
  readonly swarm: SwarmId;
  readonly network: string;
  readonly record: SwarmRecord;
  readonly books: Books;
  readonly vouches: Vouches;
  readonly #parts: MembersParts;
  readonly #prefix: string;
  readonly #listeners = new Set<NewsListener>();
  readonly #vouchListeners = new Set<VouchListener>();
  readonly #used = new Map<InviteId, PeerId>();
  readonly #issued = new Map<InviteId, Invite>();

  private constructor(record: SwarmRecord, parts: MembersParts) {
    this.record = record;
    this.descriptor = record.descriptor;
    this.swarm = swarmIdOf(record.descriptor);
    this.network = networkOf(this.swarm);
    this.books = new Books(record.descriptor);
    const { key, voters = new Set<PeerId>() } = parts;
    this.vouches = new Vouches({ swarm: this.swarm, self: key.peerId, voters });
    this.#parts = parts;
    this.#prefix = `membership/${this.swarm}/`;
  }

  /** Reads back what was kept. What no longer decodes is left out: others still have it. */
  static async open(record: SwarmRecord, parts: MembersParts): Promise<Members> {
    const members = new Members(record, parts);
    const prefix = members.#prefix;
    const credentials: Uint8Array[] = [];
    for await (const [key, value] of parts.journal.entries(prefix)) {
      const [kind, name] = key.slice(prefix.length).split('/') as [string, string];
      if (kind === 'credential') credentials.push(value);
      else if (kind === 'word') members.books.takeRevocation(value);
      else if (kind === 'vouch') members.vouches.take(value);
      else if (kind === 'used') {
        members.#used.set(name as InviteId, new TextDecoder().decode(value) as PeerId);
      } else if (kind === 'issued') {
        members.#issued.set(name as InviteId, readInvite(value));
      }
    }
    for (const credential of credentials) members.books.takeCredential(credential);
    if (record.credential !== null) await members.take({ credentials: [record.credential] });
    return members;
  }

  get self(): PeerId {
    return this.#parts.key.peerId;
  }

  get key(): SigningKey {
    return this.#parts.key;
  }

  now(): number {
    return this.#parts.now();
  }

  standing(peer: PeerId): Standing {
    return this.books.standing(peer, this.now());
  }

  refusal(peer: PeerId): string | undefined {
    const standing = this.standing(peer);
    return standing.ok ? undefined : `${standing.reason}: ${standing.detail}`;
  }

  may(peer: PeerId, right: MemberRight): boolean {
    const standing = this.standing(peer);
    return standing.ok && hasRight(standing.role, right);
  }

  mayHaveLaunched(peer: PeerId): boolean {
    const role = this.books.roleEver(peer);
    return role !== undefined && hasRight(role, 'launch');
  }

  mayHaveTrained(peer: PeerId): boolean {
    const isAlways = this.descriptor.access === 'open' || this.descriptor.admins.includes(peer);
    const role = this.books.credential(peer)?.body.role;
    return isAlways || (role !== undefined && hasRight(role, 'train-light'));
  }

  /** Whether this peer is of the authority: only such a one issues invites and revokes. */
  get isOfAuthority(): boolean {
    return this.descriptor.admins.includes(this.self);
  }

  /** This peer's own credential as it is shown to others; null for the authority. */
  ownCredential(): Uint8Array | null {
    const own = this.books.credential(this.self);
    return own === undefined ? null : encodeCredential(own);
  }

  onNews(listener: NewsListener): () => void {
    const entry: NewsListener = (news, from) => listener(news, from);
    this.#listeners.add(entry);
    return () => this.#listeners.delete(entry);
  }

  /**
   * Takes what others know into the books, on disk before listeners are told what was new.
   * Answers why the first thing that was refused was refused.
   */
  async take(
    given: Partial<News>,
    from?: PeerId,
  ): Promise<Extract<Taken, { kind: 'refused' }> | undefined> {
    const news = { credentials: [] as Uint8Array[], revocations: [] as Uint8Array[] };
    let refusal: Extract<Taken, { kind: 'refused' }> | undefined;
    // One by one, with the disk between: a thousand signatures in one turn would hold the loop up.
    const takeAll = async (
      items: readonly Uint8Array[],
      take: (item: Uint8Array) => Taken,
      kept: Uint8Array[],
      keyOf: (item: Uint8Array) => string,
    ): Promise<void> => {
      for (const item of items) {
        const taken = take(item);
        if (taken.kind === 'refused') refusal ??= taken;
        if (taken.kind !== 'new') continue;
        await this.#parts.journal.put(this.#prefix + keyOf(item), item);
        kept.push(item);
      }
    };
    // Revocations first: whoever is revoked must not be told as new.
    const { books } = this;
    const [words, members] = [given.revocations ?? [], given.credentials ?? []];
    await takeAll(words, (item) => books.takeRevocation(item), news.revocations, wordKey);
    await takeAll(members, (item) => books.takeCredential(item), news.credentials, memberKey);
    if (news.revocations.length + news.credentials.length > 0) this.#tell(news, from);
    return refusal;
  }

  /** Everybody known, this peer and the authority included, by peer id. */
  all(): readonly MemberView[] {
    const credentials = this.books.credentials();
    const peers = new Set([...this.descriptor.admins, ...credentials.map(({ body }) => body.peer)]);
    return [...peers].sort().map((peer) => {
      const credential = this.books.credential(peer);
      const standing = this.standing(peer);
      const role = credential?.body.role ?? 'admin';
      return { peer, role, standing, credential };
    });
  }

  /** What tells an outsider who these peers are: their credentials, and the words about them. */
  proofOf(peers: Iterable<PeerId>): News {
    const wanted = new Set(peers);
    const credentials = this.books.credentials().filter(({ body }) => wanted.has(body.peer));
    const named = new Set(wanted);
    for (const { signatures } of credentials)
      for (const { signer } of signatures) named.add(signer);
    const words = this.books
      .revocations()
      .filter(({ body: { target } }) => target.kind === 'peer' && named.has(target.peer));
    return {
      credentials: credentials.map(encodeCredential),
      revocations: words.map(encodeRevocation),
    };
  }

  /** Keeps an invite of this peer's making, or that it has signed. */
  async keepInvite(invite: Invite): Promise<void> {
    const id = inviteIdOf(invite.body);
    this.#issued.set(id, invite);
    const encoded = encodeCanonical(inviteCodec, invite);
    await this.#parts.journal.put(`${this.#prefix}issued/${id}`, encoded);
  }

  invites(): readonly Invite[] {
    return [...this.#issued.values()];
  }

  usedBy(invite: InviteId): PeerId | undefined {
    return this.#used.get(invite);
  }

  /**
   * Gives a single-use invite to the first peer that asks, for good: on disk before it is signed.
   * Answers whom it belongs to.
   */
  async claim(invite: InviteId, peer: PeerId): Promise<PeerId> {
    const holder = this.#used.get(invite);
    if (holder !== undefined) return holder;
    // Before the first await: two that ask at once must not both be first.
    this.#used.set(invite, peer);
    await this.#parts.journal.put(`${this.#prefix}used/${invite}`, utf8(peer));
    return peer;
  }

  /** This admin's word against a member or an invite. */
  async revoke(target: Target, reason: string): Promise<Revocation> {
    if (!this.isOfAuthority) throw new InvariantError('only the authority revokes');
    const at = Math.floor(this.now());
    const word = signRevocation({ swarm: this.swarm, target, at, reason }, this.key);
    await this.take({ revocations: [encodeRevocation(word)] });
    return word;
  }

  /** Voters that vouch for a peer now; the word of a revoked one is worth nothing. */
  vouchersOf(peer: PeerId): readonly PeerId[] {
    const isRevoked = (voter: PeerId): boolean =>
      this.books.revocationsOf({ kind: 'peer', peer: voter }) !== undefined;
    return this.vouches.vouchersOf(peer, this.now()).filter((voter) => !isRevoked(voter));
  }

  onVouches(listener: VouchListener): () => void {
    const entry: VouchListener = (vouches, from) => listener(vouches, from);
    this.#vouchListeners.add(entry);
    return () => this.#vouchListeners.delete(entry);
  }

  /** Takes those that matter here, on disk before listeners hear; answers as `take` does. */
  async takeVouches(
    given: readonly Uint8Array[],
    from?: PeerId,
  ): Promise<Extract<Taken, { kind: 'refused' }> | undefined> {
    const kept: Uint8Array[] = [];
    let refusal: Extract<Taken, { kind: 'refused' }> | undefined;
    for (const item of given) {
      const taken = this.vouches.take(item);
      if (taken.kind === 'refused') refusal ??= taken;
      if (taken.kind !== 'new') continue;
      const place = vouchPlaceOf(decodeVouch(item));
      await this.#parts.journal.put(`${this.#prefix}vouch/${place}`, item);
      kept.push(item);
    }
    if (kept.length > 0) for (const listener of [...this.#vouchListeners]) listener(kept, from);
    return refusal;
  }

  /**
   * This peer's word for another until then, in seconds since 1970, or its withdrawal.
   * @throws ConfigError where there is no room, or no sense in it
   */
  async vouch(peer: PeerId, until: number | typeof WITHDRAWN): Promise<Vouch> {
    const now = Math.floor(this.now());
    if (peer === this.self) throw new ConfigError('peer', 'nobody vouches for itself');
    if (until !== WITHDRAWN && until <= now) throw new ConfigError('until', 'has passed already');
    const before = this.vouches.of(peer, this.self);
    // Later than the word before, whatever a clock that was set has to say.
    const at = Math.max(now, (before?.body.at ?? -1) + 1);
    const vouch = signVouch({ swarm: this.swarm, peer, at, until }, this.key);
    const refusal = await this.takeVouches([encodeVouch(vouch)]);
    if (refusal !== undefined) throw new ConfigError('peer', refusal.detail);
    return vouch;
  }

  #tell(news: News, from: PeerId | undefined): void {
    for (const listener of [...this.#listeners]) listener(news, from);
  }
}

const readInvite = (encoded: Uint8Array): Invite =>
  decodeCanonical(inviteCodec, encoded, MEMBERSHIP_LIMITS.inviteBytesMax);

const wordKey = (encoded: Uint8Array): string => `word/${placeOf(decodeRevocation(encoded))}`;
const memberKey = (encoded: Uint8Array): string =>
  `credential/${decodeCredential(encoded).body.peer}`;
