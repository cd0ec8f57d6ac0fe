import { ConfigError, compareText, type PeerId } from '@starling/core';
import {
  type Descriptor,
  descriptorFault,
  type Invite,
  type InviteBody,
  invitersOf,
  type Role,
  signInvite,
  swarmIdOf,
} from '@starling/protocol-membership';
import type { Members } from './members.ts';
import type { SwarmRecord } from './record.ts';

export interface NewSwarm {
  readonly name: string;
  readonly access: Descriptor['access'];
  /** Of which the maker is one. */
  readonly admins: readonly PeerId[];
  readonly threshold: number;
  /** Whether the socket is closed by a pre-shared key, too; an open swarm never has one. */
  readonly withKey: boolean;
  /** 40 random bytes: nonce and pre-shared key. */
  readonly entropy: Uint8Array;
}

/** A swarm that nobody else knows yet. @throws ConfigError naming the option */
export function newSwarm(wanted: NewSwarm): SwarmRecord {
  const { name, access, admins, threshold, withKey, entropy } = wanted;
  const descriptor: Descriptor = {
    name,
    access,
    admins: [...new Set(admins)].sort(compareText),
    threshold,
    nonce: entropy.slice(0, 8),
  };
  const fault = descriptorFault(descriptor);
  if (fault !== undefined) throw new ConfigError('swarm', fault);
  const key = access === 'open' || !withKey ? null : entropy.slice(8, 40);
  return { descriptor, key, credential: null, bootstrap: [] };
}

export interface NewInvite {
  readonly role: Role;
  readonly singleUse: boolean;
  /** How long it can be redeemed, and how long its memberships last, in seconds from now. */
  readonly redeemSeconds: number;
  readonly memberSeconds: number;
  readonly bootstrap: readonly string[];
  /** 12 random bytes. */
  readonly nonce: Uint8Array;
}

/** An invite with this admin's signature, kept. @throws ConfigError when this peer is no admin */
export async function issueInvite(members: Members, wanted: NewInvite): Promise<Invite> {
  demandAuthority(members, 'issue invites');
  const issued = Math.floor(members.now());
  const body: InviteBody = {
    swarm: members.descriptor,
    role: wanted.role,
    singleUse: wanted.singleUse,
    issuer: members.self,
    issued,
    expires: issued + wanted.redeemSeconds,
    memberUntil: issued + wanted.memberSeconds,
    key: members.record.key,
    bootstrap: wanted.bootstrap,
    nonce: wanted.nonce,
  };
  const invite = signInvite({ body, signatures: [] }, members.key);
  await members.keepInvite(invite);
  return invite;
}

/** Adds this admin's signature to another's invite. @throws ConfigError */
export async function countersign(members: Members, invite: Invite): Promise<Invite> {
  demandAuthority(members, 'sign invites');
  if (swarmIdOf(invite.body.swarm) !== members.swarm) {
    throw new ConfigError('invite', 'is for another swarm than this daemon is in');
  }
  if (invitersOf(invite).length < invite.signatures.length) {
    throw new ConfigError('invite', 'has a signature that is not of its authority');
  }
  const signed = signInvite(invite, members.key);
  await members.keepInvite(signed);
  return signed;
}

/** Signatures that an invite still needs. */
export const missingSignatures = (invite: Invite): number =>
  Math.max(0, invite.body.swarm.threshold - invitersOf(invite).length);

/** @throws ConfigError when this peer is not of the authority */
export function demandAuthority(members: Members, what: string): void {
  if (members.isOfAuthority) return;
  const admins = members.descriptor.admins.join(', ');
  throw new ConfigError(
    'swarm',
    `not an admin: only the authority of ${members.descriptor.name} may ${what}`,
    `Ask one of its admins: ${admins}`,
  );
}
