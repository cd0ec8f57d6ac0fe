import { decodeCanonical, fromHex, type PeerId, ProtocolError } from '@starling/core';
import { Books } from '@starling/membership';
import {
  type Descriptor,
  descriptorCodec,
  hasRight,
  isoTime,
  type Role,
  type SwarmId,
  swarmIdOf,
} from '@starling/protocol-membership';
import type { Job, MembershipProof } from '@starling/protocol-rounds';
import { type Chain, signersOf } from '@starling/rounds';

/** A peer that signed certificates, as its swarm's authority tells it. */
export interface VerifiedSigner {
  readonly peer: PeerId;
  readonly role: Role;
  /** Certificates that it signed. */
  readonly rounds: number;
  /** Of its membership; null for the authority's own peers. */
  readonly from: string | null;
  readonly until: string | null;
  /** When it was revoked, as its admins say; null when it was not, as far as the proof knows. */
  readonly revoked: string | null;
}

/** What a proof says about who signed, and whether that was checked. */
export interface MembershipFinding {
  /** The swarm of which the proof brings membership; null when it brings none. */
  readonly swarm: SwarmId | null;
  readonly name: string | null;
  /** Different keys that signed certificates. */
  readonly keys: number;
  /** Undefined when nobody said which swarm it ought to be. */
  readonly signers: readonly VerifiedSigner[] | undefined;
}

const DESCRIPTOR_BYTES_MAX = 2 * 1024;

/** A swarm's id from what a person gives: the id, or the descriptor that it is the hash of. */
export function swarmIdFrom(given: string): SwarmId | undefined {
  if (/^[0-9a-f]{64}$/.test(given)) return given as SwarmId;
  if (!/^([0-9a-f]{2})+$/.test(given)) return undefined;
  const descriptor = descriptorOf(fromHex(given));
  return descriptor && swarmIdOf(descriptor);
}

/** Who signed, unchecked: all that can be said without knowing which swarm it ought to be. */
export function unchecked(chain: Chain, membership: MembershipProof | null): MembershipFinding {
  const descriptor = membership === null ? undefined : descriptorOf(membership.descriptor);
  return {
    swarm: descriptor === undefined ? null : swarmIdOf(descriptor),
    name: descriptor?.name ?? null,
    keys: roundsBySigner(chain).size,
    signers: undefined,
  };
}

export interface MembershipQuestion {
  readonly chain: Chain;
  readonly job: Job;
  readonly membership: MembershipProof | null;
  readonly swarm: SwarmId;
}

/**
 * Checks offline that the swarm's authority made every signer of every certificate a member with
 * the right to train, and the launcher one with the right to launch. Whether a membership ran at
 * the time of a round cannot be told: no certificate has a time. Membership spec §8.1.
 */
export function verifyMembers({
  chain,
  job,
  membership,
  swarm,
}: MembershipQuestion): MembershipFinding | { readonly fault: string } {
  if (membership === null) {
    return { fault: 'the proof has no credentials: who signed it cannot be told' };
  }
  const descriptor = descriptorOf(membership.descriptor);
  if (descriptor === undefined) return { fault: 'the descriptor in the proof is malformed' };
  const found = swarmIdOf(descriptor);
  if (found !== swarm) {
    return { fault: `the proof is of the swarm ${descriptor.name} (${found})` };
  }
  if (descriptor.access === 'open') {
    return { fault: `anyone may sign in the public swarm ${descriptor.name}: it has no members` };
  }
  const books = new Books(descriptor);
  for (const word of membership.revocations) {
    const taken = books.takeRevocation(word);
    if (taken.kind === 'refused') return { fault: `a revocation in the proof: ${taken.detail}` };
  }
  for (const credential of membership.credentials) {
    const taken = books.takeCredential(credential);
    if (taken.kind === 'refused') return { fault: `a credential in the proof: ${taken.detail}` };
  }
  const { launcher } = job;
  const launching = roleOf(books, launcher);
  if (launching === undefined || !hasRight(launching, 'launch')) {
    return {
      fault: `${launcher}, who launched the job, ${lacks(launching, 'launch', descriptor)}`,
    };
  }
  const signed = roundsBySigner(chain);
  const signers: VerifiedSigner[] = [];
  for (const [peer, { first, rounds }] of signed) {
    const role = roleOf(books, peer);
    if (role === undefined || !hasRight(role, 'train-light')) {
      const fault = `${peer}, who signed round ${first}, ${lacks(role, 'train', descriptor)}`;
      return { fault };
    }
    signers.push(signerOf(books, peer, { role, rounds }));
  }
  return { swarm, name: descriptor.name, keys: signed.size, signers };
}

const lacks = (role: Role | undefined, right: string, { name }: Descriptor): string =>
  role === undefined
    ? `has no credential of ${name} in the proof`
    : `is ${role} in ${name}, which gives no right to ${right}`;

function descriptorOf(encoded: Uint8Array): Descriptor | undefined {
  try {
    return decodeCanonical(descriptorCodec, encoded, DESCRIPTOR_BYTES_MAX);
  } catch (error) {
    if (error instanceof ProtocolError) return undefined;
    throw error;
  }
}

/** Also of one that was revoked since: certificates outlive memberships. */
const roleOf = (books: Books, peer: PeerId): Role | undefined =>
  books.descriptor.admins.includes(peer) ? 'admin' : books.credential(peer)?.body.role;

function signerOf(
  books: Books,
  peer: PeerId,
  { role, rounds }: Pick<VerifiedSigner, 'role' | 'rounds'>,
): VerifiedSigner {
  const body = books.credential(peer)?.body;
  const words = books.revocationsOf({ kind: 'peer', peer });
  return {
    ...{ peer, role, rounds },
    from: body === undefined ? null : isoTime(body.notBefore),
    until: body === undefined ? null : isoTime(body.expires),
    revoked: words === undefined ? null : isoTime(Math.max(...words.map((word) => word.body.at))),
  };
}

/** Signers by peer id, with their first round and how many they signed. */
function roundsBySigner(chain: Chain): ReadonlyMap<PeerId, { first: number; rounds: number }> {
  const found = new Map<PeerId, { first: number; rounds: number }>();
  for (const certificate of chain) {
    for (const peer of signersOf(certificate)) {
      const entry = found.get(peer) ?? { first: certificate.statement.round, rounds: 0 };
      entry.rounds++;
      found.set(peer, entry);
    }
  }
  return found;
}
