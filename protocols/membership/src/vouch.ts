import {
  bytes,
  compareBytes,
  type Decoded,
  DecodeError,
  decodeCanonical,
  encodeCanonical,
  mapped,
  struct,
  u32,
} from '@starling/core';
import { hashCodec, peerCodec, type SigningKey, verify } from '@starling/crypto';
import { labelled } from './common.ts';
import type { SwarmId } from './descriptor.ts';
import { MEMBERSHIP_LIMITS, TOLERANCE_SECONDS } from './limits.ts';
import { FINE, refused, type Verdict } from './verdict.ts';

/** In place of the end of a vouch: its signer takes it back. */
export const WITHDRAWN = 0;

const bodyFields = struct({
  swarm: hashCodec<SwarmId>(),
  /** For whom it is. */
  peer: peerCodec,
  /** Seconds since 1970, for "later wins"; no rule compares it with a clock. */
  at: u32(),
  /** Seconds since 1970; `WITHDRAWN` for a vouch taken back. */
  until: u32(),
  signer: peerCodec,
});
export type VouchBody = Decoded<typeof bodyFields>;

export const vouchBodyCodec = mapped<VouchBody, VouchBody>(
  bodyFields,
  (body, field) => {
    const { at, until, peer, signer } = body;
    if (until !== WITHDRAWN && until <= at) throw new DecodeError(field, 'ends before it begins');
    if (peer === signer) throw new DecodeError(field, 'nobody vouches for itself');
    return body;
  },
  (body) => body,
);

/** "I vouch for this peer until then", by anybody; whose word counts each owner says. Spec §7.3. */
export const vouchCodec = struct({ body: vouchBodyCodec, signature: bytes(64) });
export type Vouch = Decoded<typeof vouchCodec>;

const signedBytes = (body: VouchBody): Uint8Array =>
  labelled('vouch', encodeCanonical(vouchBodyCodec, body));

export const signVouch = (body: Omit<VouchBody, 'signer'>, key: SigningKey): Vouch => {
  const whole = { ...body, signer: key.peerId };
  return { body: whole, signature: key.sign(signedBytes(whole)) };
};

/** Whether a vouch is its signer's, for this swarm; says nothing of time. */
export function checkVouch({ body, signature }: Vouch, swarm: SwarmId): Verdict {
  if (body.swarm !== swarm) return refused('wrong-swarm', 'the vouch is for another swarm');
  return verify(body.signer, signedBytes(body), signature)
    ? FINE
    : refused('bad-signature', 'the vouch is not signed by its signer');
}

/** Whether a vouch counts at `now`, in seconds since 1970, five minutes granted. */
export const vouchHolds = ({ body }: Vouch, now: number): boolean =>
  body.until !== WITHDRAWN && now <= body.until + TOLERANCE_SECONDS;

/** One place for each peer and signer; of two vouches in one place the newer is kept. */
export const vouchPlaceOf = ({ body }: { readonly body: Pick<VouchBody, 'peer' | 'signer'> }) =>
  `${body.peer}/${body.signer}`;

/** Whether `a` goes before `b` in their place: the later one, then the one of greater bytes. */
export function isNewerVouch(a: Vouch, b: Vouch): boolean {
  if (a.body.at !== b.body.at) return a.body.at > b.body.at;
  return compareBytes(encodeVouch(a), encodeVouch(b)) > 0;
}

export const encodeVouch = (vouch: Vouch): Uint8Array => encodeCanonical(vouchCodec, vouch);

/** @throws DecodeError */
export const decodeVouch = (given: Uint8Array): Vouch =>
  decodeCanonical(vouchCodec, given, MEMBERSHIP_LIMITS.vouchBytesMax);
