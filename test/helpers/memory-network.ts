import { type Parcel, type PeerId, ProtocolError, type Transport } from '@starling/core';

type Answer = (parcel: Parcel, from: PeerId) => Promise<Parcel>;

/** Direct requests between transports in one process: no time passes and nothing is lost. */
export class MemoryNetwork {
  readonly #handlers = new Map<string, Answer>();
  /** Told of each request before it is answered; what it throws is the answer. */
  onRequest: (from: PeerId, to: PeerId) => Promise<void> | void = () => {};

  transport(name: string): Transport {
    const self = name as PeerId;
    return {
      self,
      peers: () => [],
      publish: async () => {},
      subscribe: () => () => {},
      onPeerChange: () => () => {},
      request: async (to, protocol, parcel) => {
        await this.onRequest(self, to);
        const answer = this.#handlers.get(`${to} ${protocol}`);
        if (answer === undefined) throw new ProtocolError('unreachable', `${to} is not here`);
        try {
          return await answer(parcel, self);
        } catch (error) {
          if (error instanceof ProtocolError) throw new ProtocolError('refused', error.message);
          throw error;
        }
      },
      handle: (protocol, answer) => void this.#handlers.set(`${self} ${protocol}`, answer),
      provide: async () => {},
      findProviders: async () => [],
    };
  }
}
