/** The one place of the version of what runs over connections; protocols have their own beside. */
export const SWARM_VERSION = 2;
/** Versions that a peer is asked for, to say which it speaks. */
export const SWARM_VERSION_MAX = 9;

/** What a peer that speaks `version` in `network` lists among its protocols. */
export const versionMarker = (network: string, version: number): string =>
  `/starling/swarm/${version}/${network}`;

/** Every id on the wire names the swarm: peers of two swarms have no protocol in common. */
export interface ProtocolIds {
  /** Says only "I am of this swarm"; what identify looks for. */
  readonly membership: string;
  readonly dht: string;
  /** Service name for mDNS. */
  readonly mdns: string;
  readonly direct: (protocol: string) => string;
  readonly topic: (topic: string) => string;
}

export function protocolIds(network: string): ProtocolIds {
  return {
    membership: versionMarker(network, SWARM_VERSION),
    dht: `/starling/kad/1.0.0/${network}`,
    mdns: `_starling-${network}._udp.local`,
    direct: (protocol) => `${protocol}/${network}`,
    topic: (topic) => `/starling/${network}/${topic}`,
  };
}
