import { join } from 'node:path';
import { type ControlClient, createControlClient } from '@starling/control';
import type { ConfigInput, DemoMessage, DemoStart, KillPlan } from '@starling/daemon';
import { PeerProcess } from './peer-process.ts';

export interface DemoSwarmOptions {
  readonly directory: string;
  /** The bundled entry of a demo daemon. */
  readonly entry: URL;
  readonly task: string;
  readonly onMessage: (peer: PeerProcess, message: DemoMessage) => void;
  readonly capture?: string | undefined;
  /** Whether the daemons show their inputs; they do unless told. */
  readonly observed?: boolean;
  /** What the configuration of a daemon has beside what the demo needs. */
  readonly configOf?: ((index: number) => Partial<ConfigInput>) | undefined;
}

/** Real daemons as processes on loopback; used by the demo and by the interop tests. */
export class DemoSwarm {
  readonly #options: DemoSwarmOptions;
  readonly peers: PeerProcess[] = [];

  constructor(options: DemoSwarmOptions) {
    this.#options = options;
  }

  get alive(): readonly PeerProcess[] {
    return this.peers.filter((peer) => peer.isAlive);
  }

  /** Starts peer `index` with a data folder; it enters by any living peer, and trusts peer 0. */
  async start(index: number, data: string, kill?: KillPlan): Promise<PeerProcess> {
    const { directory, entry, task, capture, onMessage, observed = true } = this.#options;
    const launcher = this.peers[0]?.peer;
    const start: DemoStart = {
      config: {
        network: 'demo',
        listen: ['/ip4/127.0.0.1/tcp/0'],
        bootstrap: this.alive.flatMap((peer) => peer.addresses),
        mdns: false,
        policy: { trust: launcher === undefined ? [] : [launcher], minPeers: 3, members: [] },
        log: 'info',
        ...this.#options.configOf?.(index),
      },
      stateDirectory: join(directory, `peer-${index}`),
      dataset: { name: 'mine', path: data, task },
      observed,
      kill,
      capture,
    };
    const peer = new PeerProcess(index, entry, start);
    peer.onMessage((message) => onMessage(peer, message));
    this.peers[index] = peer;
    await peer.until(() => peer.socket !== '', 'it was up');
    return peer;
  }

  /** Resolves when every living peer is connected to every other. */
  async connected(): Promise<void> {
    const { alive } = this;
    for (const peer of alive) {
      await peer.until(() => peer.peers >= alive.length - 1, 'it knew all others');
    }
  }

  client(peer: PeerProcess): ControlClient {
    return createControlClient(peer.socket);
  }

  async stop(): Promise<void> {
    await Promise.all(this.alive.map((peer) => peer.end('SIGTERM')));
  }
}
