/**
 * The network: libp2p behind the `Transport` port, and the exchange of blobs over any `Transport`.
 * No other package imports libp2p; README.md has the wire format and the reason of every setting.
 */
import './polyfill.ts';

export { type BlobExchange, type BlobExchangeParts, createBlobExchange } from './blob-exchange.ts';
export type { TopicStatus } from './gossip.ts';
export type { BootstrapStatus } from './keeper.ts';
export type { MonitorOptions, RedialOptions, SwarmOptions, SwarmParts } from './options.ts';
export type { PeerChange } from './peers.ts';
export { type ConnectionStatus, createSwarm, type Swarm, type SwarmStatus } from './swarm.ts';
