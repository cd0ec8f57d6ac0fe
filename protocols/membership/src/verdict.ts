/**
 * Why somebody or something is refused; stable names, in the order of the wire. A name is only ever
 * added at the end.
 */
export const REFUSALS = [
  'malformed',
  'wrong-swarm',
  'bad-signature',
  'too-few-signatures',
  'not-a-member',
  'not-yet-valid',
  'expired',
  'revoked',
  'invite-expired',
  'invite-used',
  'invite-revoked',
  'not-an-admin',
  'issuer-away',
  'no-quorum',
  'not-listed',
] as const;
export type Refusal = (typeof REFUSALS)[number];

export type Verdict =
  | { readonly ok: true }
  | { readonly ok: false; readonly reason: Refusal; readonly detail: string };

export const FINE: Verdict = { ok: true };
export const refused = (reason: Refusal, detail: string): Verdict & { readonly ok: false } => ({
  ok: false,
  reason,
  detail,
});
