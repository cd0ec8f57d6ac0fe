import {
  type Clock,
  decodeCanonical,
  encodeCanonical,
  errorMessage,
  type Log,
  type PeerId,
  ProtocolError,
} from '@starling/core';
import type { SigningKey } from '@starling/crypto';
import {
  assembleCredential,
  checkSignatures,
  credentialBodyFor,
  encodeCredential,
  type Invite,
  inviteCodec,
  type JoinAnswer,
  type JoinRequest,
  joinAnswerCodec,
  joinRequestCodec,
  MEMBERSHIP_LIMITS,
  MEMBERSHIP_PROTOCOL,
  networkOf,
  signRequest,
  swarmIdOf,
} from '@starling/protocol-membership';
import { FramedStream } from './framed-stream.ts';
import { peerOf } from './identity.ts';
import { Prober } from './probe.ts';
import { protocolIds } from './protocol-ids.ts';
import { Requests } from './requests.ts';

export interface RedeemParts {
  readonly clock: Clock;
  readonly log: Log;
  /** 32 bytes, the seed of the identity that becomes a member, and its key. */
  readonly seed: Uint8Array;
  readonly key: SigningKey;
  /** For one address: to be dialled, encrypted and multiplexed. */
  readonly dialMs?: number;
}

export interface Redeemed {
  /** Encoded. */
  readonly credential: Uint8Array;
  readonly via: PeerId;
  /** At which `via` was reached. */
  readonly address: string;
}

/** Admins that must sign may be several hops away. */
const REDEEM_MS = 60_000;

/**
 * Reasons that hold wherever one asks: it is of no use to try the next address. The others say
 * something about the peer that was asked.
 */
const FINAL: ReadonlySet<string> = new Set([
  ...['wrong-swarm', 'bad-signature', 'too-few-signatures', 'malformed'],
  ...['revoked', 'invite-expired', 'invite-used', 'invite-revoked'],
]);

/**
 * Turns an invite into a credential: dials one address after the other, with a node that does
 * nothing else and is gone afterwards, until a member has brought the signatures together.
 * @throws ProtocolError with the reason of the refusal, or 'unreachable' with that of each address
 */
export async function redeemInvite(
  invite: Invite,
  addresses: readonly string[],
  parts: RedeemParts,
): Promise<Redeemed> {
  const { seed, clock, dialMs } = parts;
  const prober = await Prober.start({
    ...{ seed, clock, key: invite.body.key },
    ...(dialMs !== undefined && { dialMs }),
  });
  const reasons: string[] = [];
  let refused: ProtocolError | undefined;
  try {
    for (const address of addresses) {
      try {
        return await redeemAt({ prober, address, invite }, parts);
      } catch (error) {
        if (!(error instanceof ProtocolError)) throw error;
        if (FINAL.has(error.code)) throw error;
        if (error.code !== 'unreachable') refused = error;
        reasons.push(`${address}: ${error.message}`);
      }
    }
  } finally {
    await prober.stop();
  }
  const tried = addresses.length === 0 ? 'the invite has no address' : reasons.join('; ');
  // Somebody answered: that says more than what could not be reached.
  throw new ProtocolError(refused?.code ?? 'unreachable', tried);
}

interface Attempt {
  readonly prober: Prober;
  readonly address: string;
  readonly invite: Invite;
}

async function redeemAt(
  { prober, address, invite }: Attempt,
  parts: RedeemParts,
): Promise<Redeemed> {
  const connection = await prober.dial(address).catch((error: unknown) => {
    throw new ProtocolError('unreachable', errorMessage(error));
  });
  const via = peerOf(connection.remotePeer);
  if (via === undefined) throw new ProtocolError('unreachable', 'not a Starling peer');
  const network = networkOf(swarmIdOf(invite.body.swarm));
  const requests = new Requests({
    clock: parts.clock,
    log: parts.log,
    bodyBytesMax: MEMBERSHIP_LIMITS.messageBytesMax,
    open: async (_peer, protocol, signal) => {
      const id = protocolIds(network).direct(protocol);
      return new FramedStream(await connection.newStream(id, { signal }));
    },
  });
  const answer = await ask(requests, via, invite, parts.key);
  return { credential: credentialOf(answer, invite, parts.key.peerId), via, address };
}

async function ask(
  requests: Requests,
  via: PeerId,
  invite: Invite,
  key: SigningKey,
): Promise<JoinAnswer> {
  const request: JoinRequest = {
    kind: 'redeem',
    invite: encodeCanonical(inviteCodec, invite),
    peer: key.peerId,
    proof: signRequest(invite.body, key),
    signatures: [],
    forwarded: false,
  };
  const bodyBytesMax = MEMBERSHIP_LIMITS.messageBytesMax;
  const parcel = { header: new Uint8Array(0), body: encodeCanonical(joinRequestCodec, request) };
  const options = { timeoutMs: REDEEM_MS, bodyBytesMax };
  const answer = await requests
    .request(via, MEMBERSHIP_PROTOCOL, parcel, options)
    .catch((error: unknown) => {
      const reason = errorMessage(error);
      const foreign = error instanceof Error && error.name === 'UnsupportedProtocolError';
      const fault = foreign ? `${via} is not in this swarm` : `${via} broke off (${reason})`;
      throw new ProtocolError('unreachable', fault);
    });
  return decodeCanonical(joinAnswerCodec, answer.body, bodyBytesMax);
}

/** The credential that an answer makes, checked: whoever was asked may be anybody. */
function credentialOf(answer: JoinAnswer, invite: Invite, self: PeerId): Uint8Array {
  if (answer.kind === 'refused') throw new ProtocolError(answer.reason, answer.detail);
  if (answer.kind !== 'signed') {
    throw new ProtocolError('unreachable', `answered "${answer.kind}" to an invite`);
  }
  const { signatures, delegations } = answer;
  const body = credentialBodyFor(invite.body, self);
  const credential = assembleCredential(body, signatures, delegations);
  const rules = { descriptor: invite.body.swarm, isRevoked: () => false };
  const verdict = checkSignatures(credential, rules);
  if (!verdict.ok) throw new ProtocolError('unreachable', `signed, but: ${verdict.detail}`);
  return encodeCredential(credential);
}
