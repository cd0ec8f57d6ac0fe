import { z } from 'zod';
import type { SwarmHandlers } from '../handlers.ts';
import {
  createInviteSchema,
  createSwarmSchema,
  inviteViewSchema,
  joinSwarmSchema,
  memberViewSchema,
  revokedViewSchema,
  revokeSchema,
  signInviteSchema,
  swarmViewSchema,
  vouchSchema,
  vouchViewSchema,
} from '../swarm-schemas.ts';
import { answers, type ControlApp, nothingSchema, operation } from './operation.ts';

export function swarmRoutes(app: ControlApp, swarm: SwarmHandlers): void {
  app.get('/v1/swarm', {
    schema: {
      ...operation('swarm', 'showSwarm', 'The swarm this daemon is in, and its standing there'),
      response: answers(swarmViewSchema),
    },
    handler: () => swarm.show(),
  });
  app.post('/v1/swarm', {
    schema: {
      ...operation('swarm', 'createSwarm', 'Make a swarm with this peer as an admin'),
      body: createSwarmSchema,
      response: answers(swarmViewSchema),
    },
    handler: ({ body }) => swarm.create(body),
  });
  app.post('/v1/swarm/join', {
    schema: {
      ...operation('swarm', 'joinSwarm', 'Enter a swarm by an invite'),
      body: joinSwarmSchema,
      response: answers(swarmViewSchema),
    },
    handler: ({ body: { invite, addresses } }) => swarm.join(invite, addresses),
  });
  app.post('/v1/swarm/leave', {
    schema: {
      ...operation('swarm', 'leaveSwarm', 'Leave the swarm and go back to the open network'),
      body: nothingSchema,
      response: answers(swarmViewSchema),
    },
    handler: () => swarm.leave(),
  });
  inviteRoutes(app, swarm);
  memberRoutes(app, swarm);
}

function inviteRoutes(app: ControlApp, swarm: SwarmHandlers): void {
  app.post('/v1/swarm/invites', {
    schema: {
      ...operation('swarm', 'createInvite', 'Make an invite, for an admin'),
      body: createInviteSchema,
      response: answers(inviteViewSchema),
    },
    handler: ({ body }) => swarm.invite(body),
  });
  app.post('/v1/swarm/invites/sign', {
    schema: {
      ...operation('swarm', 'signInvite', "Add this admin's signature to another's invite"),
      body: signInviteSchema,
      response: answers(inviteViewSchema),
    },
    handler: ({ body: { invite } }) => swarm.sign(invite),
  });
}

function memberRoutes(app: ControlApp, swarm: SwarmHandlers): void {
  app.get('/v1/swarm/members', {
    schema: {
      ...operation('swarm', 'listMembers', 'Members of the swarm that this peer knows'),
      response: answers(z.array(memberViewSchema)),
    },
    handler: async () => [...(await swarm.members())],
  });
  app.post('/v1/swarm/revoke', {
    schema: {
      ...operation('swarm', 'revoke', 'Take a membership or an invite back, for an admin'),
      body: revokeSchema,
      response: answers(revokedViewSchema),
    },
    handler: ({ body }) => swarm.revoke(body),
  });
  app.get('/v1/swarm/vouches', {
    schema: {
      ...operation('swarm', 'listVouches', 'Vouches that this peer holds'),
      response: answers(z.array(vouchViewSchema)),
    },
    handler: async () => [...(await swarm.vouches())],
  });
  app.post('/v1/swarm/vouches', {
    schema: {
      ...operation('swarm', 'vouch', "This peer's word for another, or its withdrawal"),
      body: vouchSchema,
      response: answers(vouchViewSchema),
    },
    handler: ({ body }) => swarm.vouch(body),
  });
}
