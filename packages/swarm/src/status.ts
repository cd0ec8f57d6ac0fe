import type { PeerId, Transport } from '@starling/core';
import type { NetworkReport } from './diagnosis.ts';
import type { RefusedBy } from './gate.ts';
import type { TopicStatus } from './gossip.ts';
import type { BootstrapStatus } from './keeper.ts';
import type { UnreachablePeer } from './known-peers.ts';
import type { OutdatedPeer } from './peers.ts';
import type { Reachability } from './reach.ts';
import type { RelayStatus } from './relays.ts';

export interface ConnectionStatus {
  readonly peer: PeerId;
  readonly address: string;
  readonly direction: 'inbound' | 'outbound';
  /** Through another peer, which sees only how much goes through. */
  readonly relayed: boolean;
  /** Of the last sign of life, there and back; undefined before the first. */
  readonly latencyMs: number | undefined;
  /** What the peer's program calls itself; text of a stranger. */
  readonly agent: string | undefined;
}

/** What `starling status` and `doctor` need to know about the network. */
export interface SwarmStatus {
  readonly self: PeerId;
  readonly network: string;
  readonly listen: readonly string[];
  /** As the last peers that were asked found it. */
  readonly reachability: Reachability;
  readonly connections: readonly ConnectionStatus[];
  readonly knownPeers: number;
  readonly routingTableSize: number;
  readonly topics: readonly TopicStatus[];
  readonly bootstrap: readonly BootstrapStatus[];
  /** Known peers that could not be dialled, with the reason; the worst first, at most 20. */
  readonly unreachable: readonly UnreachablePeer[];
  /** What was refused to peers that are not members, by reason. */
  readonly refused: Readonly<Record<string, number>>;
  /** Peers that do not let us in, and why. */
  readonly refusedBy: readonly RefusedBy[];
  /** Connected peers that speak another version of a protocol. */
  readonly outdated: readonly OutdatedPeer[];
  readonly relay: RelayStatus;
}

/** The libp2p adapter of `Transport`, and what its owner needs beside. */
export interface Swarm extends Transport {
  /** Where others can dial us, each ending in `/p2p/<self>`. */
  addresses(): readonly string[];
  /** Connects to a multiaddr; resolves once the peer has shown that it is of this swarm. */
  dial(address: string): Promise<PeerId>;
  status(): SwarmStatus;
  /** Asks and dials around for a few seconds, for the doctor. */
  diagnose(): Promise<NetworkReport>;
  stop(): Promise<void>;
}
