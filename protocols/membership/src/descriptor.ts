import {
  type Brand,
  bytes,
  type Decoded,
  DecodeError,
  encodeCanonical,
  list,
  mapped,
  oneOf,
  struct,
  text,
  u32,
} from '@starling/core';
import { peerCodec } from '@starling/crypto';
import { idOf, isAscending } from './common.ts';
import { MEMBERSHIP_LIMITS } from './limits.ts';

/** SHA-256 of a swarm's descriptor, 64 hex digits: no two authorities share one. */
export type SwarmId = Brand<string, 'SwarmId'>;

const NAME = /^[a-z0-9][a-z0-9-]{0,47}$/;
const NAME_CHARS_MAX = 48;

/** A name that is safe in a terminal, a file name and a DNS label. */
export const isSwarmName = (name: string): boolean => NAME.test(name);

const fields = struct({
  name: text(NAME_CHARS_MAX),
  /** `members`: nobody without a credential. `open`: everybody that is not revoked. */
  access: oneOf(['members', 'open']),
  /** The authority: its keys, which are peers' identities, in ascending order of peer ids. */
  admins: list(peerCodec, MEMBERSHIP_LIMITS.adminsMax),
  /** How many of them must sign: k of k-of-n. */
  threshold: u32(MEMBERSHIP_LIMITS.adminsMax),
  /** Sets apart two swarms of one authority and one name. */
  nonce: bytes(8),
});
export type Descriptor = Decoded<typeof fields>;

/** What a swarm is. It never changes: another authority is another swarm. */
export const descriptorCodec = mapped<Descriptor, Descriptor>(
  fields,
  (descriptor, field) => {
    const fault = descriptorFault(descriptor);
    if (fault !== undefined) throw new DecodeError(field, fault);
    return descriptor;
  },
  (descriptor) => descriptor,
);

/** Why this is no swarm, or undefined. */
export function descriptorFault({ name, admins, threshold }: Descriptor): string | undefined {
  if (!isSwarmName(name)) return 'a name has 1 to 48 small letters, digits and hyphens';
  if (admins.length === 0) return 'a swarm has at least one admin';
  if (!isAscending(admins)) return 'admins are not in ascending order';
  if (threshold < 1 || threshold > admins.length) {
    return `threshold ${threshold} of ${admins.length} admins`;
  }
  return undefined;
}

export const swarmIdOf = (descriptor: Descriptor): SwarmId =>
  idOf('swarm', encodeCanonical(descriptorCodec, descriptor)) as SwarmId;

/** Hex digits of the swarm's id in its network name: 128 bits. */
const NETWORK_DIGITS = 32;

/** The name on the wire and in mDNS: nothing of the chosen name shows. */
export const networkOf = (swarm: SwarmId): string => `s-${swarm.slice(0, NETWORK_DIGITS)}`;
