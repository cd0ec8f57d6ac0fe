import type { SwarmHandlers } from '../handlers.ts';
import type { InviteView, MemberView, SwarmView, VouchView } from '../swarm-schemas.ts';

export const SWARM: SwarmView = {
  ...{ kind: 'private', id: 'ab'.repeat(32), name: 'ward-7', network: 's-ab', admins: ['me'] },
  ...{ threshold: 1, role: 'admin', standing: 'member', memberUntil: null, members: 2 },
  ...{ connected: 1, revocationListVersion: 0, preSharedKey: true, bootstrap: [] },
  ...{ refused: { expired: 2 }, refusedBy: [], invites: [], warnings: [] },
};
export const INVITE: InviteView = {
  ...{ invite: 'starling1-x', id: 'cd'.repeat(32), swarm: 'ab'.repeat(32), name: 'ward-7' },
  ...{ role: 'trainer', singleUse: true, expires: '2026-01-01T00:00:00Z' },
  ...{ memberUntil: '2027-01-01T00:00:00Z', addresses: ['/ip4/192.0.2.7/tcp/1'] },
  missingSignatures: 0,
};
export const MEMBER: MemberView = {
  ...{ peer: '12D3KooWx', role: 'admin', standing: 'member', connected: false, self: true },
  ...{ memberUntil: null, invite: null },
};

export const VOUCH: VouchView = {
  ...{ peer: '12D3KooWx', by: '12D3KooWy', until: '2027-01-01T00:00:00Z' },
  ...{ standing: 'holds', counts: true },
};

/** Harmless handlers that note what they were given. */
export const swarmHandlers = (seen: unknown[] = []): SwarmHandlers => ({
  show: async () => SWARM,
  create: async (wanted) => {
    seen.push(wanted);
    return SWARM;
  },
  invite: async (wanted) => {
    seen.push(wanted);
    return INVITE;
  },
  sign: async (invite) => {
    seen.push(invite);
    return INVITE;
  },
  join: async (invite, addresses) => {
    seen.push([invite, addresses]);
    return SWARM;
  },
  members: async () => [MEMBER],
  revoke: async (wanted) => {
    seen.push(wanted);
    return { target: wanted.peer ?? wanted.invite ?? '', revoked: true, missing: 0, warnings: [] };
  },
  vouch: async (wanted) => {
    seen.push(wanted);
    return VOUCH;
  },
  vouches: async () => [VOUCH],
  leave: async () => SWARM,
});
