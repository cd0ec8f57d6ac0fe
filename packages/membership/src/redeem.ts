import { DecodeError, decodeCanonical, errorMessage, type PeerId } from '@starling/core';
import {
  assembleCredential,
  type Credential,
  type CredentialBody,
  checkInvite,
  checkSignatures,
  credentialBodyFor,
  encodeCredential,
  type Invite,
  inviteCodec,
  inviteIdOf,
  invitersOf,
  isRequestBy,
  isSignatureUnder,
  type JoinAnswer,
  type JoinRequest,
  MEMBERSHIP_LIMITS,
  mergeSignatures,
  type Refusal,
  refused,
  type SignatureOf,
  signCredential,
  swarmIdOf,
  type Verdict,
} from '@starling/protocol-membership';
import type { Members } from './members.ts';

export type RedeemRequest = Extract<JoinRequest, { kind: 'redeem' }>;

/** Admins within reach, and how to ask one of them. */
export interface Colleagues {
  readonly connected: () => readonly PeerId[];
  /** May reject: the peer is gone. */
  readonly ask: (peer: PeerId, request: RedeemRequest) => Promise<JoinAnswer>;
}

const no = (reason: Refusal, detail: string): JoinAnswer => ({ kind: 'refused', reason, detail });

interface Gathering {
  readonly members: Members;
  readonly invite: Invite;
  readonly body: CredentialBody;
  readonly peer: PeerId;
  signatures: readonly SignatureOf[];
  delegations: readonly Uint8Array[];
}

/**
 * Answers a request to redeem an invite: signs, if this peer may, and unless it was asked by
 * another member gathers what is missing from admins it is connected to. So a newcomer needs to
 * reach one member, whoever that is. Spec §7.2.
 */
export async function redeem(
  members: Members,
  request: RedeemRequest,
  colleagues: Colleagues,
): Promise<JoinAnswer> {
  const invite = readInvite(request.invite);
  if (invite === undefined) return no('malformed', 'the invite does not decode');
  const verdict = check(members, invite, request);
  if (!verdict.ok) return no(verdict.reason, verdict.detail);
  const body = credentialBodyFor(invite.body, request.peer);
  const gathering: Gathering = {
    members,
    invite,
    body,
    peer: request.peer,
    signatures: soundOf(members, body, request.signatures),
    delegations: [],
  };
  const refusal = await signOwn(gathering);
  // Others may still sign; but where this peer has said no, it does not ask them to say yes.
  const others = !request.forwarded && OTHERS_MAY.has(refusal?.reason);
  if (refusal !== undefined && !others) return refusal;
  if (!request.forwarded) {
    const stopped = await gather(gathering, request, colleagues);
    if (stopped !== undefined) return stopped;
    await members.take({ credentials: [encodeCredential(credentialOf(gathering))] });
  }
  const { signatures, delegations } = credentialOf(gathering);
  return { kind: 'signed', signatures, delegations };
}

const OTHERS_MAY: ReadonlySet<Refusal | undefined> = new Set(['not-an-admin', 'issuer-away']);

function check(members: Members, invite: Invite, request: RedeemRequest): Verdict {
  if (swarmIdOf(invite.body.swarm) !== members.swarm) {
    return refused('wrong-swarm', 'the invite is for another swarm');
  }
  const verdict = checkInvite(invite, members.now());
  if (!verdict.ok) return verdict;
  const { books, descriptor } = members;
  const inviters = invitersOf(invite).filter((peer) => !isRevoked(members, peer));
  if (inviters.length < descriptor.threshold) {
    const detail = `${inviters.length} of its signers are still of the authority`;
    return refused('too-few-signatures', detail);
  }
  if (books.isInviteRevoked(inviteIdOf(invite.body))) {
    return refused('invite-revoked', 'the invite was revoked');
  }
  if (!isRequestBy(request.peer, invite.body, request.proof)) {
    return refused('bad-signature', `the request is not signed by ${request.peer}`);
  }
  const standing = members.standing(request.peer);
  if (!standing.ok && standing.reason === 'revoked') return standing;
  return { ok: true };
}

/** Whether this peer's signature counts under a credential: it is of the authority, or an admin. */
function maySign(members: Members, { role }: CredentialBody): boolean {
  if (members.isOfAuthority) return members.standing(members.self).ok;
  const standing = members.standing(members.self);
  return standing.ok && standing.role === 'admin' && role !== 'admin';
}

