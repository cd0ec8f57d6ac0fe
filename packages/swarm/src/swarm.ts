import './polyfill.ts';
import type { Connection, Stream, StreamHandler } from '@libp2p/interface';
import { multiaddr } from '@multiformats/multiaddr';
import {
  assert,
  ConfigError,
  errorMessage,
  LIMITS,
  type Parcel,
  type PeerId,
  ProtocolError,
  type RequestOptions,
} from '@starling/core';
import { type Members, OwnerList } from '@starling/membership';
import { MEMBERSHIP_LIMITS, MEMBERSHIP_PROTOCOL } from '@starling/protocol-membership';
import { REACH_PROTOCOL } from '@starling/protocol-reach';
import type { LevelDatastore } from 'datastore-level';
import { Admission } from './admission.ts';
import { openDatastore } from './datastore.ts';
import { withDeadline } from './deadline.ts';
import { diagnose, dialAsStranger, type NetworkReport } from './diagnosis.ts';
import { DirectDialler } from './direct-dialler.ts';
import { FramedStream, paceOf, type StreamPace } from './framed-stream.ts';
import { Gate } from './gate.ts';
import { Gossip, type GossipHandler } from './gossip.ts';
import { GossipMedic } from './gossip-medic.ts';
import { guardOf } from './guards.ts';
import { peerOf, relayIn, remoteOf } from './identity.ts';
import { Keeper } from './keeper.ts';
import { KnownPeers } from './known-peers.ts';
import { createNode, IDENTIFY_MS, type Node } from './libp2p-node.ts';
import {
  type CheckedOptions,
  checkOptions,
  type SwarmOptions,
  type SwarmParts,
} from './options.ts';
import { type PeerChange, Peers } from './peers.ts';
import { type ProtocolIds, protocolIds } from './protocol-ids.ts';
import { Providers } from './providers.ts';
import { Reach } from './reach.ts';
import { Relays } from './relays.ts';
import { type Answer, Requests } from './requests.ts';
import { guardedHandler } from './service-guard.ts';
import type { Swarm, SwarmStatus } from './status.ts';

/** libp2p wraps the reason in several lines with stacks; this keeps the one that matters. */
function listenFault(error: unknown): string {
  const text = errorMessage(error);
  return /listen (E[A-Z]+[^\n]*)/.exec(text)?.[1] ?? text.split('\n')[0]!;
}

/** Waiting in the dial queue, handshake and identify. */
const DIAL_TIMEOUT_MS = 30_000;
/** Inbound streams of one protocol on one connection: what a pool opens, and some dying. */
const INBOUND_STREAMS_MAX = 16;
const STREAM_OPTIONS = { maxInboundStreams: INBOUND_STREAMS_MAX, runOnLimitedConnection: true };

/**
 * Starts a node of the swarm `options.network`. It resolves when the node listens; finding peers
 * goes on from there, also when no bootstrap peer is up yet.
 * @throws ConfigError naming the option
 */
export async function createSwarm(options: SwarmOptions, parts: SwarmParts): Promise<Swarm> {
  return (await assembleSwarm(options, parts)).swarm;
}

/** `createSwarm` with the libp2p node beside it, for tests that break things from inside. */
export async function assembleSwarm(
  options: SwarmOptions,
  parts: SwarmParts,
): Promise<{ readonly swarm: Swarm; readonly node: Node }> {
  const checked = checkOptions(options);
  const ids = protocolIds(checked.network);
  const datastore = await openDatastore(checked.datastore);
  try {
    const { members } = checked;
    const list = new OwnerList(checked);
    const admission = new Admission({ members, list, log: parts.log });
    let gate: Gate | undefined;
    const node = await createNode(
      checked,
      ids,
      datastore,
      guardOf(checked, admission, () => gate),
    );
    const swarm = new Libp2pSwarm({ node, ids, options: checked, parts, datastore, admission });
    gate = swarm.gate;
    await swarm.start();
    return { swarm, node };
  } catch (error) {
    await datastore?.close();
    throw error;
  }
}

