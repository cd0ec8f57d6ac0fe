import type { Connection } from '@libp2p/interface';
import { isPrivate } from '@libp2p/utils';
import { type Multiaddr, multiaddr } from '@multiformats/multiaddr';
import {
  type Clock,
  decodeCanonical,
  encodeCanonical,
  errorMessage,
  type Log,
  type Parcel,
  type PeerId,
} from '@starling/core';
import { REACH_LIMITS, REACH_PROTOCOL, reachAnswer, reachRequest } from '@starling/protocol-reach';
import { remoteOf } from './identity.ts';
import type { Node } from './libp2p-node.ts';
import type { Fault } from './probe.ts';

/** How another peer sees this one. */
export interface Seen {
  readonly peer: PeerId;
  /** From where this peer's connection comes; absent when it is relayed. */
  readonly observed?: string;
  /** The other's wall clock minus ours, in milliseconds; half a round trip inexact. */
  readonly skewMs: number;
  /** Addresses at which the other tried to dial this peer. */
  readonly dialled: readonly { readonly address: string; readonly fault?: string }[];
}

/**
 * `public`: dialled by another peer at an address of the internet. `local`: at one of its own
 * network only. `unreachable`: somebody tried, and failed. `unknown`: nobody could be asked yet.
 */
export type Reachability = 'public' | 'local' | 'unreachable' | 'unknown';

export interface ReachParts {
  readonly node: Node;
  readonly clock: Clock;
  readonly log: Log;
  /** Wall clock, in milliseconds since 1970. */
  readonly wallMs: () => number;
  readonly request: (to: PeerId, protocol: string, parcel: Parcel, ms: number) => Promise<Parcel>;
  /** Dials an address as a stranger, up to the proof of who is there. */
  readonly probe: (address: string) => Promise<Fault | undefined>;
}

const ASK_MS = 15_000;
const FIRST_WAIT_MS = 500;
const AGAIN_MS = 5 * 60_000;
/** While nobody could be asked, or nobody has reached us. */
const RETRY_MS = 30_000;
const NO_HEADER = new Uint8Array(0);

/** Asks others how they see this peer, and answers when they ask; protocol `reach`. */
export class Reach {
  readonly #parts: ReachParts;
  readonly #dialledAt = new Map<PeerId, number>();
  #verdict: Reachability = 'unknown';
  #dueAt = 0;
  #asking = false;
  #turn = 0;

  constructor(parts: ReachParts) {
    this.#parts = parts;
  }

  get verdict(): Reachability {
    return this.#verdict;
  }

