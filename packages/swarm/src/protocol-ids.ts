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
    membership: `/starling/swarm/1/${network}`,
    dht: `/starling/kad/1.0.0/${network}`,
    mdns: `_starling-${network}._udp.local`,
    direct: (protocol) => `${protocol}/${network}`,
    topic: (topic) => `/starling/${network}/${topic}`,
  };
}
