import type { Journal, PeerId } from '@starling/core';
import { type SigningKey, signingKeyFromSeed } from '@starling/crypto';
import {
  type Credential,
  credentialBodyFor,
  type Descriptor,
  encodeCredential,
  type Invite,
  mergeSignatures,
  type Role,
  signCredential,
  signInvite,
} from '@starling/protocol-membership';
import { Members } from '../members.ts';

export const NOW = 1_700_000_000;
export const DAY = 86_400;
const KEY = new Uint8Array(32).fill(7);

export interface Open {
  /** Wall clock, in seconds since 1970. */
  readonly now?: () => number;
  /** Without a credential. */
  readonly stranger?: boolean;
  /** Peers whose vouches count to it. */
  readonly voters?: ReadonlySet<PeerId> | undefined;
}

/** Peers of which the first `admins` are the authority of a swarm, k of them speaking for it. */
export interface TestSwarm {
  readonly keys: readonly SigningKey[];
  readonly descriptor: Descriptor;
  readonly invite: (more?: Partial<Invite['body']>, signers?: number) => Invite;
  readonly credential: (peer: number, role?: Role) => Uint8Array;
  readonly open: (peer: number, journal: Journal, more?: Open) => Promise<Members>;
  /** The byte that fills each key's seed. */
  readonly seeds: readonly number[];
}

export function testSwarm(
  peers: number,
  admins = 1,
  threshold = 1,
  access: Descriptor['access'] = 'members',
): TestSwarm {
  const seedOf = new Map<PeerId, number>();
  const keys = Array.from({ length: peers }, (_, i) => {
    const key = signingKeyFromSeed(new Uint8Array(32).fill(i + 1));
    seedOf.set(key.peerId, i + 1);
    return key;
  });
  const authority = keys.slice(0, admins).sort((a, b) => (a.peerId < b.peerId ? -1 : 1));
  keys.splice(0, admins, ...authority);
  const key = access === 'open' ? null : KEY;
  const descriptor: Descriptor = {
    name: 'test',
    access,
    admins: authority.map(({ peerId }) => peerId),
    threshold,
    nonce: new Uint8Array(8),
  };
  const invite: TestSwarm['invite'] = (more = {}, signers = threshold) => {
    const body = {
      swarm: descriptor,
      role: 'trainer' as Role,
      singleUse: false,
      issuer: keys[0]!.peerId as PeerId,
      issued: NOW,
      expires: NOW + DAY,
      memberUntil: NOW + 30 * DAY,
      key,
      bootstrap: [],
      nonce: new Uint8Array(12),
      ...more,
    };
    return keys.slice(0, signers).reduce<Invite>(signInvite, { body, signatures: [] });
  };
  const credential: TestSwarm['credential'] = (peer, role = 'trainer') => {
    const body = credentialBodyFor(invite({ role }).body, keys[peer]!.peerId);
    const signers = keys.slice(0, threshold).map((key) => signCredential(body, key));
    const whole: Credential = { body, signatures: mergeSignatures(signers), delegations: [] };
    return encodeCredential(whole);
  };
  const open: TestSwarm['open'] = (
    peer,
    journal,
    { now = () => NOW, stranger = false, voters } = {},
  ) =>
    Members.open(
      {
        descriptor,
        key,
        credential: peer < admins || stranger ? null : credential(peer),
        bootstrap: [],
      },
      { journal, key: keys[peer]!, now, voters },
    );
  const seeds = keys.map(({ peerId }) => seedOf.get(peerId)!);
  return { keys, seeds, descriptor, invite, credential, open };
}