  /** Call it a few times a second; asks one connected peer now and then. */
  visit(connected: readonly PeerId[]): void {
    const now = this.#parts.clock.now();
    if (connected.length === 0) {
      this.#dueAt = now + FIRST_WAIT_MS;
      return;
    }
    if (this.#asking || now < this.#dueAt) return;
    const direct = connected.filter((peer) => this.#direct(peer) !== undefined);
    const peer = direct[this.#turn++ % Math.max(1, direct.length)];
    if (peer === undefined) return;
    this.#asking = true;
    this.ask(peer)
      .catch((error: unknown) => {
        this.#parts.log.debug('not told how it is seen', { peer, reason: errorMessage(error) });
      })
      .finally(() => {
        this.#asking = false;
        const isSettled = this.#verdict === 'public' || this.#verdict === 'local';
        this.#dueAt = this.#parts.clock.now() + (isSettled ? AGAIN_MS : RETRY_MS);
      });
  }

  /** @throws ProtocolError when the peer does not answer */
  async ask(peer: PeerId): Promise<Seen> {
    const { wallMs, request } = this.#parts;
    const body = encodeCanonical(reachRequest, { addresses: await this.#candidates(peer) });
    const before = wallMs();
    const parcel = await request(peer, REACH_PROTOCOL, { header: NO_HEADER, body }, ASK_MS);
    const answer = decodeCanonical(reachAnswer, parcel.body, REACH_LIMITS.messageBytesMax);
    // What is dialled takes time at the other end, which reads its clock before.
    const skewMs = answer.seconds * 1000 + answer.millis - before;
    const seen: Seen = {
      peer,
      ...(answer.observed !== null && { observed: answer.observed }),
      skewMs,
      dialled: answer.dialled.map(({ address, fault }) => ({
        address,
        ...(fault !== null && { fault }),
      })),
    };
    this.#conclude(seen);
    return seen;
  }

  async answer({ body }: Parcel, from: PeerId): Promise<Parcel> {
    const now = this.#parts.wallMs();
    const { addresses } = decodeCanonical(reachRequest, body, REACH_LIMITS.messageBytesMax);
    const observed = this.#direct(from)?.remoteAddr;
    const dialled = [];
    const refusal = this.#dialRefusal(from, addresses.length);
    for (const address of addresses) {
      const fault = refusal ?? (await this.#tried(address, from, observed));
      dialled.push({ address, fault: fault?.slice(0, REACH_LIMITS.faultBytesMax) ?? null });
    }
    const answer = {
      observed: observed === undefined ? null : hostAndPort(observed),
      seconds: Math.floor(now / 1000),
      millis: Math.floor(now % 1000),
      dialled,
    };
    return { header: NO_HEADER, body: encodeCanonical(reachAnswer, answer) };
  }

  /** One peer must not make this one dial without end. */
  #dialRefusal(from: PeerId, addresses: number): string | undefined {
    if (addresses === 0) return undefined;
    const now = this.#parts.clock.now();
    for (const [peer, at] of this.#dialledAt) {
      if (now - at >= REACH_LIMITS.dialEveryMs) this.#dialledAt.delete(peer);
    }
    if (this.#dialledAt.has(from)) return 'not dialled: asked too often';
    this.#dialledAt.set(from, now);
    return undefined;
  }

  async #tried(
    address: string,
    from: PeerId,
    observed: Multiaddr | undefined,
  ): Promise<string | undefined> {
    const host = observed && hostOf(observed);
    // Whoever could name any address could make us knock anywhere.
    if (host === undefined || hostOf(parse(address)) !== host) {
      return 'not dialled: not the host that you come from';
    }
    return (await this.#parts.probe(`${address}/p2p/${from}`))?.detail;
  }

  /** Where the other may reach us: our ports, announced ones included, at the host that it sees. */
  async #candidates(peer: PeerId): Promise<readonly string[]> {
    const { addressManager } = this.#parts.node.services.inside;
    const observed = this.#observedBy(peer);
    if (observed === undefined) return [];
    const family = observed.host.includes(':') ? 'ip6' : 'ip4';
    const ports = new Set<string>();
    for (const { multiaddr: own } of addressManager.getAddressesWithMetadata()) {
      const names = own.getComponents();
      if (names.some(({ name }) => name === 'p2p-circuit')) continue;
      const port = names.find(({ name }) => name === 'tcp')?.value;
      if (port !== undefined && port !== '0') ports.add(port);
    }
    return [...ports]
      .slice(0, REACH_LIMITS.addressesMax)
      .map((port) => `/${family}/${observed.host}/tcp/${port}`);
  }

  /** What identify has said of the connection, which is what the peer will go by. */
  #observedBy(peer: PeerId): { readonly host: string } | undefined {
    const at = this.#observed.get(peer);
    const host = at && hostOf(at);
    return host === undefined ? undefined : { host };
  }

  readonly #observed = new Map<PeerId, Multiaddr>();

  /** For each identify: from where that peer sees us. */
  identified(peer: PeerId, observedAddr: Multiaddr | undefined): void {
    if (observedAddr !== undefined) this.#observed.set(peer, observedAddr);
  }

  forget(peer: PeerId): void {
    this.#observed.delete(peer);
  }

  /**
   * One who reached us says more than many who did not. Public addresses are told to others only
   * once they are confirmed, for which libp2p would want AutoNAT (js-libp2p#2867).
   */
  #conclude({ dialled }: Seen): void {
    const tried = dialled.filter(({ fault }) => !fault?.startsWith('not dialled'));
    const reached = tried.filter(({ fault }) => fault === undefined).map(({ address }) => address);
    if (tried.length === 0) return;
    const open = reached.map((address) => multiaddr(address));
    const { addressManager } = this.#parts.node.services.inside;
    for (const address of open) {
      if (isPrivate(address)) continue;
      addressManager.addObservedAddr(address);
      addressManager.confirmObservedAddr(address);
    }
    if (open.some((address) => !isPrivate(address))) this.#verdict = 'public';
    else if (open.length > 0) this.#verdict = 'local';
    else this.#verdict = 'unreachable';
  }

  #direct(peer: PeerId): Connection | undefined {
    return this.#parts.node
      .getConnections(remoteOf(peer))
      .find(({ direct, status }) => direct && status === 'open');
  }
}

function parse(address: string): Multiaddr | undefined {
  try {
    return multiaddr(address);
  } catch {
    return undefined;
  }
}

/** Only of plain TCP addresses: names and relays are for others to resolve. */
function hostOf(address: Multiaddr | undefined): string | undefined {
  const [host, port] = address?.getComponents() ?? [];
  if (host === undefined || port?.name !== 'tcp') return undefined;
  return host.name === 'ip4' || host.name === 'ip6' ? host.value : undefined;
}

function hostAndPort(address: Multiaddr): string {
  const [host, port] = address.getComponents();
  return `/${host?.name}/${host?.value}/${port?.name}/${port?.value}`;
}
