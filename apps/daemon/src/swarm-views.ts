import type { InviteView, MemberView, SwarmView, VouchView } from '@starling/control';
import type { PeerId } from '@starling/core';
import { type Members, missingSignatures } from '@starling/membership';
import {
  type Invite,
  inviteIdOf,
  inviteText,
  isoTime,
  swarmIdOf,
  type Vouch,
  vouchHolds,
  WITHDRAWN,
} from '@starling/protocol-membership';
import type { SwarmStatus } from '@starling/swarm';
import { accessWarnings } from './access-warnings.ts';
import type { Config } from './config.ts';

/** The swarm as the API shows it. */
export function swarmView(
  members: Members | undefined,
  status: SwarmStatus,
  { policy, network }: Config,
): SwarmView {
  const common = {
    network: status.network,
    connected: new Set(status.connections.map(({ peer }) => peer)).size,
    bootstrap: status.bootstrap.map(({ address, connected, lastError }) =>
      connected ? `${address}: connected` : `${address}: ${lastError ?? 'not tried yet'}`,
    ),
    refused: { ...status.refused },
    refusedBy: status.refusedBy.map(({ peer, reason }) => ({ peer, reason })),
  };
  if (members === undefined) {
    return {
      ...common,
      ...{ kind: 'named', id: null, name: network, admins: [], threshold: 0 },
      ...{ role: null, standing: 'member', memberUntil: null, preSharedKey: false },
      ...{ members: 0, revocationListVersion: 0, invites: [] },
      warnings: [...accessWarnings('named', policy)],
    };
  }
  const { descriptor, record } = members;
  const standing = members.standing(status.self);
  const isOpen = descriptor.access === 'open';
  const credential = members.books.credential(status.self);
  return {
    ...common,
    kind: isOpen ? 'public' : 'private',
    id: members.swarm,
    name: descriptor.name,
    admins: [...descriptor.admins],
    threshold: descriptor.threshold,
    role: standing.ok ? standing.role : null,
    standing: standing.ok ? 'member' : `${standing.reason}: ${standing.detail}`,
    memberUntil: credential === undefined ? null : isoTime(credential.body.expires),
    members: members.all().filter(({ standing: each }) => each.ok).length,
    revocationListVersion: members.books.version,
    preSharedKey: record.key !== null,
    invites: members.invites().map((invite) => {
      const id = inviteIdOf(invite.body);
      return {
        id,
        role: invite.body.role,
        singleUse: invite.body.singleUse,
        expires: isoTime(invite.body.expires),
        usedBy: members.usedBy(id) ?? null,
        revoked: members.books.isInviteRevoked(id),
        missingSignatures: missingSignatures(invite),
      };
    }),
    warnings: [
      ...accessWarnings(descriptor.access, policy),
      ...endingWarning(credential?.body.expires, members.now()),
    ],
  };
}

/** Early enough to ask for a new invite. */
const ENDING_SECONDS = 14 * 86_400;

function endingWarning(expires: number | undefined, now: number): readonly string[] {
  if (expires === undefined || now > expires || expires - now > ENDING_SECONDS) return [];
  const hint = 'ask an admin for a new invite, which renews it with `starling swarm join`';
  return [`this membership ends at ${isoTime(expires)}: ${hint}`];
}

export function inviteView(invite: Invite): InviteView {
  const { body } = invite;
  return {
    invite: inviteText(invite),
    id: inviteIdOf(body),
    swarm: swarmIdOf(body.swarm),
    name: body.swarm.name,
    role: body.role,
    singleUse: body.singleUse,
    expires: isoTime(body.expires),
    memberUntil: isoTime(body.memberUntil),
    addresses: [...body.bootstrap],
    missingSignatures: missingSignatures(invite),
  };
}

export const memberViews = (
  members: Members,
  connected: ReadonlySet<PeerId>,
): readonly MemberView[] =>
  members.all().map(({ peer, role, standing, credential }) => ({
    peer,
    role,
    standing: standing.ok ? 'member' : `${standing.reason}: ${standing.detail}`,
    connected: connected.has(peer),
    self: peer === members.self,
    memberUntil: credential === undefined ? null : isoTime(credential.body.expires),
    invite: credential?.body.invite ?? null,
  }));

export function vouchView(members: Members, vouch: Vouch): VouchView {
  const { peer, signer, until } = vouch.body;
  const holds = vouchHolds(vouch, members.now());
  return {
    ...{ peer, by: signer, until: until === WITHDRAWN ? null : isoTime(until) },
    standing: until === WITHDRAWN ? 'withdrawn' : holds ? 'holds' : 'expired',
    counts: members.vouchersOf(peer).includes(signer),
  };
}
