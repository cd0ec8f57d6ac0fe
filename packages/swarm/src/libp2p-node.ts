import './polyfill.ts';
import { noise } from '@chainsafe/libp2p-noise';
import {
  type CircuitRelayService,
  circuitRelayServer,
  circuitRelayTransport,
} from '@libp2p/circuit-relay-v2';
import { type GossipSub, gossipsub, StrictSign } from '@libp2p/gossipsub';
import { type Identify, type IdentifyPush, identify, identifyPush } from '@libp2p/identify';
import { type ConnectionGater, type ConnectionProtector, FaultTolerance } from '@libp2p/interface';
import type { AddressManager, TransportManager } from '@libp2p/interface-internal';
import { type KadDHT, kadDHT, passthroughMapper } from '@libp2p/kad-dht';
import { mdns } from '@libp2p/mdns';
import { type Ping, ping } from '@libp2p/ping';
import { preSharedKey } from '@libp2p/pnet';
import { tcp } from '@libp2p/tcp';
import { uPnPNAT } from '@libp2p/upnp-nat';
import { yamux } from '@libp2p/yamux';
import { LIMITS, toHex, utf8 } from '@starling/core';
import type { LevelDatastore } from 'datastore-level';
import { createLibp2p, type Libp2p } from 'libp2p';
import { giveCiphersRoom } from './cipher-room.ts';
import { privateKeyOf } from './identity.ts';
import type { CheckedOptions, RelayOffer } from './options.ts';
import type { ProtocolIds } from './protocol-ids.ts';
import { relayedThrough } from './relays.ts';
import { guarded, type Passes } from './service-guard.ts';

/** A type, not an interface: libp2p asks for an index signature. */
export type Services = {
  identify: Identify;
  identifyPush: IdentifyPush;
  ping: Ping;
  dht: KadDHT;
  pubsub: GossipSub;
  inside: Inside;
  relay?: CircuitRelayService;
  upnp?: unknown;
};

/** Parts of a node that libp2p gives to its services only. */
export interface Inside {
  readonly transportManager: TransportManager;
  readonly addressManager: AddressManager;
}

const inside = ({ transportManager, addressManager }: Inside): Inside => ({
  transportManager,
  addressManager,
});

export type Node = Libp2p<Services>;

/** For a connection to be dialled, encrypted and multiplexed. */
const HANDSHAKE_MS = 20_000;
/** How long libp2p itself tries to identify a new connection. */
export const IDENTIFY_MS = 10_000;
const WINDOW_BYTES = 4 * 1024 * 1024;
const HOP_QUESTIONS_MAX = 8;
/** Of a relay that limits only the other one. A timer takes no more. */
const UNLIMITED_BYTES = Number.MAX_SAFE_INTEGER;
const UNLIMITED_MS = 2 ** 31 - 1;
/** What may wait for one peer that does not read its gossip, before its stream is given up. */
export const GOSSIP_BUFFER_BYTES = 64 * LIMITS.controlBytesMax;

const CONNECTION_MANAGER = {
  // 5 connections a second per source address by default: peers behind one NAT are refused.
  inboundConnectionThreshold: 1_000,
  maxIncomingPendingConnections: 256,
  // A handshake costs 20 ms of CPU at each end. A hundred at once on a busy machine all run into
  // their deadlines, are thrown away and tried again: few at a time, with time enough.
  maxParallelDials: 4,
  dialTimeout: HANDSHAKE_MS,
  addressDialTimeout: HANDSHAKE_MS / 2,
  inboundUpgradeTimeout: HANDSHAKE_MS,
};

/** What keeps strangers away from a node. */
export interface NodeGuard {
  readonly gater: ConnectionGater;
  /** Where peers must show that they are members: whether their streams pass. */
  readonly doors?: { readonly services: Passes; readonly identify: Passes };
  /** 32 bytes: nobody without them gets as far as the Noise handshake. */
  readonly key?: Uint8Array | undefined;
}

/** For the two nonces of pnet: a peer without the key, or a silent one, waits for nothing. */
const NONCES_MS = 5_000;

/** The socket's cipher (pnet 1.0.0), from a key in libp2p's text form. */
export function protector(
  key: Uint8Array,
  onReached: () => void = () => {},
): () => ConnectionProtector {
  giveCiphersRoom();
  const make = preSharedKey({ psk: utf8(`/key/swarm/psk/1.0.0/\n/base16/\n${toHex(key)}`) });
  return () => {
    const inner = make();
    return {
      protect: (connection) => {
        onReached();
        return inner.protect(connection, { signal: AbortSignal.timeout(NONCES_MS) });
      },
    };
  };
}

const behindDoor = <C extends object, T>(factory: (components: C) => T, door?: Passes) =>
  door === undefined ? factory : guarded(factory, door);

/**
 * A libp2p node that is not started yet. Many of libp2p's defaults break a LAN or a small swarm
 * without a word; each setting here that differs says why.
 */
