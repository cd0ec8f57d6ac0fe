import { compareText, concatBytes, type PeerId } from '@starling/core';
import { sha256 } from '@starling/crypto';
import {
  checkVouch,
  decodeVouch,
  encodeVouch,
  isNewerVouch,
  MEMBERSHIP_LIMITS,
  type SwarmId,
  type Vouch,
  vouchHolds,
  vouchPlaceOf,
} from '@starling/protocol-membership';
import { decoded, KNOWN, NEW, no, type Taken } from './taken.ts';

export interface VouchesParts {
  readonly swarm: SwarmId;
  readonly self: PeerId;
  /** Peers whose word counts to this peer's owner; nobody's when empty. */
  readonly voters: ReadonlySet<PeerId>;
}

/**
 * Vouches that matter to one peer, merged by union, of two in one place the newer kept: its
 * voters', those about it, which it shows where it is not let in, and its own. Others are not kept:
 * in an open swarm whoever makes up keys could fill every disk with them. Spec §7.3.
 */
export class Vouches {
  readonly #parts: VouchesParts;
  /** By peer, then by signer. */
  readonly #held = new Map<PeerId, Map<PeerId, Vouch>>();
  readonly #bySigner = new Map<PeerId, number>();
  #digest: Uint8Array | undefined;

  constructor(parts: VouchesParts) {
    this.#parts = parts;
  }

  /** Takes an encoded vouch; its time does not matter here. */
  take(encoded: Uint8Array): Taken | { readonly kind: 'unneeded' } {
    const vouch = decoded(() => decodeVouch(encoded));
    if (vouch === undefined) return no('malformed', 'the vouch does not decode');
    const { peer, signer } = vouch.body;
    if (!this.#isNeeded(vouch)) return { kind: 'unneeded' };
    const held = this.of(peer, signer);
    if (held !== undefined && !isNewerVouch(vouch, held)) return KNOWN;
    const verdict = checkVouch(vouch, this.#parts.swarm);
    if (!verdict.ok) return no(verdict.reason, verdict.detail);
    if (held === undefined && !this.#hasRoom(vouch)) {
      return no('malformed', `more than ${MEMBERSHIP_LIMITS.vouchesEachMax} vouches`);
    }
    const about = this.#held.get(peer) ?? new Map<PeerId, Vouch>();
    about.set(signer, vouch);
    this.#held.set(peer, about);
    if (held === undefined) this.#bySigner.set(signer, 1 + (this.#bySigner.get(signer) ?? 0));
    this.#digest = undefined;
    return NEW;
  }

  /** The newest word of a signer about a peer, a withdrawal too. */
  of(peer: PeerId, signer: PeerId): Vouch | undefined {
    return this.#held.get(peer)?.get(signer);
  }

  /** Voters that vouch for a peer at `now`, in seconds since 1970. */
  vouchersOf(peer: PeerId, now: number): readonly PeerId[] {
    return [...(this.#held.get(peer)?.values() ?? [])]
      .filter((vouch) => this.#parts.voters.has(vouch.body.signer) && vouchHolds(vouch, now))
      .map(({ body }) => body.signer);
  }

  /** What this peer can show for itself. */
  aboutSelf(): readonly Vouch[] {
    return [...(this.#held.get(this.#parts.self)?.values() ?? [])];
  }

  /** All of them, by peer and signer. */
  all(): readonly Vouch[] {
    return [...this.#held.values()]
      .flatMap((about) => [...about.values()])
      .sort((a, b) => compareText(vouchPlaceOf(a), vouchPlaceOf(b)));
  }

  /** Equal on two peers exactly when they hold the same vouches. */
  digest(): Uint8Array {
    this.#digest ??= sha256(concatBytes(...this.all().map((vouch) => sha256(encodeVouch(vouch)))));
    return this.#digest;
  }

  #isNeeded({ body }: Vouch): boolean {
    const { self, voters } = this.#parts;
    return body.peer === self || body.signer === self || voters.has(body.signer);
  }

  #hasRoom({ body: { signer } }: Vouch): boolean {
    const { self, voters } = this.#parts;
    const isCounted = signer === self || voters.has(signer);
    const count = isCounted ? (this.#bySigner.get(signer) ?? 0) : this.#fromOthers();
    return count < MEMBERSHIP_LIMITS.vouchesEachMax;
  }

  /** Vouches about this peer by those whose word counts to others only. */
  #fromOthers(): number {
    return this.aboutSelf().filter(({ body }) => !this.#parts.voters.has(body.signer)).length;
  }
}
