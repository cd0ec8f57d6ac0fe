import { multiaddr } from '@multiformats/multiaddr';
import {
  type Bandwidth,
  type Clock,
  ConfigError,
  errorMessage,
  type Log,
  type PeerId,
  type Random,
} from '@starling/core';
import type { Members, Vouching } from '@starling/membership';
import { MEMBERSHIP_LIMITS } from '@starling/protocol-membership';

export interface SwarmOptions {
  /** 32 bytes, the seed of the Ed25519 identity. */
  readonly seed: Uint8Array;
  /** Names the swarm; it is part of every protocol id and topic, so two swarms never mix. */
  readonly network: string;
  /** Multiaddrs such as `/ip4/0.0.0.0/tcp/4001`; empty for a node that only dials. */
  readonly listen: readonly string[];
  /**
   * Addresses to tell others in place of the listen addresses. Needed on a public address: libp2p
   * keeps those to itself until AutoNAT has confirmed them (js-libp2p#2867).
   */
  readonly announce?: readonly string[];
  /** Multiaddrs to enter the swarm by; with or without `/p2p/…` at their end. */
  readonly bootstrap?: readonly string[];
  /** Looks for peers of the same swarm on the LAN. */
  readonly mdns?: boolean;
  /** Directory for what is known about other peers; in memory when absent. */
  readonly datastore?: string;
  /** The swarm's members; `network` must then be theirs. Without, a name is all that it takes. */
  readonly members?: Members;
  /** The owner's own list of peers to have anything to do with; everybody when absent. */
  readonly allow?: readonly PeerId[];
  /** Whose vouches let in peers beside that list; without members, the voters alone. */
  readonly vouching?: Vouching;
  /** How long a connection may stay on which nobody has shown a credential. */
  readonly graceMs?: number;
  readonly monitor?: MonitorOptions;
  readonly redial?: RedialOptions;
  readonly relay?: RelayOptions;
  /** Asks the router for a port by UPnP; off unless told, since it searches the LAN for routers. */
  readonly upnp?: boolean;
}

export interface RelayOptions {
  /** What this peer carries for others; nothing unless told. Others must be able to reach it. */
  readonly offer?: RelayOffer;
  /** Lets others reach this peer through relays while they cannot dial it; true by default. */
  readonly use?: boolean;
}

/** libp2p's own limits, 128 KiB and two minutes, end every training; these are the owner's. */
export interface RelayOffer {
  /** Relayed connections at a time, and peers that may be reached. */
  readonly maxConnections: number;
  /** For each relayed connection, both ways together; without limit when absent. */
  readonly bytesMax?: number;
  /** How long a relayed connection may be; without limit when absent. */
  readonly secondsMax?: number;
}

/** How a hung peer is noticed: one ping per interval; a late answer ends the connection. */
export interface MonitorOptions {
  readonly intervalMs: number;
  /** Below the interval: overlapping pings abort a healthy connection. */
  readonly timeoutMs: number;
}

export interface RedialOptions {
  readonly firstMs: number;
  readonly maxMs: number;
}

export interface SwarmParts {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  /** Milliseconds since 1970, for comparison with others'; this machine's unless told. */
  readonly wallMs?: () => number;
  /** Caps over all streams and gossip; none when absent. */
  readonly bandwidth?: Bandwidth | undefined;
}

type Optional = 'datastore' | 'members' | 'allow' | 'vouching';
export type CheckedOptions = Required<Omit<SwarmOptions, Optional>> & {
  readonly datastore: string | undefined;
  readonly members: Members | undefined;
  readonly allow: ReadonlySet<PeerId> | undefined;
  readonly vouching: Vouching | undefined;
};

/** 8 s let a peer's event loop block that long, which a loaded laptop does. */
const MONITOR: MonitorOptions = { intervalMs: 10_000, timeoutMs: 8_000 };
const GRACE_MS = 10_000;
const REDIAL: RedialOptions = { firstMs: 500, maxMs: 30_000 };
/** With its prefix it must fit into one DNS label (63 bytes), for mDNS. */
const NETWORK = /^[a-z0-9][a-z0-9-]{0,47}$/;

/** Fills in defaults. @throws ConfigError naming the key */
export function checkOptions(options: SwarmOptions): CheckedOptions {
  const { monitor = MONITOR, redial = REDIAL } = options;
  if (!NETWORK.test(options.network)) {
    const hint = 'Use 1 to 48 small letters, digits and hyphens';
    throw new ConfigError('network', `"${options.network.slice(0, 80)}" is not a name`, hint);
  }
  if (!(monitor.timeoutMs > 0 && monitor.timeoutMs < monitor.intervalMs)) {
    const got = `timeoutMs ${monitor.timeoutMs} with intervalMs ${monitor.intervalMs}`;
    // ping allows one outbound stream; the second of two overlapping pings aborts the connection.
    throw new ConfigError('monitor', got, 'The timeout must be positive and below the interval');
  }
  if (!(redial.firstMs > 0 && redial.firstMs <= redial.maxMs)) {
    throw new ConfigError('redial', 'firstMs must be positive and at most maxMs');
  }
  const { members, allow, vouching } = options;
  if (members !== undefined && members.network !== options.network) {
    throw new ConfigError('network', `${options.network} is not the name of the members' swarm`);
  }
  if (vouching !== undefined) checkVouching(vouching);
  if (options.relay?.offer !== undefined) checkOffer(options.relay.offer);
  checkAddresses('listen', options.listen);
  checkAddresses('announce', options.announce ?? []);
  checkAddresses('bootstrap', options.bootstrap ?? []);
  return {
    ...options,
    monitor,
    redial,
    announce: options.announce ?? [],
    bootstrap: options.bootstrap ?? [],
    mdns: options.mdns ?? false,
    datastore: options.datastore,
    graceMs: options.graceMs ?? GRACE_MS,
    members,
    allow: allow && new Set(allow),
    vouching,
    relay: options.relay ?? {},
    upnp: options.upnp ?? false,
  };
}

function checkVouching({ voters, least }: Vouching): void {
  const { votersMax } = MEMBERSHIP_LIMITS;
  if (voters.size > votersMax) {
    throw new ConfigError('vouching.voters', `${voters.size} voters, at most ${votersMax}`);
  }
  if (Number.isSafeInteger(least) && least >= 1 && least <= voters.size) return;
  throw new ConfigError('vouching.least', `${least} of ${voters.size} voters`);
}

function checkOffer({ maxConnections, bytesMax, secondsMax }: RelayOffer): void {
  for (const [key, value] of Object.entries({ maxConnections, bytesMax, secondsMax })) {
    if (value === undefined || (Number.isSafeInteger(value) && value > 0)) continue;
    throw new ConfigError(`relay.${key}`, `${value}`, 'It must be a whole number above 0');
  }
}

function checkAddresses(key: string, addresses: readonly string[]): void {
  for (const address of addresses) {
    try {
      multiaddr(address);
    } catch (error) {
      const hint = 'An address looks like /ip4/192.0.2.1/tcp/4001/p2p/12D3KooW…';
      throw new ConfigError(key, `"${address}" (${errorMessage(error)})`, hint);
    }
  }
}