export async function createNode(
  options: CheckedOptions,
  ids: ProtocolIds,
  datastore: LevelDatastore | undefined,
  { gater, doors, key }: NodeGuard,
): Promise<Node> {
  const { listen, announce, monitor } = options;
  const maxRelayed = options.relay.offer?.maxConnections ?? 0;
  // Made below; nothing is relayed before.
  let made: Node | undefined;
  made = await createLibp2p<Services>({
    start: false,
    privateKey: await privateKeyOf(options.seed),
    ...(datastore === undefined ? {} : { datastore }),
    addresses: { listen: [...listen], announce: [...announce] },
    // A relay that is down must not stop the start; a TCP port that is taken must.
    transportManager: {
      faultTolerance: listen.some((address) => address.includes('/p2p-circuit'))
        ? FaultTolerance.NO_FATAL
        : FaultTolerance.FATAL_ALL,
    },
    transports: [
      tcp({ dialOpts: { noDelay: true }, listenOpts: { noDelay: true } }),
      behindDoor(circuitRelayTransport(), doors?.services),
    ],
    ...(key === undefined ? {} : { connectionProtector: protector(key) }),
    connectionGater: {
      ...gater,
      denyOutboundRelayedConnection: () =>
        relayedThrough(made?.getConnections() ?? []) >= maxRelayed,
    },
    connectionEncrypters: [noise()],
    streamMuxers: [
      yamux({
        streamOptions: {
          // The window may grow to 16 MiB by default, above the read buffer of 4 MiB: a paused
          // stream is then reset. The buffer must hold a whole window.
          maxStreamWindowSize: WINDOW_BYTES,
          maxReadBufferLength: 2 * WINDOW_BYTES,
        },
      }),
    ],
    connectionManager: CONNECTION_MANAGER,
    connectionMonitor: {
      pingInterval: monitor.intervalMs,
      pingTimeout: { minTimeout: monitor.timeoutMs, maxTimeout: monitor.timeoutMs },
    },
    peerDiscovery: options.mdns ? [mdns({ serviceTag: ids.mdns })] : [],
    services: {
      ...servicesOf(ids, doors),
      ...reachServicesOf(options, doors),
    },
  });
  return made;
}

/** What makes others, or this peer, reachable. */
function reachServicesOf({ relay: { offer }, upnp }: CheckedOptions, doors: NodeGuard['doors']) {
  return {
    inside,
    ...(offer && { relay: behindDoor(circuitRelayServer(serverOf(offer)), doors?.services) }),
    // Its way to confirm an address, AutoNAT, is not used: docs/decisions/0021.
    ...(upnp && { upnp: uPnPNAT({ autoConfirmAddress: true }) }),
  };
}

function serverOf({ maxConnections, bytesMax, secondsMax }: RelayOffer) {
  const isLimited = bytesMax !== undefined || secondsMax !== undefined;
  return {
    // 32 and 300 by default: how many one peer, and all together, may have at a time. Questions for
    // a place come on top.
    maxInboundHopStreams: maxConnections + HOP_QUESTIONS_MAX,
    maxOutboundStopStreams: maxConnections,
    reservations: {
      maxReservations: maxConnections,
      applyDefaultLimit: isLimited,
      ...(isLimited && {
        defaultDataLimit: BigInt(bytesMax ?? UNLIMITED_BYTES),
        defaultDurationLimit: Math.min((secondsMax ?? UNLIMITED_MS / 1000) * 1000, UNLIMITED_MS),
      }),
    },
  };
}

/** What runs over connections; behind doors, where there are any. */
function servicesOf(ids: ProtocolIds, doors: NodeGuard['doors']) {
  return {
    // Behind a door the gate calls it: whom identify does not know, no service knows.
    identify: behindDoor(
      identify({ timeout: IDENTIFY_MS, runOnConnectionOpen: doors === undefined }),
      doors?.identify,
    ),
    // Else nobody hears of an address that is found later, such as a relay's; and the DHT takes no
    // note of a peer without one.
    identifyPush: behindDoor(identifyPush(), doors?.services),
    // The DHT and the connection monitor ping over the same protocol, of which one stream each
    // way is allowed by default: when they meet, the monitor ABORTS the healthy connection.
    ping: behindDoor(ping({ maxInboundStreams: 16, maxOutboundStreams: 16 }), doors?.services),
    dht: behindDoor(
      kadDHT({
        protocol: ids.dht,
        // Unset means client until a public address is seen: on a LAN nobody would answer.
        clientMode: false,
        // The default drops private addresses: routing tables on a LAN would stay empty.
        peerInfoMapper: passthroughMapper,
        // Defaults (20, 10, 10) make every node dial almost every other: the join storm.
        kBucketSize: 8,
        alpha: 3,
        disjointPaths: 2,
        initialQuerySelfInterval: 1_000,
      }),
      doors?.services,
    ),
    pubsub: behindDoor(
      gossipsub({
        // Why messages are signed twice: see `Gossip`.
        globalSignaturePolicy: StrictSign,
        fallbackToFloodsub: false,
        allowPublishToZeroTopicPeers: true,
        // The default silently greylists everybody once more than ten peers share an address.
        scoreParams: { IPColocationFactorWeight: 0 },
        // A relay with limits makes connections over which gossip is silent unless told.
        runOnLimitedConnection: true,
        // Unbounded by default: a hung subscriber would take all memory. `Gossip` reopens.
        maxOutboundBufferSize: GOSSIP_BUFFER_BYTES,
      }),
      doors?.services,
    ),
  };
}