interface SwarmInit {
  readonly node: Node;
  readonly ids: ProtocolIds;
  readonly options: CheckedOptions;
  readonly parts: SwarmParts;
  readonly datastore: LevelDatastore | undefined;
  readonly admission: Admission;
}

class Libp2pSwarm implements Swarm {
  readonly self: PeerId;
  readonly #init: SwarmInit;
  readonly #peers: Peers;
  readonly #known: KnownPeers;
  readonly #keeper: Keeper;
  readonly #relays: Relays;
  readonly #reach: Reach;
  readonly #gossip: Gossip;
  readonly #providers: Providers;
  readonly #requests: Requests;
  readonly gate: Gate | undefined;
  #joins: Requests | undefined;
  readonly #handled = new Set<string>();
  #stopping: Promise<void> | undefined;

  constructor(init: SwarmInit) {
    const { node, ids, options, parts, admission } = init;
    const { clock, log, random } = parts;
    this.#init = init;
    this.self = peerOf(node.peerId)!;
    this.#peers = new Peers(node, options.network, log);
    this.#known = new KnownPeers({ self: this.self, redial: options.redial, random });
    this.#gossip = new Gossip(node.services.pubsub, { ids, admission, log });
    this.#providers = new Providers({ dht: node.services.dht, self: this.self, clock, random });
    this.#requests = new Requests({
      clock,
      log,
      bodyBytesMax: LIMITS.bodyBytesMax,
      bandwidth: parts.bandwidth,
      open: (peer, protocol, signal) => this.#open(peer, protocol, signal),
    });
    this.gate = options.members && this.#createGate(options.members);
    const medic = new GossipMedic(node, clock, {
      patienceMs: 3 * options.monitor.intervalMs,
      hangUp: (peer) => this.#hangUp(peer, 'no gossip stream'),
    });
    const direct = new DirectDialler({ node, clock, log });
    this.#reach = new Reach({
      ...{ node, clock, log, wallMs: parts.wallMs ?? (() => Date.now()) },
      request: (to, protocol, parcel, timeoutMs) =>
        this.request(to, protocol, parcel, { timeoutMs, bodyBytesMax: LIMITS.controlBytesMax }),
      probe: (address) => dialAsStranger(address, this.#probeParts()),
    });
    this.#relays = new Relays({
      ...{ node, clock, log, maxConnections: options.relay.offer?.maxConnections },
      isWanted: () => this.#isRelayWanted(),
    });
    this.#keeper = new Keeper(
      {
        clock,
        log,
        known: this.#known,
        connected: () => this.peers(),
        dial: (target) => this.#dial(target),
        walk: () => this.#providers.walk(),
        heal: () => {
          const connected = this.peers();
          medic.visit(connected);
          this.#peers.warnOfOutdated();
          this.gate?.visit();
          this.#reach.visit(connected);
          this.#relays.visit(connected);
          direct.visit(connected);
        },
      },
      // One list may serve a whole swarm, the bootstrap peers included.
      options.bootstrap.filter((address) => !address.endsWith(`/p2p/${this.self}`)),
    );
  }

  async start(): Promise<void> {
    const { node, ids, options } = this.#init;
    // Before the start: who identifies us in the first moment must already see it.
    await node.handle(ids.membership, (stream) => stream.abort(new Error('nothing to say')));
    node.addEventListener('peer:discovery', ({ detail: { id, multiaddrs } }) => {
      // A stranger that only asked something is discovered, too; there is no way to dial it.
      if (multiaddrs.length > 0) this.#learn(peerOf(id));
    });
    this.#peers.onChange((peer, connected) => this.#onPeerChange(peer, connected));
    node.addEventListener('peer:identify', ({ detail: { peerId, observedAddr } }) => {
      const peer = peerOf(peerId);
      if (peer !== undefined) this.#reach.identified(peer, observedAddr);
    });
    this.handle(REACH_PROTOCOL, (parcel, from) => this.#reach.answer(parcel, from));
    const { gate } = this;
    if (gate !== undefined) {
      node.addEventListener('connection:open', ({ detail }) => gate.opened(detail));
      await node.handle(
        ids.direct(MEMBERSHIP_PROTOCOL),
        (stream, { remotePeer }) => this.#serveJoins(gate, stream, remotePeer),
        STREAM_OPTIONS,
      );
    }
    try {
      await node.start();
    } catch (error) {
      const hint = 'Choose another address or stop the program that uses this one';
      throw new ConfigError('listen', `${options.listen.join(', ')} (${listenFault(error)})`, hint);
    }
    for (const { id, protocols } of await node.peerStore.all()) {
      if (protocols.includes(ids.membership)) this.#learn(peerOf(id));
    }
    this.#keeper.start();
  }

  peers(): readonly PeerId[] {
    return this.#peers.all();
  }

  relayOf(peer: PeerId): PeerId | undefined {
    const connection = this.#bestConnection(peer);
    return connection?.direct === false ? relayIn(String(connection.remoteAddr)) : undefined;
  }

  publish(topic: string, message: Uint8Array): Promise<void> {
    this.#init.parts.bandwidth?.up.charge(message.length);
    return this.#gossip.publish(topic, message);
  }

  subscribe(topic: string, handle: GossipHandler): () => void {
    return this.#gossip.subscribe(topic, (message, from) => {
      this.#init.parts.bandwidth?.down.charge(message.length);
      handle(message, from);
    });
  }

  request(to: PeerId, protocol: string, parcel: Parcel, options: RequestOptions): Promise<Parcel> {
    return this.#requests.request(to, protocol, parcel, options);
  }

  handle(protocol: string, answer: Answer): void {
    const { node, ids, parts } = this.#init;
    assert(!this.#handled.has(protocol), `${protocol} has a handler already`);
    this.#handled.add(protocol);
    node
      .handle(
        ids.direct(protocol),
        this.#behindDoor(async (stream, { remotePeer }) => {
          const from = peerOf(remotePeer);
          if (from === undefined) stream.abort(new Error('not an Ed25519 peer'));
          else await this.#requests.serve(stream, from, this.#forMembers(protocol, answer));
        }),
        STREAM_OPTIONS,
      )
      .catch((error: unknown) => {
        // The handler itself is set at once; what may fail is telling peers of it.
        parts.log.warn('could not announce a protocol', { protocol, reason: errorMessage(error) });
      });
  }

  provide(key: Uint8Array): Promise<void> {
    return this.#providers.provide(key);
  }

  findProviders(key: Uint8Array, options: RequestOptions): Promise<readonly PeerId[]> {
    return this.#providers.findProviders(key, options);
  }

  addresses(): readonly string[] {
    return this.#init.node.getMultiaddrs().map(String);
  }

  dial(address: string): Promise<PeerId> {
    return this.#dial({ address });
  }

  onPeerChange(listener: PeerChange): () => void {
    return this.#peers.onChange(listener);
  }

  status(): SwarmStatus {
    const { node, options } = this.#init;
    return {
      self: this.self,
      network: options.network,
      listen: this.addresses(),
      reachability: this.#reach.verdict,
      connections: node
        .getConnections()
        .flatMap(({ remotePeer, remoteAddr, direction, direct, rtt: latencyMs }) => {
          const peer = peerOf(remotePeer);
          if (peer === undefined || !this.#peers.has(peer)) return [];
          const agent = this.#peers.agentOf(peer);
          const address = remoteAddr.toString();
          return [{ peer, address, direction, relayed: !direct, latencyMs, agent }];
        }),
      knownPeers: this.#known.size,
      routingTableSize: this.#providers.routingTableSize(),
      topics: this.#gossip.status(),
      bootstrap: this.#keeper.bootstrapStatus(),
      unreachable: this.#known.unreachable(),
      refused: this.#init.admission.counts(),
      refusedBy: this.gate?.refusedBy() ?? [],
      outdated: this.#peers.outdated(),
      relay: this.#relays.status(),
    };
  }

  diagnose(): Promise<NetworkReport> {
    return diagnose({
      ...{ ...this.#probeParts(), node: this.#init.node, reach: this.#reach },
      status: () => this.status(),
      isRelayWanted: () => this.#isRelayWanted(),
      walk: () => this.#providers.walk(),
    });
  }

  #isRelayWanted(): boolean {
    const { use, offer } = this.#init.options.relay;
    return use !== false && offer === undefined && this.#reach.verdict !== 'public';
  }

  #probeParts() {
    const { options, parts } = this.#init;
    const { clock, random } = parts;
    return { clock, random, network: options.network, key: options.members?.record.key };
  }

  stop(): Promise<void> {
    this.#stopping ??= (async () => {
      this.#keeper.stop();
      this.gate?.stop();
      await this.#init.node.stop();
      await this.#init.datastore?.close();
    })();
    return this.#stopping;
  }

  async #dial(target: PeerId | { readonly address: string }): Promise<PeerId> {
    const { node, parts } = this.#init;
    const byId = typeof target === 'string';
    const what = `dialling ${byId ? target : target.address}`;
    this.gate?.demandOwnStanding();
    return withDeadline(parts.clock, DIAL_TIMEOUT_MS, what, async (signal) => {
      const whom = byId ? remoteOf(target) : multiaddr(target.address);
      const connection = await node.dial(whom, { signal }).catch((error: unknown) => {
        throw new ProtocolError('unreachable', `${what}: ${errorMessage(error)}`);
      });
      this.#identifyLate(connection, signal);
      return this.#peers.admitted(connection, signal);
    });
  }

  /**
   * libp2p identifies a new connection once, and not again when that has failed. Such a connection
   * is found by every later dial; it gets a second chance, and is given up if that fails too.
   */
  #identifyLate(connection: Connection, signal: AbortSignal): void {
    const peer = peerOf(connection.remotePeer);
    if (this.gate !== undefined) return;
    const ageMs = Date.now() - connection.timeline.open;
    if (peer === undefined || this.#peers.has(peer) || ageMs < IDENTIFY_MS) return;
    this.#init.node.services.identify
      .identify(connection, { signal })
      .catch((error: unknown) => connection.abort(new Error(errorMessage(error))));
  }

  async #open(peer: PeerId, protocol: string, signal: AbortSignal): Promise<FramedStream> {
    const { ids } = this.#init;
    try {
      const connection = await this.#connectionTo(peer, signal);
      await this.gate?.passes(connection);
      const pace = paceOf(this.#init.parts.bandwidth, peer);
      return await openStream(connection, ids.direct(protocol), signal, pace);
    } catch (error) {
      const code = error instanceof ProtocolError ? error.code : 'unreachable';
      throw new ProtocolError(code, `${protocol} to ${peer}: ${errorMessage(error)}`);
    }
  }

  /** libp2p dials anew each time when there is only a relayed one, and that may take long. */
  async #connectionTo(peer: PeerId, signal: AbortSignal): Promise<Connection> {
    const { node } = this.#init;
    return this.#bestConnection(peer) ?? node.dial(remoteOf(peer), { signal });
  }

  #bestConnection(peer: PeerId): Connection | undefined {
    const all = this.#init.node.getConnections(remoteOf(peer));
    const open = all.filter(({ status }) => status === 'open');
    return open.find(({ direct }) => direct) ?? open[0];
  }

  #createGate(members: Members): Gate {
    const { node, parts, admission, options } = this.#init;
    const { clock, log } = parts;
    const { graceMs } = options;
    const joins = new Requests({
      clock,
      log,
      bodyBytesMax: MEMBERSHIP_LIMITS.messageBytesMax,
      open: (peer, protocol, signal) => this.#openJoin(peer, protocol, signal),
    });
    this.#joins = joins;
    return new Gate({
      members,
      admission,
      clock,
      log,
      graceMs,
      request: (to, protocol, parcel, timeoutMs) => {
        const bodyBytesMax = MEMBERSHIP_LIMITS.messageBytesMax;
        return joins.request(to, protocol, parcel, { timeoutMs, bodyBytesMax });
      },
      connections: (peer) => node.getConnections(peer && remoteOf(peer)),
      connected: () => this.peers(),
      identify: (connection) => node.services.identify.identify(connection),
      reject: (connection, reason) => {
        const peer = peerOf(connection.remotePeer);
        if (peer !== undefined && reason.code === 'revoked') this.#known.forget(peer);
        this.#peers.reject(connection, reason);
      },
    });
  }

  /** On a connection that is there: the join protocol is no reason to dial. */
  async #openJoin(peer: PeerId, protocol: string, signal: AbortSignal): Promise<FramedStream> {
    const { node, ids } = this.#init;
    const open = node.getConnections(remoteOf(peer)).find(({ status }) => status === 'open');
    if (open === undefined) throw new ProtocolError('unreachable', `${peer} is not connected`);
    return openStream(open, ids.direct(protocol), signal);
  }

  async #serveJoins(gate: Gate, stream: Stream, remote: Connection['remotePeer']): Promise<void> {
    const from = peerOf(remote);
    if (from === undefined) stream.abort(new Error('not an Ed25519 peer'));
    else await this.#joins?.serve(stream, from, (parcel, peer) => gate.answer(parcel, peer));
  }

  /** A handler whose streams are admitted peers' only. */
  #behindDoor(handler: StreamHandler): StreamHandler {
    const { gate } = this;
    if (gate === undefined) return handler;
    const guarded = guardedHandler(handler, (connection) => gate.passes(connection));
    return async (stream, connection) => void (await guarded(stream, connection));
  }

  /** Streams live long: whether their peer may still speak is asked again for each request. */
  #forMembers(protocol: string, answer: Answer): Answer {
    return async (parcel, from) => {
      const refusal = this.#init.admission.refuses(from, protocol);
      if (refusal !== undefined) throw new ProtocolError('not-a-member', refusal);
      return answer(parcel, from);
    };
  }

  #learn(peer: PeerId | undefined): void {
    if (peer === undefined) return;
    this.#known.learn(peer, this.#init.parts.clock.now());
  }

  #onPeerChange(peer: PeerId, connected: boolean): void {
    const now = this.#init.parts.clock.now();
    this.#known.learn(peer, now);
    const target = this.#known.get(peer);
    if (target === undefined) return;
    if (connected) {
      this.#known.succeeded(target);
      this.#keeper.lookAround();
    } else {
      this.#reach.forget(peer);
      // A moment's patience: the peer may be gone for good, or be dialling us already.
      target.dueAt = now + this.#init.options.redial.firstMs;
    }
  }

  #hangUp(peer: PeerId, reason: string): void {
    this.#init.parts.log.debug('hung up', { peer, reason });
    for (const connection of this.#init.node.getConnections(remoteOf(peer))) {
      connection.abort(new Error(reason));
    }
  }
}

/** @throws ProtocolError 'unsupported' when the other side does not speak it */
async function openStream(
  connection: Connection,
  id: string,
  signal: AbortSignal,
  pace?: StreamPace,
): Promise<FramedStream> {
  try {
    const stream = await connection.newStream(id, { signal, runOnLimitedConnection: true });
    return new FramedStream(stream, pace);
  } catch (error) {
    if (!(error instanceof Error && error.name === 'UnsupportedProtocolError')) throw error;
    throw new ProtocolError('unsupported', errorMessage(error));
  }
}
