import { type GossipSub, type Message, TopicValidatorResult } from '@libp2p/gossipsub';
import { errorMessage, LIMITS, type Log, type PeerId, ProtocolError } from '@starling/core';
import type { Admission } from './admission.ts';
import { peerOf } from './identity.ts';
import type { ProtocolIds } from './protocol-ids.ts';

export type GossipHandler = (message: Uint8Array, from: PeerId) => void;

export interface TopicStatus {
  readonly topic: string;
  /** Peers known to listen. */
  readonly subscribers: number;
  /** Those of them that we exchange whole messages with. */
  readonly mesh: number;
}

export interface GossipParts {
  readonly ids: ProtocolIds;
  readonly admission: Admission;
  readonly log: Log;
}

/**
 * Small messages to everybody who listens on a topic. Messages carry the author's libp2p signature
 * (StrictSign), for two reasons: `from` is then the author and not the last hop; and a message's id
 * is author and sequence number, so that a message that is published again is delivered again.
 * Without signatures the id is the hash of the data, and a repeated vote would be swallowed for two
 * minutes. The price is one Ed25519 check per message.
 */
export class Gossip {
  readonly #pubsub: GossipSub;
  readonly #ids: ProtocolIds;
  readonly #admission: Admission;
  readonly #log: Log;
  readonly #handlers = new Map<string, Set<GossipHandler>>();

  constructor(pubsub: GossipSub, { ids, admission, log }: GossipParts) {
    this.#pubsub = pubsub;
    this.#ids = ids;
    this.#admission = admission;
    this.#log = log;
    pubsub.addEventListener('message', ({ detail }) => this.#deliver(detail));
  }

  /** @throws ProtocolError 'too-large': beyond 4 MiB gossipsub drops a message without a word */
  async publish(topic: string, message: Uint8Array): Promise<void> {
    if (message.length > LIMITS.controlBytesMax) {
      const size = `${message.length} bytes, at most ${LIMITS.controlBytesMax}`;
      throw new ProtocolError('too-large', `gossip of ${size}`);
    }
    await this.#pubsub.publish(this.#ids.topic(topic), message);
  }

  subscribe(topic: string, handle: GossipHandler): () => void {
    const name = this.#ids.topic(topic);
    // An entry of its own per call: the same function may subscribe twice and leave once.
    const entry: GossipHandler = (message, from) => handle(message, from);
    const handlers = this.#handlers.get(name) ?? new Set();
    handlers.add(entry);
    if (!this.#handlers.has(name)) {
      this.#handlers.set(name, handlers);
      this.#pubsub.topicValidators.set(name, (_sender, message) => this.#validate(message));
      this.#pubsub.subscribe(name);
    }
    return () => {
      if (!handlers.delete(entry) || handlers.size > 0) return;
      this.#handlers.delete(name);
      this.#pubsub.topicValidators.delete(name);
      this.#pubsub.unsubscribe(name);
    };
  }

  status(): readonly TopicStatus[] {
    return [...this.#handlers.keys()].map((topic) => ({
      topic,
      subscribers: this.#pubsub.getSubscribers(topic).length,
      mesh: hasMesh(this.#pubsub) ? this.#pubsub.getMeshPeers(topic).length : 0,
    }));
  }

  /**
   * What is too large is neither delivered nor passed on, and counts against who sent it. What a
   * stranger wrote is dropped too, and counts against nobody: who passed it on may know its author.
   */
  #validate(message: Message): TopicValidatorResult {
    if (message.data.length > LIMITS.controlBytesMax) return TopicValidatorResult.Reject;
    const author = message.type === 'signed' ? peerOf(message.from) : undefined;
    const refusal = author && this.#admission.refuses(author, 'gossip');
    return refusal === undefined ? TopicValidatorResult.Accept : TopicValidatorResult.Ignore;
  }

  #deliver(message: Message): void {
    const handlers = this.#handlers.get(message.topic);
    if (handlers === undefined || message.type !== 'signed') return;
    const from = peerOf(message.from);
    if (from === undefined) return;
    for (const handle of handlers) {
      try {
        handle(message.data, from);
      } catch (error) {
        // The other subscribers, and the process, have no part in this one's fault.
        const { topic } = message;
        this.#log.error('a gossip handler threw', { topic, reason: errorMessage(error) });
      }
    }
  }
}

interface MeshView {
  getMeshPeers(topic: string): readonly string[];
}

/** gossipsub's class has it, the interface that its factory declares has not. */
function hasMesh(pubsub: GossipSub): pubsub is GossipSub & MeshView {
  return 'getMeshPeers' in pubsub;
}
