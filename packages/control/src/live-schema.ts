import { z } from 'zod';

const count = z.number().int().nonnegative();

/** Steps of a round in their order, as this peer goes through them. */
export const ROUND_PHASES = [
  'training',
  'joining',
  'shares',
  'chunks',
  'decide',
  'sums',
  'unmask',
  'verify',
  'confirm',
  'collect',
  'certify',
] as const;
export type RoundPhase = (typeof ROUND_PHASES)[number];

/** A round that this peer takes part in, as it goes. Told from memory: a restart forgets it. */
export const liveRoundSchema = z.object({
  round: count,
  restarts: count,
  attempt: count,
  phase: z.enum(ROUND_PHASES),
  /** Phases of this attempt so far; the last one goes on. */
  phases: z.array(
    z.object({
      phase: z.enum(ROUND_PHASES),
      /** Milliseconds since 1970, by this machine's clock. */
      startedAt: z.number(),
      /** Null while it goes on. */
      seconds: z.number().nullable(),
    }),
  ),
  /** While peers gather: how many joined, and how many it takes. */
  joined: z.object({ joined: count, needed: count }).nullable(),
  /** Peer ids; empty before the roster is known. */
  roster: z.array(z.string()),
  /** Null before they are decided. */
  survivors: z.array(z.string()).nullable(),
  /** Survivors by cells; one list where there is one cell. */
  cells: z.array(z.array(z.string())),
  convicted: z.array(z.object({ peer: z.string(), reason: z.string() })),
  /**
   * Chunks of the vector; of this peer's masked update that another owner has, each counted once
   * however many own it; that it summed as their owner; of sums that it fetched from others. Null
   * until this attempt has some.
   */
  chunks: z.object({ total: count, sent: count, summed: count, fetched: count }).nullable(),
  /** What went wrong in earlier attempts of this round, the last 32. */
  lost: z.array(z.object({ attempt: count, restarts: count, reason: z.string() })),
});
export type LiveRound = z.infer<typeof liveRoundSchema>;
