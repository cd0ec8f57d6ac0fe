import './polyfill.ts';
import { noise } from '@chainsafe/libp2p-noise';
import { tcp } from '@libp2p/tcp';
import { yamux } from '@libp2p/yamux';
import { multiaddr } from '@multiformats/multiaddr';
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
import { createLibp2p, type Libp2p } from 'libp2p';
import { withDeadline } from './deadline.ts';
import { FramedStream } from './framed-stream.ts';
import { peerOf, privateKeyOf } from './identity.ts';
import { protector } from './libp2p-node.ts';
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

const DIAL_MS = 15_000;
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
  const { node, reached } = await dialOnlyNode(invite.body.key, parts);
  const reasons: string[] = [];
  let refused: ProtocolError | undefined;
  try {
    await node.start();
    for (const address of addresses) {
      try {
        reached.yes = false;
        return await redeemAt({ node, reached, address, invite }, parts);
      } catch (error) {
        if (!(error instanceof ProtocolError)) throw error;
        if (FINAL.has(error.code)) throw error;
        if (error.code !== 'unreachable') refused = error;
        reasons.push(`${address}: ${error.message}`);
      }
    }
  } finally {
    await node.stop();
  }
  const tried = addresses.length === 0 ? 'the invite has no address' : reasons.join('; ');
  // Somebody answered: that says more than what could not be reached.
  throw new ProtocolError(refused?.code ?? 'unreachable', tried);
}

interface DialOnly {
  readonly node: Libp2p;
  /** Whether somebody has taken the last connection that was dialled. */
  readonly reached: { yes: boolean };
}

async function dialOnlyNode(key: Uint8Array | null, parts: RedeemParts): Promise<DialOnly> {
  const reached = { yes: false };
  const { dialMs = DIAL_MS } = parts;
  const node = await createLibp2p({
    start: false,
    privateKey: await privateKeyOf(parts.seed),
    transports: [tcp({ dialOpts: { noDelay: true } })],
    ...(key === null
      ? {}
      : {
          connectionProtector: protector(key, () => {
            reached.yes = true;
          }),
        }),
    connectionEncrypters: [noise()],
    streamMuxers: [yamux()],
    connectionMonitor: { enabled: false },
    connectionManager: { dialTimeout: dialMs, addressDialTimeout: dialMs },
  });
  return { node, reached };
}

interface Attempt extends DialOnly {
  readonly address: string;
  readonly invite: Invite;
}

async function redeemAt(
  { node, reached, address, invite }: Attempt,
  parts: RedeemParts,
): Promise<Redeemed> {
  const { clock, dialMs = DIAL_MS } = parts;
  const connection = await withDeadline(clock, dialMs, 'dialling', (signal) =>
    node.dial(multiaddr(address), { signal }),
  ).catch((error: unknown) => {
    throw new ProtocolError('unreachable', dialFault(errorMessage(error), reached.yes));
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

/** libp2p's words for what goes wrong in a dial, and what they mean here. */
function dialFault(message: string, hasReached: boolean): string {
  const code = /\b(ECONNREFUSED|EHOSTUNREACH|ENETUNREACH|ETIMEDOUT|ENOTFOUND)\b/.exec(message)?.[1];
  switch (code) {
    case 'ECONNREFUSED':
      return 'nobody listens there (ECONNREFUSED)';
    case 'EHOSTUNREACH':
    case 'ENETUNREACH':
      return `there is no way to it (${code})`;
    case 'ENOTFOUND':
      return 'the name is not known (ENOTFOUND)';
    case undefined:
      break;
    default:
      return `no answer (${code})`;
  }
  if (/UnexpectedPeer|did not match|does not match/i.test(message)) return 'another peer is there';
  // With another key what comes is noise: sometimes it ends, sometimes more seems to be coming.
  if (hasReached) {
    const how = firstLine(message);
    return `no handshake: it has another swarm's key, or is no Starling peer (${how})`;
  }
  return /nothing within|TimeoutError|timed? ?out/i.test(message)
    ? 'no answer in time'
    : firstLine(message);
}

const firstLine = (message: string): string => message.split('\n')[0]!.slice(0, 200);
