import './polyfill.ts';
import { noise } from '@chainsafe/libp2p-noise';
import type { Connection } from '@libp2p/interface';
import { tcp } from '@libp2p/tcp';
import { yamux } from '@libp2p/yamux';
import { multiaddr } from '@multiformats/multiaddr';
import { type Clock, errorMessage, type PeerId, ProtocolError } from '@starling/core';
import { createLibp2p, type Libp2p } from 'libp2p';
import { withDeadline } from './deadline.ts';
import { peerOf, privateKeyOf } from './identity.ts';
import { protector } from './libp2p-node.ts';
import { SWARM_VERSION, SWARM_VERSION_MAX, versionMarker } from './protocol-ids.ts';

export interface Fault {
  /**
   * Why an address does not lead into the swarm: malformed, dns, refused, timed-out, no-route,
   * wrong-peer, wrong-key, version-mismatch, other-network, not-a-member, unreachable; or a reason
   * that a peer gave.
   */
  readonly code: string;
  readonly detail: string;
}

export interface ProbeOptions {
  /** 32 bytes of an identity; a throw-away one unless it matters who asks. */
  readonly seed: Uint8Array;
  /** The socket's key in a private swarm. */
  readonly key?: Uint8Array | null | undefined;
  readonly clock: Clock;
  /** For one address: to be dialled, encrypted and multiplexed. */
  readonly dialMs?: number;
}

const DIAL_MS = 15_000;

/** A node that only dials, and runs nothing over its connections: it finds out how far one gets. */
export class Prober {
  readonly #node: Libp2p;
  readonly #options: ProbeOptions;
  /** Whether somebody has taken the last connection that was dialled. */
  readonly #reached: { yes: boolean };

  private constructor(node: Libp2p, reached: { yes: boolean }, options: ProbeOptions) {
    this.#node = node;
    this.#reached = reached;
    this.#options = options;
  }

  static async start(options: ProbeOptions): Promise<Prober> {
    const { seed, key, dialMs = DIAL_MS } = options;
    const reached = { yes: false };
    const reach = (): void => {
      reached.yes = true;
    };
    const node = await createLibp2p({
      privateKey: await privateKeyOf(seed),
      transports: [tcp({ dialOpts: { noDelay: true } })],
      ...(key ? { connectionProtector: protector(key, reach) } : {}),
      connectionEncrypters: [noise()],
      streamMuxers: [yamux()],
      connectionMonitor: { enabled: false },
      connectionManager: { dialTimeout: dialMs, addressDialTimeout: dialMs },
    });
    return new Prober(node, reached, options);
  }

  /**
   * Connects to an address; one at a time.
   * @throws ProtocolError with the code of a `Fault`
   */
  async dial(address: string): Promise<Connection> {
    const { clock, dialMs = DIAL_MS, key } = this.#options;
    const target = parsed(address);
    this.#reached.yes = false;
    return withDeadline(clock, dialMs, 'dialling', (signal) =>
      this.#node.dial(target, {
        signal,
        onProgress: ({ type }) => {
          if (type.startsWith('upgrader:')) this.#reached.yes = true;
        },
      }),
    ).catch((error: unknown) => {
      const isPrivate = key !== null && key !== undefined;
      throw dialFault(messagesOf(error), { hasReached: this.#reached.yes, isPrivate });
    });
  }

  /**
   * Whether a peer of `network` is there that speaks this version.
   * @throws ProtocolError with the code of a `Fault`
   */
  async reach(address: string, network: string): Promise<{ peer: PeerId; connection: Connection }> {
    const connection = await this.dial(address);
    const peer = peerOf(connection.remotePeer);
    if (peer === undefined) throw new ProtocolError('other-network', 'not a Starling peer');
    const { clock, dialMs = DIAL_MS } = this.#options;
    await withDeadline(clock, dialMs, 'asking for the swarm', (signal) =>
      demandVersion(connection, network, signal),
    );
    return { peer, connection };
  }

  async stop(): Promise<void> {
    await this.#node.stop();
  }
}

/** What a dial failed with, as a fault. */
export function faultOf(error: unknown): Fault {
  const code = error instanceof ProtocolError ? error.code : 'unreachable';
  return { code: code === 'timeout' ? 'timed-out' : code, detail: errorMessage(error) };
}

/**
 * Asks a peer which version of the swarm's wire it speaks, by the marker that each has.
 * @throws ProtocolError 'version-mismatch' or 'other-network'
 */
