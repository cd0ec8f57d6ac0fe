import { z } from 'zod';

/** What `starling doctor` asks a running daemon; milliseconds, as the network package has them. */
const count = z.number().int().nonnegative();
const peers = z.array(z.string());
const fault = z.object({ code: z.string(), detail: z.string() });
const refusal = z.object({ peer: z.string(), reason: z.string() });

export const networkSchema = z.object({
  self: z.string(),
  network: z.string(),
  bootstrap: z.array(
    z.object({ address: z.string(), connected: z.boolean(), fault: fault.optional() }),
  ),
  listening: z.array(z.string()),
  announced: z.array(z.string()),
  reachability: z.enum(['public', 'local', 'unreachable', 'unknown']),
  /** How a few connected peers see this one. */
  seenBy: z.array(
    z.object({
      peer: z.string(),
      observed: z.string().optional(),
      skewMs: z.number(),
      dialled: z.array(z.object({ address: z.string(), fault: z.string().optional() })),
    }),
  ),
  silent: z.array(refusal),
  dht: z.object({ routingTable: count, answered: count }),
  relay: z.object({
    isWanted: z.boolean(),
    reservations: peers,
    offering: peers,
    lastError: z.string().optional(),
    offer: z.object({ reservations: count, connections: count, maxConnections: count }).optional(),
  }),
  topics: z.array(z.object({ topic: z.string(), subscribers: count, mesh: count })),
  peers: z.object({ known: count, connected: count, relayed: count }),
  unreachable: z.array(z.object({ peer: z.string(), failures: count, lastError: z.string() })),
  refused: z.record(z.string(), count),
  refusedBy: z.array(refusal),
  /** Connected peers that speak another version of a protocol. */
  outdated: z.array(refusal),
});
export type NetworkView = z.infer<typeof networkSchema>;