/** Adds this peer's signature; undefined when it did, else why not. */
async function signOwn(
  g: Gathering,
): Promise<Extract<JoinAnswer, { kind: 'refused' }> | undefined> {
  const { members, invite, body, peer } = g;
  if (!maySign(members, body)) {
    return { kind: 'refused', reason: 'not-an-admin', detail: `${members.self} is no admin` };
  }
  if (invite.body.singleUse && members.self === invite.body.issuer) {
    const holder = await members.claim(inviteIdOf(invite.body), peer);
    if (holder !== peer) {
      const detail = 'the invite was for one peer, and another has used it';
      return { kind: 'refused', reason: 'invite-used', detail };
    }
  } else if (invite.body.singleUse && !isSignedBy(g, invite.body.issuer)) {
    const detail = `a single-use invite is first redeemed at its issuer ${invite.body.issuer}`;
    return { kind: 'refused', reason: 'issuer-away', detail };
  }
  g.signatures = mergeSignatures(g.signatures, [signCredential(body, members.key)]);
  const own = members.ownCredential();
  if (!members.isOfAuthority && own !== null) g.delegations = [...g.delegations, own];
  return undefined;
}

const isSignedBy = ({ signatures }: Gathering, peer: PeerId): boolean =>
  signatures.some(({ signer }) => signer === peer);

const isRevoked = ({ books }: Members, peer: PeerId): boolean =>
  books.revocationsOf({ kind: 'peer', peer }) !== undefined;

const isEnough = (g: Gathering): boolean =>
  (!g.invite.body.singleUse || isSignedBy(g, g.invite.body.issuer)) &&
  checkSignatures(credentialOf(g), {
    descriptor: g.members.descriptor,
    isRevoked: (peer) => isRevoked(g.members, peer),
  }).ok;

const credentialOf = ({ body, signatures, delegations }: Gathering): Credential =>
  assembleCredential(body, signatures, delegations);

/** Asks connected admins, the issuer of a single-use invite first; undefined once it is enough. */
async function gather(
  g: Gathering,
  request: RedeemRequest,
  { connected, ask }: Colleagues,
): Promise<JoinAnswer | undefined> {
  const { members, invite } = g;
  const { issuer, singleUse } = invite.body;
  const reasons: string[] = [];
  const here = connected();
  const first = singleUse && !isSignedBy(g, issuer) ? [issuer] : [];
  for (const admin of [...first, ...adminsAmong(members, here)]) {
    if (isEnough(g)) return undefined;
    if (admin === members.self || isSignedBy(g, admin)) continue;
    if (!here.includes(admin)) {
      return no('issuer-away', `its issuer ${admin}, who must sign first, is not connected here`);
    }
    const answer = await askOne(ask, admin, { ...request, signatures: g.signatures });
    if (answer.kind === 'signed') {
      g.signatures = mergeSignatures(g.signatures, soundOf(members, g.body, answer.signatures));
      g.delegations = [...g.delegations, ...answer.delegations];
      // It may be this peer that had to wait for the issuer.
      if (admin === issuer) await signOwn(g);
    } else if (answer.kind === 'refused') {
      if (admin === issuer && singleUse) return answer;
      reasons.push(`${admin}: ${answer.reason}: ${answer.detail}`);
    }
  }
  if (isEnough(g)) return undefined;
  const { threshold } = members.descriptor;
  const asked = reasons.length === 0 ? 'no other admin is connected here' : reasons.join('; ');
  const detail = `${g.signatures.length} of ${threshold} admins have signed; ${asked}`;
  return no('no-quorum', detail.slice(0, MEMBERSHIP_LIMITS.detailCharsMax));
}

/** Peers here whose signature may count. */
const adminsAmong = (members: Members, peers: readonly PeerId[]): readonly PeerId[] =>
  peers.filter((peer) => {
    const standing = members.standing(peer);
    return standing.ok && standing.role === 'admin';
  });

async function askOne(
  ask: Colleagues['ask'],
  admin: PeerId,
  request: RedeemRequest,
): Promise<JoinAnswer> {
  try {
    return await ask(admin, { ...request, forwarded: true });
  } catch (error) {
    return no('no-quorum', errorMessage(error).slice(0, 200));
  }
}

/** Only what holds is passed on: a wrong signature would spoil the credential. */
function soundOf(
  members: Members,
  body: CredentialBody,
  signatures: readonly SignatureOf[],
): readonly SignatureOf[] {
  return signatures.filter(
    (entry) => isSignatureUnder(body, entry) && isKnownAdmin(members, entry.signer),
  );
}

const isKnownAdmin = (members: Members, peer: PeerId): boolean => {
  const standing = members.standing(peer);
  return standing.ok && standing.role === 'admin';
};

function readInvite(encoded: Uint8Array): Invite | undefined {
  try {
    return decodeCanonical(inviteCodec, encoded, MEMBERSHIP_LIMITS.inviteBytesMax);
  } catch (error) {
    if (error instanceof DecodeError) return undefined;
    throw error;
  }
}
