import { z } from 'zod';

/** Bodies and answers of the control API about the swarm: durations in seconds, times as ISO. */
const peer = z
  .string()
  .regex(/^12D3KooW[1-9A-HJ-NP-Za-km-z]{44}$/, 'expected a peer id, 12D3KooW…');
const seconds = z
  .number()
  .int()
  .positive()
  .max(100 * 366 * 86_400);
const count = z.number().int().nonnegative();
const address = z.string().regex(/^\/[!-~]{1,255}$/, 'expected a multiaddr, /ip4/…');
const addresses = z.array(address).refine((list) => list.length <= 8, 'at most 8 addresses');
export const INVITE_CHARS_MAX = 16 * 1024;
const invite = z
  .string()
  .refine((text) => text.length <= INVITE_CHARS_MAX, `at most ${INVITE_CHARS_MAX} characters`);
export const roleSchema = z.enum(['trainer', 'light', 'launcher', 'admin', 'relay']);
export type RoleName = z.infer<typeof roleSchema>;

export const createSwarmSchema = z.strictObject({
  name: z.string().regex(/^[a-z0-9][a-z0-9-]{0,47}$/, 'use small letters, digits and hyphens'),
  public: z.boolean().default(false),
  /** Closes the socket, too; without, strangers get as far as a refused hello. */
  preSharedKey: z.boolean().default(true),
  /** The other admins; this daemon's peer is one itself. */
  admins: z
    .array(peer)
    .refine((list) => list.length <= 15, 'at most 15 other admins')
    .default([]),
  threshold: z.number().int().min(1).max(16).default(1),
});
export type CreateSwarm = z.input<typeof createSwarmSchema>;

export const createInviteSchema = z.strictObject({
  role: roleSchema.default('trainer'),
  singleUse: z.boolean().default(false),
  /** How long it can be redeemed. */
  redeemSeconds: seconds.default(7 * 86_400),
  /** How long a membership by it lasts, counted from now. */
  memberSeconds: seconds.default(365 * 86_400),
  /** Where newcomers find the swarm; this daemon's own addresses unless told. */
  addresses: addresses.optional(),
});
export type CreateInvite = z.input<typeof createInviteSchema>;

export const signInviteSchema = z.strictObject({ invite });
export const joinSwarmSchema = z.strictObject({
  invite,
  /** In place of those in the invite. */
  addresses: addresses.optional(),
});
export const revokeSchema = z
  .strictObject({
    peer: peer.optional(),
    invite: z
      .string()
      .regex(/^[0-9a-f]{8,64}$/, 'expected the id of an invite')
      .optional(),
    reason: z
      .string()
      .refine((text) => text.length <= 200, 'at most 200 characters')
      .default(''),
  })
  .refine((body) => (body.peer === undefined) !== (body.invite === undefined), {
    message: 'name either a peer or an invite',
  });
export type Revoke = z.input<typeof revokeSchema>;

export const vouchSchema = z.strictObject({
  peer,
  /** Seconds since 1970; null takes a vouch back. */
  until: z.number().int().positive().max(0xffffffff).nullable(),
});
export type VouchFor = z.input<typeof vouchSchema>;

export const swarmViewSchema = z.object({
  /** `named`: no swarm but the network of a name. */
  kind: z.enum(['named', 'public', 'private']),
  id: z.string().nullable(),
  name: z.string(),
  network: z.string(),
  admins: z.array(z.string()),
  threshold: count,
  /** This peer's own; null where there are no roles. */
  role: z.string().nullable(),
  /** `member`, or why this peer is none. */
  standing: z.string(),
  memberUntil: z.string().nullable(),
  members: count,
  connected: count,
  revocationListVersion: count,
  preSharedKey: z.boolean(),
  bootstrap: z.array(z.string()),
  /** What was refused here since the start, by reason. */
  refused: z.record(z.string(), count),
  /** Peers that do not let this one in. */
  refusedBy: z.array(z.object({ peer: z.string(), reason: z.string() })),
  invites: z.array(
    z.object({
      id: z.string(),
      role: z.string(),
      singleUse: z.boolean(),
      expires: z.string(),
      /** The peer that has a single-use invite. */
      usedBy: z.string().nullable(),
      revoked: z.boolean(),
      missingSignatures: count,
    }),
  ),
  warnings: z.array(z.string()),
});
export type SwarmView = z.infer<typeof swarmViewSchema>;

export const inviteViewSchema = z.object({
  invite: z.string(),
  id: z.string(),
  swarm: z.string(),
  name: z.string(),
  role: z.string(),
  singleUse: z.boolean(),
  expires: z.string(),
  memberUntil: z.string(),
  addresses: z.array(z.string()),
  /** Admins that must sign yet before anybody can join by it. */
  missingSignatures: count,
});
export type InviteView = z.infer<typeof inviteViewSchema>;

export const memberViewSchema = z.object({
  peer: z.string(),
  role: z.string(),
  /** `member`, or why it is none any more. */
  standing: z.string(),
  connected: z.boolean(),
  self: z.boolean(),
  memberUntil: z.string().nullable(),
  invite: z.string().nullable(),
});
export type MemberView = z.infer<typeof memberViewSchema>;

export const revokedViewSchema = z.object({
  target: z.string(),
  /** Whether enough admins have said so. */
  revoked: z.boolean(),
  /** Admins whose words are missing. */
  missing: count,
  warnings: z.array(z.string()),
});
export type RevokedView = z.infer<typeof revokedViewSchema>;

export const vouchViewSchema = z.object({
  peer: z.string(),
  /** Whose word it is. */
  by: z.string(),
  /** Null when it was taken back. */
  until: z.string().nullable(),
  standing: z.enum(['holds', 'expired', 'withdrawn']),
  /** Whether this peer's owner takes the word of `by`, and it holds. */
  counts: z.boolean(),
});
export type VouchView = z.infer<typeof vouchViewSchema>;
