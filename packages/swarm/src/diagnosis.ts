import type { Connection } from '@libp2p/interface';
import {
  type Clock,
  decodeCanonical,
  encodeCanonical,
  errorMessage,
  type Log,
  type PeerId,
  ProtocolError,
  type Random,
} from '@starling/core';
import {
  type JoinRequest,
  joinAnswerCodec,
  joinRequestCodec,
  MEMBERSHIP_LIMITS,
  MEMBERSHIP_PROTOCOL,
} from '@starling/protocol-membership';
import { FramedStream } from './framed-stream.ts';
import type { RefusedBy } from './gate.ts';
import type { TopicStatus } from './gossip.ts';
import { peerOf } from './identity.ts';
import type { BootstrapStatus } from './keeper.ts';
import type { UnreachablePeer } from './known-peers.ts';
import type { Node } from './libp2p-node.ts';
import type { OutdatedPeer } from './peers.ts';
import { type Fault, faultOf, Prober } from './probe.ts';
import { protocolIds } from './protocol-ids.ts';
import type { Reach, Reachability, Seen } from './reach.ts';
import type { RelayStatus } from './relays.ts';
import { Requests } from './requests.ts';
import type { SwarmStatus } from './status.ts';

/** What the network looks like from here, with what was tried for the question. */
export interface NetworkReport {
  readonly self: PeerId;
  readonly network: string;
  readonly bootstrap: readonly BootstrapFinding[];
  /** Where this peer's sockets are; empty for one that only dials. */
  readonly listening: readonly string[];
  /** What others are told. */
  readonly announced: readonly string[];
  readonly reachability: Reachability;
  /** How each of a few connected peers sees this one. */
  readonly seenBy: readonly Seen[];
  /** Peers that were asked and did not say. */
  readonly silent: readonly { readonly peer: PeerId; readonly reason: string }[];
  readonly dht: { readonly routingTable: number; readonly answered: number };
  readonly relay: RelayStatus & { readonly isWanted: boolean };
  readonly topics: readonly TopicStatus[];
  readonly peers: { readonly known: number; readonly connected: number; readonly relayed: number };
  readonly unreachable: readonly UnreachablePeer[];
  readonly refused: Readonly<Record<string, number>>;
  readonly refusedBy: readonly RefusedBy[];
  readonly outdated: readonly OutdatedPeer[];
}

export interface BootstrapFinding {
  readonly address: string;
  readonly connected: boolean;
  /** Why it is not connected: what a dial of its own ran into, or what the peer there said. */
  readonly fault?: Fault;
}

export interface DiagnosisParts {
  readonly clock: Clock;
  readonly random: Random;
  readonly network: string;
  readonly key: Uint8Array | null | undefined;
  readonly status: () => SwarmStatus;
  readonly node: Node;
  readonly reach: Reach;
  readonly isRelayWanted: () => boolean;
  /** How many peers answer a walk through the DHT. */
  readonly walk: () => Promise<number>;
}

/** Enough to notice one that is wrong. */
const ASKED_MAX = 5;
const PROBE_MS = 8_000;

/** Asks and dials around for a few seconds. */
export async function diagnose(parts: DiagnosisParts): Promise<NetworkReport> {
  const { status, node, reach } = parts;
  const before = status();
  const direct = before.connections.filter(({ relayed }) => !relayed).map(({ peer }) => peer);
  const asked = [...new Set(direct)].slice(0, ASKED_MAX);
  const [bootstrap, answers, answered] = await Promise.all([
    Promise.all(before.bootstrap.map((entry) => findBootstrap(entry, parts))),
    Promise.allSettled(asked.map((peer) => reach.ask(peer))),
    // With nobody there it only waits for its deadline.
    before.connections.length === 0 ? 0 : parts.walk().catch(() => 0),
  ]);
  const now = status();
  const { transportManager } = node.services.inside;
  return {
    ...{ self: now.self, network: now.network, bootstrap, announced: now.listen },
    listening: transportManager
      .getAddrs()
      .map(String)
      .filter((address) => !address.includes('/p2p-circuit')),
    reachability: reach.verdict,
    seenBy: answers.flatMap((each) => (each.status === 'fulfilled' ? [each.value] : [])),
    silent: answers.flatMap((each, i) =>
      each.status === 'rejected' ? [{ peer: asked[i]!, reason: errorMessage(each.reason) }] : [],
    ),
    dht: { routingTable: now.routingTableSize, answered },
    relay: { ...now.relay, isWanted: parts.isRelayWanted() },
    topics: now.topics,
    peers: countPeers(now),
    ...{ unreachable: now.unreachable, refused: now.refused, refusedBy: now.refusedBy },
    outdated: now.outdated,
  };
}

