import type { FastifyInstance } from 'fastify';
import type { z } from 'zod';
import {
  createInviteSchema,
  createSwarmSchema,
  type InviteView,
  joinSwarmSchema,
  type MemberView,
  type RevokedView,
  revokeSchema,
  type SwarmView,
  signInviteSchema,
  type VouchView,
  vouchSchema,
} from './swarm-schemas.ts';

/** What the daemon does about its swarm. */
export interface SwarmHandlers {
  show(): Promise<SwarmView>;
  create(wanted: z.output<typeof createSwarmSchema>): Promise<SwarmView>;
  invite(wanted: z.output<typeof createInviteSchema>): Promise<InviteView>;
  /** Adds this admin's signature to an invite of another. */
  sign(invite: string): Promise<InviteView>;
  join(invite: string, addresses: readonly string[] | undefined): Promise<SwarmView>;
  members(): Promise<readonly MemberView[]>;
  revoke(wanted: z.output<typeof revokeSchema>): Promise<RevokedView>;
  /** This peer's word for another, or its withdrawal. */
  vouch(wanted: z.output<typeof vouchSchema>): Promise<VouchView>;
  vouches(): Promise<readonly VouchView[]>;
  leave(): Promise<SwarmView>;
}

export function swarmRoutes(app: FastifyInstance, swarm: SwarmHandlers): void {
  app.get('/v1/swarm', () => swarm.show());
  app.post('/v1/swarm', ({ body }) => swarm.create(createSwarmSchema.parse(body)));
  app.post('/v1/swarm/invites', ({ body }) => swarm.invite(createInviteSchema.parse(body)));
  app.post('/v1/swarm/invites/sign', ({ body }) => swarm.sign(signInviteSchema.parse(body).invite));
  app.post('/v1/swarm/join', ({ body }) => {
    const { invite, addresses } = joinSwarmSchema.parse(body);
    return swarm.join(invite, addresses);
  });
  app.get('/v1/swarm/members', () => swarm.members());
  app.post('/v1/swarm/revoke', ({ body }) => swarm.revoke(revokeSchema.parse(body)));
  app.post('/v1/swarm/vouches', ({ body }) => swarm.vouch(vouchSchema.parse(body)));
  app.get('/v1/swarm/vouches', () => swarm.vouches());
  app.post('/v1/swarm/leave', () => swarm.leave());
}
