import { randomBytes } from 'node:crypto';
import type { RevokedView, SwarmHandlers } from '@starling/control';
import {
  type Bandwidth,
  ConfigError,
  encodeCanonical,
  type Journal,
  type Log,
  type Membership,
  type PeerId,
  ProtocolError,
} from '@starling/core';
import type { SigningKey } from '@starling/crypto';
import {
  countersign,
  decodeRecord,
  demandAuthority,
  encodeRecord,
  issueInvite,
  Members,
  newSwarm,
  OwnerList,
  type SwarmRecord,
  type Vouching,
} from '@starling/membership';
import {
  checkInvite,
  descriptorCodec,
  type Invite,
  type InviteId,
  inviteIdOf,
  MEMBERSHIP_LIMITS,
  parseInvite,
  type SwarmId,
  swarmIdOf,
  type Target,
  WITHDRAWN,
} from '@starling/protocol-membership';
import type { MembershipProof } from '@starling/protocol-rounds';
import type { SecretFile } from '@starling/store';
import { createSwarm, type RelayOptions, redeemInvite, type Swarm } from '@starling/swarm';
import { accessWarnings } from './access-warnings.ts';
import { ChangeableSwarm } from './changeable-swarm.ts';
import type { Config } from './config.ts';
import { systemClock, systemRandom } from './ports.ts';
import { inviteView, memberViews, swarmView, vouchView } from './swarm-views.ts';

export interface SwarmServiceParts {
  readonly config: Config;
  readonly journal: Journal;
  readonly file: SecretFile;
  readonly seed: Uint8Array;
  readonly key: SigningKey;
  /** Directory of libp2p's peer store. */
  readonly peers: string;
  readonly log: Log;
  readonly bandwidth?: Bandwidth;
}

const wallSeconds = (): number => Date.now() / 1000;

/** The swarm this daemon is in: which, in what role, and the change to another. */
export class SwarmService implements SwarmHandlers {
  readonly swarm: ChangeableSwarm;
  /** For the node: where there are no members, everybody may do everything. */
  readonly membership: Membership = {
    refusal: (peer) => this.#list.refusal(peer) ?? this.#members?.refusal(peer),
    may: (peer, right) =>
      this.#list.refusal(peer) === undefined && (this.#members?.may(peer, right) ?? true),
    mayHaveLaunched: (peer) => this.#members?.mayHaveLaunched(peer) ?? true,
    mayHaveTrained: (peer) => this.#members?.mayHaveTrained(peer) ?? true,
  };
  readonly #parts: SwarmServiceParts;
  #members: Members | undefined;
  #list: OwnerList;

  private constructor(parts: SwarmServiceParts, members: Members | undefined, first: Swarm) {
    this.#parts = parts;
    this.#members = members;
    this.#list = listOf(parts, members);
    this.swarm = new ChangeableSwarm(first);
  }

  /** Enters the swarm that is kept on disk, or the one of the configured name. */
  static async open(parts: SwarmServiceParts): Promise<SwarmService> {
    const found = await parts.file.read();
    const record = found && readRecord(found);
    const members = record && (await openMembers(record, parts));
    if (members !== undefined && parts.config.network !== DEFAULT_NETWORK) {
      const { name } = members.descriptor;
      parts.log.warn(`in the swarm ${name}: the configured network counts for nothing`);
    }
    return new SwarmService(parts, members, await enter(parts, members));
  }

  /** Of the swarm with members that this peer is in, or null. */
  get swarmId(): SwarmId | null {
    return this.#members?.swarm ?? null;
  }

  /** For a proof: what tells outsiders who these peers are; null where nothing can. */
  proofOf(peers: Iterable<PeerId>): MembershipProof | null {
    const members = this.#members;
    // Of an open swarm everybody is a member: there is nothing to prove.
    if (members === undefined || members.descriptor.access === 'open') return null;
    const descriptor = encodeCanonical(descriptorCodec, members.descriptor);
    return { descriptor, ...members.proofOf(peers) };
  }