export async function demandVersion(
  connection: Connection,
  network: string,
  signal: AbortSignal,
): Promise<void> {
  const versions = Array.from({ length: SWARM_VERSION_MAX }, (_, i) => i + 1);
  // Ours first: of several that both speak the first is taken.
  const wanted = [SWARM_VERSION, ...versions.filter((version) => version !== SWARM_VERSION)];
  const ids = wanted.map((version) => versionMarker(network, version));
  const options = { signal, runOnLimitedConnection: true };
  let spoken: string;
  try {
    const stream = await connection.newStream(ids, options);
    spoken = stream.protocol;
    stream.abort(new Error('nothing to say'));
  } catch (error) {
    if (!(error instanceof Error && error.name === 'UnsupportedProtocolError')) throw error;
    throw otherNetwork(connection.remotePeer.toString(), network);
  }
  const version = wanted[ids.indexOf(spoken)];
  if (version !== SWARM_VERSION) throw versionMismatch(connection.remotePeer.toString(), version!);
}

export const otherNetwork = (peer: string, network: string): ProtocolError =>
  new ProtocolError('other-network', `${peer} is of another swarm than ${network}`);

export function versionMismatch(peer: string, theirs: number): ProtocolError {
  const older = theirs < SWARM_VERSION ? 'it' : 'this peer';
  const spoken = `version ${theirs} of the swarm's protocol`;
  const what = `${peer} speaks ${spoken} and this peer ${SWARM_VERSION}`;
  return new ProtocolError('version-mismatch', `${what}: ${older} must be updated`);
}

function parsed(address: string) {
  try {
    return multiaddr(address);
  } catch (error) {
    throw new ProtocolError('malformed', `not an address (${errorMessage(error)})`);
  }
}

interface Progress {
  readonly hasReached: boolean;
  readonly isPrivate: boolean;
}

/** libp2p's words for what goes wrong in a dial, and what they mean here. */
function dialFault(message: string, { hasReached, isPrivate }: Progress): ProtocolError {
  const code = CODE.exec(message)?.[1];
  switch (code) {
    case 'ECONNREFUSED':
      return new ProtocolError('refused', 'nobody listens there (ECONNREFUSED)');
    case 'EHOSTUNREACH':
    case 'ENETUNREACH':
    case 'EADDRNOTAVAIL':
      return new ProtocolError('no-route', `there is no way to it (${code})`);
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return new ProtocolError('dns', `the name is not known (${code})`);
    case 'ETIMEDOUT':
      return new ProtocolError('timed-out', `no answer (${code})`);
    default:
  }
  if (/UnexpectedPeer|did not match|does not match/i.test(message)) {
    return new ProtocolError('wrong-peer', 'another peer is there');
  }
  const isLate = /nothing within|TimeoutError|timed? ?out|aborted/i.test(message);
  // Of two ends of which one has a key each waits for what the other never says.
  if (isLate && hasReached && !isPrivate) {
    // A peer with a key takes our first bytes for its nonce, and may then wait for more.
    const why = 'it hangs, or has a key that this peer has not, or is no Starling peer';
    return new ProtocolError('timed-out', `it takes the connection and says nothing: ${why}`);
  }
  // With another key what comes is noise: sometimes it ends, sometimes more seems to be coming.
  if (hasReached) {
    const whose = isPrivate ? "it has another swarm's key" : 'it has a key that this peer has not';
    const how = `${whose}, or is no Starling peer (${firstLine(message)})`;
    return new ProtocolError('wrong-key', `no handshake: ${how}`);
  }
  return isLate
    ? new ProtocolError('timed-out', 'no answer in time')
    : new ProtocolError('unreachable', firstLine(message));
}

const CODE =
  /\b(ECONNREFUSED|EHOSTUNREACH|ENETUNREACH|EADDRNOTAVAIL|ETIMEDOUT|ENOTFOUND|EAI_AGAIN)\b/;

const firstLine = (message: string): string => message.split('\n')[0]!.slice(0, 200);

/** Of an error and of what it gathers: libp2p wraps what each address failed with. */
function messagesOf(error: unknown): string {
  const inner = error instanceof AggregateError ? error.errors : [];
  const cause = error instanceof Error && error.cause !== undefined ? [error.cause] : [];
  const name = error instanceof Error ? `${error.message} [${error.name}]` : String(error);
  return [name, ...[...inner, ...cause].map(messagesOf)].join('\n');
}
