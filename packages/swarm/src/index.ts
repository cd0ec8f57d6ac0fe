/**
 * The network: libp2p behind the `Transport` port. No other package imports libp2p; README.md has
 * the wire format and the traps.
 */
import './polyfill.ts';

export {
  type BootstrapFinding,
  type NetworkReport,
  type ProbeParts,
  probeAddress,
} from './diagnosis.ts';
export type { RefusedBy } from './gate.ts';
export type { TopicStatus } from './gossip.ts';
export type { BootstrapStatus } from './keeper.ts';
export type { UnreachablePeer } from './known-peers.ts';
export type {
  MonitorOptions,
  RedialOptions,
  RelayOffer,
  RelayOptions,
  SwarmOptions,
  SwarmParts,
} from './options.ts';
export type { PeerChange } from './peers.ts';
export type { Fault } from './probe.ts';
export { type RawLink, rawLink } from './raw-link.ts';
export type { Reachability, Seen } from './reach.ts';
export { type Redeemed, type RedeemParts, redeemInvite } from './redeem-invite.ts';
export type { RelayStatus } from './relays.ts';
export type { ConnectionStatus, Swarm, SwarmStatus } from './status.ts';
export { createSwarm } from './swarm.ts';
