import { type Parcel, type PeerId, ProtocolError, type Transport } from '@starling/core';

type Answer = (parcel: Parcel, from: PeerId) => Promise<Parcel>;

/** Direct requests between transports in one process: no time passes and nothing is lost. */
export class MemoryNetwork {
  readonly #handlers = new Map<string, Answer>();
  /** Told of each request before it is answered; what it throws is the answer. */
  onRequest: (from: PeerId, to: PeerId) => Promise<void> | void = () => {};
  /** Told of each answer before it arrives; what it throws arrives in its place. */
  onAnswer: (from: PeerId, to: PeerId) => Promise<void> | void = () => {};
  readonly #listeners = new Map<PeerId, (peer: PeerId, connected: boolean) => void>();

  /** Tells a peer that another is connected now. */
  connect(self: PeerId, peer: PeerId): void {
    this.#listeners.get(self)?.(peer, true);
  }

  transport(name: string): Transport {
    const self = name as PeerId;
    return {
      self,
      peers: () => [],
      publish: async () => {},
      subscribe: () => () => {},
      onPeerChange: (listen) => {
        this.#listeners.set(self, listen);
        return () => this.#listeners.delete(self);
      },
      request: async (to, protocol, parcel) => {
        await this.onRequest(self, to);
        const answer = this.#handlers.get(`${to} ${protocol}`);
        if (answer === undefined) throw new ProtocolError('unreachable', `${to} is not here`);
        try {
          const answered = await answer(parcel, self);
          await this.onAnswer(self, to);
          return answered;
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
