import { z } from 'zod';

const peers = z.array(z.string());
const count = z.number().int().nonnegative();

/** What an owner may change while the daemon runs; the limits are the configuration's. */
const changeable = z.strictObject({
  /** Launchers whose jobs start without asking. */
  trust: peers,
  minPeers: count,
  /** Peers whose owners this one trusts, and how many of them must be in a sum with it. */
  company: peers,
  minCompany: count,
  /** No model is signed whose loss on own data is more than so many times larger; null for all. */
  worseMax: z.number().nullable(),
  /** By data set: what its updates may give away in all. */
  privacyBudget: z.record(
    z.string(),
    z.strictObject({ epsilon: z.number(), delta: z.number().default(1e-5) }),
  ),
  /** By data set: noise in training that hides single examples, whatever the job. */
  exampleNoise: z.record(
    z.string(),
    z.strictObject({ clippingNorm: z.number().default(1), noiseMultiplier: z.number() }),
  ),
});
export const POLICY_KEYS = changeable.keyof().options;
export type PolicyKey = (typeof POLICY_KEYS)[number];

const { shape } = changeable;
const orReset = <T extends z.ZodType>(schema: T) => schema.nullable().optional();
/** Keys to set; null for what the configuration says. */
export const policyChangeSchema = z.strictObject({
  trust: orReset(shape.trust),
  minPeers: orReset(shape.minPeers),
  company: orReset(shape.company),
  minCompany: orReset(shape.minCompany),
  worseMax: orReset(z.number()),
  privacyBudget: orReset(shape.privacyBudget),
  exampleNoise: orReset(shape.exampleNoise),
});
export type PolicyChange = z.input<typeof policyChangeSchema>;

export const policyViewSchema = z.object({
  ...shape,
  /** Peers to have anything to do with, empty for all; the configuration's, from the start on. */
  members: peers,
  vouching: z.object({ voters: peers, least: count }),
  /** Keys that were set here and go before the configuration, after a restart too. */
  set: z.array(z.enum(POLICY_KEYS)),
});
export type PolicyView = z.infer<typeof policyViewSchema>;