function countPeers({ connections, knownPeers }: SwarmStatus): NetworkReport['peers'] {
  const all = new Set(connections.map(({ peer }) => peer));
  const direct = new Set(connections.filter(({ relayed }) => !relayed).map(({ peer }) => peer));
  return { known: knownPeers, connected: all.size, relayed: all.size - direct.size };
}

async function findBootstrap(
  { address, connected, lastError }: BootstrapStatus,
  parts: DiagnosisParts,
): Promise<BootstrapFinding> {
  if (connected) return { address, connected };
  const { fault, peer } = await probeAddress(address, parts);
  if (fault !== undefined) return { address, connected, fault };
  // As a stranger one gets through: then it is who we are, or a matter of time.
  const refusal = parts.status().refusedBy.find((each) => each.peer === peer);
  const said =
    refusal?.reason ?? (lastError && /not-a-member|revoked|expired/.exec(lastError)?.[0]);
  if (said !== undefined) {
    return { address, connected, fault: { code: 'not-a-member', detail: said } };
  }
  const detail = lastError ?? 'it answers, and is not connected yet';
  return { address, connected, fault: { code: 'unreachable', detail } };
}

export interface ProbeParts {
  readonly clock: Clock;
  readonly random: Random;
  readonly network: string;
  readonly key: Uint8Array | null | undefined;
}

/** Dials an address as a stranger or as a member: whether it leads into the swarm, else why not. */
export async function probeAddress(
  address: string,
  { clock, random, network, key }: ProbeParts,
  member?: { readonly seed: Uint8Array; readonly credential: Uint8Array | null },
): Promise<{ readonly peer?: PeerId; readonly fault?: Fault }> {
  const seed = member?.seed ?? strangerSeed(random);
  const prober = await Prober.start({ seed, clock, key, dialMs: PROBE_MS });
  try {
    const { peer, connection } = await prober.reach(address, network);
    if (member !== undefined) {
      await sayHello(connection, { network, clock, credential: member.credential });
    }
    return { peer };
  } catch (error) {
    return { fault: faultOf(error) };
  } finally {
    await prober.stop();
  }
}

/** Only as far as the proof of who is there: to the other side a peer that asks is one that is. */
export async function dialAsStranger(
  address: string,
  { clock, random, key }: ProbeParts,
): Promise<Fault | undefined> {
  const prober = await Prober.start({ seed: strangerSeed(random), clock, key, dialMs: PROBE_MS });
  try {
    await prober.dial(address);
    return undefined;
  } catch (error) {
    return faultOf(error);
  } finally {
    await prober.stop();
  }
}

let stranger: Uint8Array | undefined;

/** One for the process: whoever is dialled keeps a note of each identity that it has seen. */
function strangerSeed(random: Random): Uint8Array {
  stranger ??= random.bytes(32);
  return stranger;
}

interface Hello {
  readonly network: string;
  readonly clock: Clock;
  readonly credential: Uint8Array | null;
}

/** @throws ProtocolError 'not-a-member' with the other side's reason */
async function sayHello(connection: Connection, { network, clock, credential }: Hello) {
  const bodyBytesMax = MEMBERSHIP_LIMITS.messageBytesMax;
  const requests = new Requests({
    ...{ clock, log: SILENT, bodyBytesMax },
    open: async (_peer, protocol, signal) => {
      const id = protocolIds(network).direct(protocol);
      return new FramedStream(await connection.newStream(id, { signal }));
    },
  });
  const hello: JoinRequest = { kind: 'hello', credential, books: new Uint8Array(32) };
  const parcel = { header: new Uint8Array(0), body: encodeCanonical(joinRequestCodec, hello) };
  const options = { timeoutMs: PROBE_MS, bodyBytesMax };
  const peer = peerOf(connection.remotePeer)!;
  const { body } = await requests.request(peer, MEMBERSHIP_PROTOCOL, parcel, options);
  const answer = decodeCanonical(joinAnswerCodec, body, bodyBytesMax);
  if (answer.kind !== 'refused') return;
  throw new ProtocolError('not-a-member', `${answer.reason}: ${answer.detail}`);
}

const nothing = (): void => {};
const SILENT: Log = { debug: nothing, info: nothing, warn: nothing, error: nothing };
