import { type PeerId, ProtocolError } from '@starling/core';

export interface TurnLimits {
  /** Pieces of work under way at a time, of all peers together. */
  readonly atOnce: number;
  /** Of one peer, under way and waiting; above it the peer is told to come later. */
  readonly perPeer: number;
}

/** Lets peers have work done in turns: who asks for more waits no less than who asks once. */
export class FairTurns {
  readonly #limits: TurnLimits;
  /** What waits, by peer; the peers in the order of their next turns. */
  readonly #waiting = new Map<PeerId, (() => void)[]>();
  readonly #counts = new Map<PeerId, number>();
  #running = 0;

  constructor(limits: TurnLimits) {
    this.#limits = limits;
  }

  /** @throws ProtocolError 'busy', or what `work` throws */
  async run<T>(peer: PeerId, work: () => Promise<T>): Promise<T> {
    const count = this.#counts.get(peer) ?? 0;
    if (count >= this.#limits.perPeer) throw new ProtocolError('busy', 'too many requests at once');
    this.#counts.set(peer, count + 1);
    if (this.#running < this.#limits.atOnce) this.#running += 1;
    else await new Promise<void>((turn) => this.#enqueue(peer, turn));
    try {
      return await work();
    } finally {
      this.#passOn();
      const rest = this.#counts.get(peer)! - 1;
      if (rest > 0) this.#counts.set(peer, rest);
      else this.#counts.delete(peer);
    }
  }

  #enqueue(peer: PeerId, turn: () => void): void {
    const queue = this.#waiting.get(peer);
    if (queue === undefined) this.#waiting.set(peer, [turn]);
    else queue.push(turn);
  }

  /** The place goes to the peer whose last turn is longest ago, or is free. */
  #passOn(): void {
    const [next] = this.#waiting;
    if (next === undefined) {
      this.#running -= 1;
      return;
    }
    const [peer, queue] = next;
    const turn = queue.shift();
    this.#waiting.delete(peer);
    if (queue.length > 0) this.#waiting.set(peer, queue);
    turn?.();
  }
}
