import type { Transport } from '@starling/core';

export interface Traffic {
  /** Bytes this node handed to the network; a gossip message counts once, however many relay it. */
  readonly bytesOut: number;
  /** Bytes of gossip and answers that reached this node. */
  readonly bytesIn: number;
}

/** Counts what a node sends and gets, above the transport's own framing and encryption. */
export function metered(inner: Transport): { transport: Transport; traffic: () => Traffic } {
  let bytesOut = 0;
  let bytesIn = 0;
  const transport: Transport = {
    self: inner.self,
    peers: () => inner.peers(),
    relayOf: (peer) => inner.relayOf?.(peer),
    onPeerChange: (listen) => inner.onPeerChange(listen),
    publish(topic, message) {
      bytesOut += message.length;
      return inner.publish(topic, message);
    },
    subscribe: (topic, handle) =>
      inner.subscribe(topic, (message, from) => {
        bytesIn += message.length;
        handle(message, from);
      }),
    async request(to, protocol, parcel, options) {
      bytesOut += parcel.header.length + parcel.body.length;
      const answer = await inner.request(to, protocol, parcel, options);
      bytesIn += answer.header.length + answer.body.length;
      return answer;
    },
    handle: (protocol, answer) =>
      inner.handle(protocol, async (parcel, from) => {
        bytesIn += parcel.header.length + parcel.body.length;
        const reply = await answer(parcel, from);
        bytesOut += reply.header.length + reply.body.length;
        return reply;
      }),
    provide: (key) => inner.provide(key),
    findProviders: (key, options) => inner.findProviders(key, options),
  };
  return { transport, traffic: () => ({ bytesOut, bytesIn }) };
}
