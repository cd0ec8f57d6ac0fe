import type { Log, Membership, PeerId } from '@starling/core';
import type { OwnerList } from '@starling/membership';

export interface AdmissionParts {
  readonly members: Membership | undefined;
  readonly list: OwnerList;
  readonly log: Log;
}

/** Peers of which a refusal is logged once each; beyond that they are only counted. */
const LOGGED_MAX = 256;

/**
 * Whether a peer may speak here: one question, asked at the connection, of every request and of
 * every message's author. What is refused is counted by reason, and logged once for each peer.
 */
export class Admission {
  readonly #parts: AdmissionParts;
  readonly #counts = new Map<string, number>();
  readonly #logged = new Set<string>();

  constructor(parts: AdmissionParts) {
    this.#parts = parts;
  }

  /** `reason: detail`, or undefined when the peer may speak. */
  refusal(peer: PeerId): string | undefined {
    const { members, list } = this.#parts;
    return list.refusal(peer) ?? members?.refusal(peer);
  }

  /** The same for something that `peer` wants here, counted and logged when it is refused. */
  refuses(peer: PeerId, what: string): string | undefined {
    const refusal = this.refusal(peer);
    if (refusal !== undefined) this.count(refusal, { peer, what });
    return refusal;
  }

  count(refusal: string, { peer, what }: { readonly peer: PeerId; readonly what: string }): void {
    const reason = refusal.split(':', 1)[0]!;
    this.#counts.set(reason, (this.#counts.get(reason) ?? 0) + 1);
    const key = `${peer} ${reason}`;
    if (this.#logged.has(key) || this.#logged.size >= LOGGED_MAX) return;
    this.#logged.add(key);
    this.#parts.log.info('refused', { peer, what, reason: refusal });
  }

  /** How much was refused since the start, by reason. */
  counts(): Readonly<Record<string, number>> {
    return Object.fromEntries(this.#counts);
  }
}
