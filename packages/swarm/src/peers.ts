import type { Connection, PeerId as RemoteId } from '@libp2p/interface';
import { errorMessage, type Log, type PeerId, ProtocolError } from '@starling/core';
import { peerOf } from './identity.ts';
import type { Node } from './libp2p-node.ts';
import { otherNetwork, versionMismatch } from './probe.ts';
import { SWARM_VERSION, SWARM_VERSION_MAX, versionMarker } from './protocol-ids.ts';
import { gapText, versionGaps } from './version-gaps.ts';

/** For an answer to identify that is under way. */
const DISMISSAL_MS = 250;
/** A stranger chooses the text. */
const AGENT_CHARS_MAX = 128;

/** A connected peer that speaks another version of something, and of what. */
export interface OutdatedPeer {
  readonly peer: PeerId;
  readonly reason: string;
}

export type PeerChange = (peer: PeerId, connected: boolean) => void;

/**
 * The connected peers of this swarm. A peer counts from the moment it has said, by identify, that
 * it speaks our membership protocol; one that does not is of another swarm and is hung up on, so
 * that it takes no place in DHT and gossip.
 */
export class Peers {
  readonly #node: Node;
  readonly #membership: string;
  readonly #network: string;
  readonly #log: Log;
  readonly #connected = new Set<PeerId>();
  readonly #agents = new Map<PeerId, string>();
  /** What each connected peer answers, as it said last. */
  readonly #protocols = new Map<PeerId, readonly string[]>();
  /** Peers of another version that the log has named. */
  readonly #named = new Set<PeerId>();
  readonly #reasons = new WeakMap<Connection, ProtocolError>();
  readonly #listeners = new Set<PeerChange>();

  constructor(node: Node, network: string, log: Log) {
    this.#node = node;
    this.#network = network;
    this.#membership = versionMarker(network, SWARM_VERSION);
    this.#log = log;
    node.addEventListener('peer:identify', ({ detail }) => {
      this.#onIdentified(detail.peerId, detail.protocols, detail.connection);
      const peer = peerOf(detail.peerId);
      const agent = detail.agentVersion?.slice(0, AGENT_CHARS_MAX);
      if (peer !== undefined && agent !== undefined && this.has(peer)) {
        this.#agents.set(peer, agent);
      }
      if (peer !== undefined && this.has(peer)) this.#protocols.set(peer, detail.protocols);
    });
    node.addEventListener('peer:disconnect', ({ detail }) => this.#onGone(detail));
  }

  all(): readonly PeerId[] {
    return [...this.#connected];
  }

  has(peer: PeerId): boolean {
    return this.#connected.has(peer);
  }

  /** What a connected peer's program calls itself. */
  agentOf(peer: PeerId): string | undefined {
    return this.#agents.get(peer);
  }

  /** Connected peers with which something cannot be talked about, and which of the two is older. */
  outdated(): readonly OutdatedPeer[] {
    const ours = this.#node.getProtocols();
    return [...this.#protocols].flatMap(([peer, theirs]) => {
      const reason = versionGaps(ours, theirs).map(gapText).join('; ');
      return reason === '' ? [] : [{ peer, reason }];
    });
  }

  /** Names each of them in the log, once while it is connected. */
  warnOfOutdated(): void {
    for (const { peer, reason } of this.outdated()) {
      if (this.#named.has(peer)) continue;
      this.#named.add(peer);
      this.#log.warn('a peer speaks another version', { peer, reason });
    }
  }

  onChange(listener: PeerChange): () => void {
    const entry: PeerChange = (peer, connected) => listener(peer, connected);
    this.#listeners.add(entry);
    return () => this.#listeners.delete(entry);
  }

  /** Resolves when the peer behind a new connection has shown that it is one of us. */
  admitted(connection: Connection, signal: AbortSignal): Promise<PeerId> {
    const peer = peerOf(connection.remotePeer);
    if (peer === undefined) throw otherNetwork(connection.remotePeer.toString(), this.#network);
    if (this.has(peer)) return Promise.resolve(peer);
    return new Promise((resolve, reject) => {
      const settle = (outcome: () => void): void => {
        stopListening();
        connection.removeEventListener('close', onClose);
        signal.removeEventListener('abort', onAbort);
        outcome();
      };
      const onClose = (): void =>
        settle(() => {
          const known = this.#reasons.get(connection);
          reject(known ?? new ProtocolError('connection-lost', `${peer} hung up`));
        });
      const onAbort = (): void => settle(() => reject(signal.reason));
      const stopListening = this.onChange((changed, connected) => {
        if (changed === peer && connected) settle(() => resolve(peer));
      });
      connection.addEventListener('close', onClose);
      signal.addEventListener('abort', onAbort);
      if (connection.status !== 'open') onClose();
    });
  }

  /** Ends a connection for a reason, which whoever waits in `admitted` is given. */
  reject(connection: Connection, reason: ProtocolError): void {
    this.#reasons.set(connection, reason);
    const peer = connection.remotePeer.toString();
    this.#log.debug('hung up', { peer, reason: reason.message });
    connection.abort(reason);
  }

  #onIdentified(remote: RemoteId, protocols: readonly string[], connection: Connection): void {
    const peer = peerOf(remote);
    if (peer === undefined || !protocols.includes(this.#membership)) {
      this.#dismiss(connection, this.#stranger(remote.toString(), protocols));
      return;
    }
    // Identify answers a moment later; the peer may have gone meanwhile.
    if (this.#connected.has(peer) || this.#node.getConnections(remote).length === 0) return;
    this.#connected.add(peer);
    this.#tell(peer, true);
  }

  /** Why a peer that does not speak our protocol is none of ours. */
  #stranger(peer: string, protocols: readonly string[]): ProtocolError {
    for (let version = 1; version <= SWARM_VERSION_MAX; version++) {
      if (!protocols.includes(versionMarker(this.#network, version))) continue;
      return versionMismatch(peer, version);
    }
    return otherNetwork(peer, this.#network);
  }

  /** With time for the other side to find out by itself: cut off at once it would not know why. */
  #dismiss(connection: Connection, reason: ProtocolError): void {
    this.#reasons.set(connection, reason);
    setTimeout(() => this.reject(connection, reason), DISMISSAL_MS).unref();
  }

  #onGone(remote: RemoteId): void {
    const peer = peerOf(remote);
    if (peer === undefined) return;
    this.#agents.delete(peer);
    this.#protocols.delete(peer);
    this.#named.delete(peer);
    if (this.#connected.delete(peer)) this.#tell(peer, false);
  }

  #tell(peer: PeerId, connected: boolean): void {
    for (const listener of [...this.#listeners]) {
      try {
        listener(peer, connected);
      } catch (error) {
        this.#log.error('a peer listener threw', { peer, reason: errorMessage(error) });
      }
    }
  }
}
