import { DecodeError, equalBytes, type PeerId } from '@starling/core';
import type { Members } from '@starling/membership';
import {
  decodeVouch,
  encodeVouch,
  type JoinAnswer,
  type JoinRequest,
} from '@starling/protocol-membership';
import type { Admission } from './admission.ts';

export interface VouchExchangeParts {
  readonly members: Members;
  readonly admission: Admission;
  readonly ask: (peer: PeerId, request: JoinRequest) => Promise<JoinAnswer>;
}

type VouchRequest = Extract<JoinRequest, { kind: 'vouch' | 'vouches' }>;

/** Peers whose last digest is remembered; of others everything is fetched again. */
const KNOWN_MAX = 1_024;

/** How vouches get about: fetched from neighbours, and shown by whom they are about. Spec §7.3. */
export class VouchExchange {
  readonly #parts: VouchExchangeParts;
  /** Digests of what neighbours held when it was fetched. */
  readonly #known = new Map<PeerId, Uint8Array>();

  constructor(parts: VouchExchangeParts) {
    this.#parts = parts;
  }

  /**
   * What to do about an answer to hello that says that the other's owner has not listed this peer:
   * show who vouches for it. True when it was taken, and hello is worth another try.
   */
  async answers(peer: PeerId, answer: JoinAnswer): Promise<boolean> {
    if (answer.kind !== 'refused' || answer.reason !== 'not-listed') return false;
    const vouches = this.#parts.members.vouches.aboutSelf().map(encodeVouch);
    if (vouches.length === 0) return false;
    return (await this.#parts.ask(peer, { kind: 'vouch', vouches })).kind === 'taken';
  }

  /** Fetches what a neighbour holds, unless it is what it held before. */
  async fetch(peer: PeerId): Promise<void> {
    const { members, ask } = this.#parts;
    const known = this.#known.get(peer) ?? new Uint8Array(32);
    const answer = await ask(peer, { kind: 'vouches', known });
    if (answer.kind !== 'vouches' || equalBytes(answer.digest, known)) return;
    if (this.#known.size >= KNOWN_MAX) this.#known.clear();
    this.#known.set(peer, answer.digest);
    await members.takeVouches(answer.vouches, peer);
  }

  async answer(request: VouchRequest, from: PeerId): Promise<JoinAnswer> {
    const { members, admission } = this.#parts;
    const refusal = admission.refusal(from);
    if (request.kind === 'vouches') {
      if (refusal !== undefined) return notIn(refusal);
      const digest = members.vouches.digest();
      const isKnown = equalBytes(digest, request.known);
      const vouches = isKnown ? [] : members.vouches.all().map(encodeVouch);
      return { kind: 'vouches', digest, vouches };
    }
    // Whom the owner has not listed may speak for itself; whom the swarm does not let in may not.
    const isUnlisted = refusal !== undefined && members.standing(from).ok;
    const isItsOwn = isUnlisted && request.vouches.every((each) => isAbout(from, each));
    if (refusal !== undefined && !isItsOwn) return notIn(refusal);
    return (await members.takeVouches(request.vouches, from)) ?? { kind: 'taken' };
  }
}

const notIn = (detail: string): JoinAnswer => ({ kind: 'refused', reason: 'not-a-member', detail });

function isAbout(peer: PeerId, encoded: Uint8Array): boolean {
  try {
    return decodeVouch(encoded).body.peer === peer;
  } catch (error) {
    if (error instanceof DecodeError) return false;
    throw error;
  }
}
