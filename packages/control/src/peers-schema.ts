import { z } from 'zod';

const count = z.number().int().nonnegative();

/** Peers as this one knows them. */
export const peersSchema = z.object({
  connected: z.array(
    z.object({
      peer: z.string(),
      /** What its program calls itself; null before it has said so. */
      agent: z.string().nullable(),
      connections: z.array(
        z.object({
          address: z.string(),
          direction: z.enum(['inbound', 'outbound']),
          /** Through another peer, which sees only how much goes through. */
          relayed: z.boolean(),
          /** Of the last sign of life, there and back, in milliseconds; null before the first. */
          latencyMs: z.number().nullable(),
        }),
      ),
    }),
  ),
  /** Connected ones that speak another version of a protocol, and which must be updated. */
  outdated: z.array(z.object({ peer: z.string(), reason: z.string() })),
  /** How many it has heard of. */
  known: count,
  /** Known ones that cannot be reached, and why; the worst first, some of them. */
  unreachable: z.array(z.object({ peer: z.string(), failures: count, lastError: z.string() })),
});
export type PeersView = z.infer<typeof peersSchema>;