  async show() {
    return swarmView(this.#members, this.swarm.status(), this.#parts.config);
  }

  async create(wanted: Parameters<SwarmHandlers['create']>[0]) {
    this.#demandNone();
    const record = newSwarm({
      name: wanted.name,
      access: wanted.public ? 'open' : 'members',
      admins: [this.#parts.key.peerId, ...(wanted.admins as PeerId[])],
      threshold: wanted.threshold,
      withKey: wanted.preSharedKey,
      entropy: new Uint8Array(randomBytes(40)),
    });
    await this.#changeTo(record);
    return this.show();
  }

  async invite(wanted: Parameters<SwarmHandlers['invite']>[0]) {
    const members = this.#demandMembers();
    demandAuthority(members, 'issue invites');
    const bootstrap = wanted.addresses ?? inviteAddresses(this.swarm.addresses());
    if (bootstrap.length === 0) {
      const hint = 'Give --address with one where newcomers reach a member';
      throw new ConfigError('address', 'this daemon listens nowhere', hint);
    }
    const { role, singleUse, redeemSeconds, memberSeconds } = wanted;
    const nonce = new Uint8Array(randomBytes(12));
    const invite = await issueInvite(members, {
      ...{ role, singleUse, redeemSeconds, memberSeconds },
      ...{ bootstrap, nonce },
    });
    return inviteView(invite);
  }

  async sign(text: string) {
    return inviteView(await countersign(this.#demandMembers(), readInvite(text)));
  }

  async join(text: string, addresses: readonly string[] | undefined) {
    const invite = readInvite(text);
    const verdict = checkInvite(invite, wallSeconds());
    // The others of the authority must come in before they can sign.
    const isOfAuthority = invite.body.swarm.admins.includes(this.#parts.key.peerId);
    const isEarly = isOfAuthority && !verdict.ok && verdict.reason === 'too-few-signatures';
    if (!verdict.ok && !isEarly)
      throw new ProtocolError(verdict.reason, `${verdict.reason}: ${verdict.detail}`);
    const { swarm: descriptor, key, bootstrap } = invite.body;
    const present = this.#members;
    if (present !== undefined && present.swarm !== swarmIdOf(descriptor)) this.#demandNone();
    const places = addresses ?? bootstrap;
    const { key: own, seed, log } = this.#parts;
    const record = { descriptor, key, bootstrap: places, credential: null };
    // One of the authority is a member by that; so is everybody in an open swarm.
    if (isOfAuthority || descriptor.access === 'open') {
      await this.#changeTo(record);
      return this.show();
    }
    const redeemed = await redeemAt(invite, places, { clock: systemClock, log, seed, key: own });
    const { credential } = redeemed;
    if (present === undefined) await this.#changeTo({ ...record, credential });
    else {
      await this.#parts.file.write(encodeRecord({ ...record, credential }));
      await present.take({ credentials: [credential] });
    }
    // So that the answer already shows a peer; if it cannot be, the keeper goes on trying.
    await this.swarm.dial(redeemed.address).catch(() => {});
    return this.show();
  }

  async members() {
    return memberViews(this.#demandMembers(), new Set(this.swarm.peers()));
  }

  async revoke({ peer, invite, reason }: Parameters<SwarmHandlers['revoke']>[0]) {
    const members = this.#demandMembers();
    demandAuthority(members, 'revoke');
    const target: Target =
      peer !== undefined
        ? { kind: 'peer', peer: peer as PeerId }
        : { kind: 'invite', invite: inviteIn(members, invite!) };
    await members.revoke(target, reason);
    return revokedView(members, target);
  }

  async vouch({ peer, until }: Parameters<SwarmHandlers['vouch']>[0]) {
    const members = this.#demandMembers();
    return vouchView(members, await members.vouch(peer as PeerId, until ?? WITHDRAWN));
  }

  async vouches() {
    const members = this.#demandMembers();
    return members.vouches.all().map((vouch) => vouchView(members, vouch));
  }

  /** Back to the network of the configured name. What is known of the members stays on disk. */
  async leave() {
    this.#demandMembers();
    const left = this.#members;
    await this.#parts.file.remove();
    this.#become(undefined);
    const back = () => enter(this.#parts, undefined);
    await this.swarm.change(back, () => enter(this.#parts, left));
    return this.show();
  }

  /** On disk first: a daemon that dies in the middle comes up in the new swarm. */
  async #changeTo(record: SwarmRecord): Promise<void> {
    const before = this.#members;
    const members = await openMembers(record, this.#parts);
    await this.#parts.file.write(encodeRecord(record));
    this.#become(members);
    try {
      await this.swarm.change(
        () => enter(this.#parts, members),
        () => enter(this.#parts, before),
      );
    } catch (error) {
      this.#become(before);
      if (before === undefined) await this.#parts.file.remove();
      else await this.#parts.file.write(encodeRecord(before.record));
      throw error;
    }
  }

  #become(members: Members | undefined): void {
    this.#members = members;
    this.#list = listOf(this.#parts, members);
  }

  #demandMembers(): Members {
    if (this.#members !== undefined) return this.#members;
    const hint = 'Make one with `starling swarm create`, or enter one with `starling swarm join`';
    throw new ConfigError('swarm', `only in the network "${this.#parts.config.network}"`, hint);
  }

  #demandNone(): void {
    if (this.#members === undefined) return;
    const { name } = this.#members.descriptor;
    const hint = 'Leave it with `starling swarm leave`, or choose another --state';
    const reason = `wrong swarm: this daemon is in ${name} (${this.#members.swarm.slice(0, 12)})`;
    throw new ConfigError('swarm', reason, hint);
  }
}

const DEFAULT_NETWORK = 'starling';

/** Undefined where no voters are named. */
const vouchingOf = ({ config }: SwarmServiceParts): Vouching | undefined => {
  const { voters, least } = config.policy.vouching;
  return voters.length === 0 ? undefined : { voters: new Set(voters as PeerId[]), least };
};

/** Undefined where the owner lists nobody. */
const allowOf = ({ config }: SwarmServiceParts): readonly PeerId[] | undefined =>
  config.policy.members.length === 0 ? undefined : (config.policy.members as PeerId[]);

function listOf(parts: SwarmServiceParts, members: Members | undefined): OwnerList {
  const allow = allowOf(parts);
  const { peerId: self } = parts.key;
  return new OwnerList({
    ...{ self, members, allow: allow && new Set(allow) },
    vouching: vouchingOf(parts),
  });
}

async function openMembers(record: SwarmRecord, parts: SwarmServiceParts): Promise<Members> {
  const { journal, key, log } = parts;
  const voters = vouchingOf(parts)?.voters;
  const members = await Members.open(record, { journal, key, now: wallSeconds, voters });
  const tell = (): void => {
    const refusal = members.refusal(members.self);
    if (refusal === undefined) return;
    log.warn(`this peer is no member of ${members.descriptor.name}`, { reason: refusal });
  };
  tell();
  members.onNews(({ revocations }) => {
    if (revocations.length > 0) tell();
  });
  return members;
}

function enter(parts: SwarmServiceParts, members: Members | undefined): Promise<Swarm> {
  const { config, log, seed, peers, bandwidth } = parts;
  const access = members?.descriptor.access ?? 'named';
  for (const warning of accessWarnings(access, config.policy)) log.warn(warning);
  const bootstrap = new Set([...config.bootstrap, ...(members?.record.bootstrap ?? [])]);
  const allow = allowOf(parts);
  const vouching = vouchingOf(parts);
  return createSwarm(
    {
      seed,
      network: members?.network ?? config.network,
      listen: config.outgoingOnly ? [] : config.listen,
      announce: config.announce,
      relay: relayOf(config.relay),
      upnp: config.upnp,
      bootstrap: [...bootstrap],
      mdns: config.mdns,
      datastore: peers,
      ...(members && { members }),
      ...(allow && { allow }),
      ...(vouching && { vouching }),
    },
    { clock: systemClock, random: systemRandom, log, bandwidth },
  );
}

function relayOf({ offer, maxConnections, bytes, seconds, use }: Config['relay']): RelayOptions {
  if (!offer) return { use };
  const limits = {
    ...(bytes !== undefined && { bytesMax: bytes }),
    ...(seconds !== undefined && { secondsMax: seconds }),
  };
  return { use, offer: { maxConnections, ...limits } };
}

async function redeemAt(
  invite: Invite,
  addresses: readonly string[],
  parts: Parameters<typeof redeemInvite>[2],
) {
  try {
    return await redeemInvite(invite, addresses, parts);
  } catch (error) {
    if (!(error instanceof ProtocolError)) throw error;
    const { name } = invite.body.swarm;
    const text = `cannot join ${name}: ${error.code}: ${error.message}. ${nextStep(error.code)}`;
    throw new ProtocolError(error.code, text);
  }
}

/** What to do about a refusal. */
function nextStep(code: string): string {
  switch (code) {
    case 'unreachable':
      return 'Check that a member is up, and name its address with --bootstrap';
    case 'no-quorum':
    case 'issuer-away':
    case 'not-an-admin':
      return 'Try again when enough admins are up';
    case 'revoked':
      return 'Ask an admin; a revoked peer id never comes back';
    default:
      return 'Ask an admin for a new invite';
  }
}

function readRecord(found: Uint8Array): SwarmRecord {
  try {
    return decodeRecord(found);
  } catch {
    const hint = 'Restore it from a copy, or remove it and join again with an invite';
    throw new ConfigError('stateDirectory', 'its file `swarm` is damaged', hint);
  }
}

function readInvite(text: string): Invite {
  try {
    return parseInvite(text);
  } catch (error) {
    const reason = error instanceof ProtocolError ? error.message : 'it is damaged';
    throw new ConfigError(
      'invite',
      reason,
      'Copy the whole text that `starling swarm invite` gave',
    );
  }
}

/** An invite that is known here, by the beginning of its id. */
function inviteIn(members: Members, beginning: string): InviteId {
  const ids = new Set([
    ...members.invites().map(({ body }) => inviteIdOf(body)),
    ...members.books.credentials().map(({ body }) => body.invite),
  ]);
  const found = [...ids].filter((id) => id.startsWith(beginning));
  if (found.length === 1) return found[0]!;
  const problem = found.length === 0 ? 'no invite is called' : 'more than one invite is called';
  throw new ConfigError('invite', `${problem} "${beginning}"`, '`starling swarm show` lists them');
}

/** Loopback is for nobody else, unless there is nothing else. */
function inviteAddresses(own: readonly string[]): readonly string[] {
  const far = own.filter((address) => !/^\/ip4\/127\.|^\/ip6\/::1\//.test(address));
  return (far.length > 0 ? far : own).slice(0, MEMBERSHIP_LIMITS.addressesMax);
}

function revokedView(members: Members, target: Target): RevokedView {
  const { threshold } = members.descriptor;
  const words = members.books.wordsAbout(target).length;
  const warnings: string[] = [];
  if (target.kind === 'peer') {
    const invite = members.books.credential(target.peer)?.body.invite;
    const known = members.invites().find(({ body }) => inviteIdOf(body) === invite);
    if (invite !== undefined && known?.body.singleUse !== true) {
      warnings.push(
        `it came by an invite for many, and may come back by it under another key: ` +
          `\`starling swarm revoke --invite ${invite.slice(0, 12)}\``,
      );
    }
  }
  return {
    target: target.kind === 'peer' ? target.peer : target.invite,
    revoked: words >= threshold,
    missing: Math.max(0, threshold - words),
    warnings,
  };
}
