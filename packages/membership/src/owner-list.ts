import type { PeerId } from '@starling/core';
import type { Members } from './members.ts';

/** Peers whose word the owner takes, and how many of them must vouch for a peer. */
export interface Vouching {
  readonly voters: ReadonlySet<PeerId>;
  readonly least: number;
}

export interface OwnerListParts {
  /** Peers to have to do with in any case. */
  readonly allow?: ReadonlySet<PeerId> | undefined;
  readonly vouching?: Vouching | undefined;
  /** Who knows the vouches; without, voters are heard by nobody. */
  readonly members?: Members | undefined;
  /** This peer, which is always on its own list. */
  readonly self?: PeerId | undefined;
}

/**
 * With whom the owner of this peer wants to have to do: those it has listed, its voters, and those
 * for whom enough voters vouch; everybody when it has named neither list nor voters. Spec §7.3.
 */
export class OwnerList {
  readonly #parts: OwnerListParts;

  constructor(parts: OwnerListParts) {
    this.#parts = parts;
  }

  /** `not-listed: …`, or undefined when the owner does not mind. */
  refusal(peer: PeerId): string | undefined {
    const { allow, vouching, members, self } = this.#parts;
    if (allow === undefined && vouching === undefined) return undefined;
    if (peer === self || allow?.has(peer) || vouching?.voters.has(peer)) return undefined;
    const unlisted = `not-listed: ${peer} is not in policy.members`;
    if (vouching === undefined) return unlisted;
    const vouchers = members?.vouchersOf(peer).length ?? 0;
    if (vouchers >= vouching.least) return undefined;
    return `${unlisted}, and ${vouchers} of ${vouching.least} voters vouch for it`;
  }
}
