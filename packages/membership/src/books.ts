import { compareText, concatBytes, fromHex, type PeerId } from '@starling/core';
import { hashHex, sha256 } from '@starling/crypto';
import {
  type Credential,
  checkRevocation,
  checkSignatures,
  checkTime,
  type Descriptor,
  decodeCredential,
  decodeRevocation,
  effective,
  encodeCredential,
  encodeRevocation,
  type InviteId,
  isNewer,
  MEMBERSHIP_LIMITS,
  placeOf,
  type Refusal,
  type Revocation,
  type Role,
  type Target,
  targetKey,
  type Verdict,
} from '@starling/protocol-membership';
import { decoded, KNOWN, NEW, no, type Taken } from './taken.ts';

export type Standing =
  | { readonly ok: true; readonly role: Role }
  | { readonly ok: false; readonly reason: Refusal; readonly detail: string };

/**
 * Who is a member and who is no more: credentials and revocations, merged by union, of two in one
 * place the newer kept. Whatever order they come in, two peers that have seen the same hold the
 * same. Time is passed in, in seconds since 1970; it decides what is valid now, never what is kept.
 */
export class Books {
  readonly descriptor: Descriptor;
  readonly #credentials = new Map<PeerId, Credential>();
  /** By target, then by place. */
  readonly #words = new Map<string, Map<string, Revocation>>();
  #wordCount = 0;
  /** What the signatures under each credential are worth with the words known now. */
  readonly #verdicts = new Map<PeerId, Verdict>();
  #digest: Uint8Array | undefined;

  constructor(descriptor: Descriptor) {
    this.descriptor = descriptor;
  }

  /** Revocations known: the version of the list. */
  get version(): number {
    return this.#wordCount;
  }

  /** Takes an encoded credential; its time does not matter here. */
  takeCredential(encoded: Uint8Array): Taken {
    const credential = decoded(() => decodeCredential(encoded));
    if (credential === undefined) return no('malformed', 'the credential does not decode');
    const { peer } = credential.body;
    const held = this.#credentials.get(peer);
    if (held !== undefined && !isLater(credential, held)) return KNOWN;
    // Whoever signed it may be revoked since: that says nothing about what is kept.
    const verdict = checkSignatures(credential, {
      descriptor: this.descriptor,
      isRevoked: () => false,
    });
    if (!verdict.ok) return no(verdict.reason, verdict.detail);
    if (held === undefined && this.#credentials.size >= MEMBERSHIP_LIMITS.membersMax) {
      return no('malformed', `more than ${MEMBERSHIP_LIMITS.membersMax} members`);
    }
    this.#credentials.set(peer, credential);
    this.#changed();
    return NEW;
  }

  takeRevocation(encoded: Uint8Array): Taken {
    const word = decoded(() => decodeRevocation(encoded));
    if (word === undefined) return no('malformed', 'the revocation does not decode');
    const key = targetKey(word.body.target);
    const place = placeOf(word);
    const held = this.#words.get(key)?.get(place);
    if (held !== undefined && !isNewer(word, held)) return KNOWN;
    const verdict = checkRevocation(word, this.descriptor);
    if (!verdict.ok) return no(verdict.reason, verdict.detail);
    if (held === undefined && this.#wordCount >= MEMBERSHIP_LIMITS.revocationsMax) {
      return no('malformed', `more than ${MEMBERSHIP_LIMITS.revocationsMax} revocations`);
    }
    const words = this.#words.get(key) ?? new Map<string, Revocation>();
    words.set(place, word);
    this.#words.set(key, words);
    if (held === undefined) this.#wordCount += 1;
    this.#changed();
    return NEW;
  }

  /** Whether a peer is a member at `now`, and in what role. */
  standing(peer: PeerId, now: number): Standing {
    const revoked = this.revocationsOf({ kind: 'peer', peer });
    if (revoked !== undefined) {
      const because = revoked[0]!.body.reason;
      const detail = `${peer} was revoked${because === '' ? '' : `: ${because}`}`;
      return { ok: false, reason: 'revoked', detail };
    }
    // The authority needs no credential: the swarm's id names it.
    if (this.descriptor.admins.includes(peer)) return { ok: true, role: 'admin' };
    const credential = this.#credentials.get(peer);
    const open = this.descriptor.access === 'open';
    if (credential === undefined) {
      if (open) return { ok: true, role: 'launcher' };
      return { ok: false, reason: 'not-a-member', detail: `${peer} has no credential here` };
    }
    if (!open) {
      const verdict = this.#checkSignatures(credential);
      const inTime = verdict.ok ? checkTime(credential.body, now) : verdict;
      if (!inTime.ok) return inTime;
    }
    return { ok: true, role: credential.body.role };
  }

  /** The role a peer's credential gives it, in its time or not; undefined when it is revoked. */
  roleEver(peer: PeerId): Role | undefined {
    const credential = this.#credentials.get(peer);
    const standing = this.standing(peer, credential?.body.notBefore ?? 0);
    return standing.ok ? standing.role : undefined;
  }

  /** What revokes a target; undefined while too few admins have said so. */
  revocationsOf(target: Target): readonly Revocation[] | undefined {
    const words = this.#words.get(targetKey(target));
    return words && effective([...words.values()], this.descriptor);
  }

  /** Every word about a target, enough or not. */
  wordsAbout(target: Target): readonly Revocation[] {
    return [...(this.#words.get(targetKey(target))?.values() ?? [])];
  }

  isInviteRevoked(invite: InviteId): boolean {
    return this.revocationsOf({ kind: 'invite', invite }) !== undefined;
  }

  credential(peer: PeerId): Credential | undefined {
    return this.#credentials.get(peer);
  }

  /** All credentials, by peer. */
  credentials(): readonly Credential[] {
    return [...this.#credentials]
      .sort(([a], [b]) => compareText(a, b))
      .map(([, credential]) => credential);
  }

  /** All words of revocation, by target and signer. */
  revocations(): readonly Revocation[] {
    return [...this.#words.values()]
      .flatMap((words) => [...words.values()])
      .sort((a, b) => compareText(placeOf(a), placeOf(b)));
  }

  /** Equal on two peers exactly when they hold the same books. */
  digest(): Uint8Array {
    this.#digest ??= sha256(
      concatBytes(
        ...this.credentials().map((credential) => fromHex(hashHex(encodeCredential(credential)))),
        ...this.revocations().map((word) => fromHex(hashHex(encodeRevocation(word)))),
      ),
    );
    return this.#digest;
  }

  #changed(): void {
    this.#digest = undefined;
    this.#verdicts.clear();
  }

  #checkSignatures(credential: Credential): Verdict {
    const { peer } = credential.body;
    const known = this.#verdicts.get(peer);
    if (known !== undefined) return known;
    const verdict = checkSignatures(credential, {
      descriptor: this.descriptor,
      isRevoked: (signer) => this.revocationsOf({ kind: 'peer', peer: signer }) !== undefined,
    });
    this.#verdicts.set(peer, verdict);
    return verdict;
  }
}

/** Of two credentials of one peer the one that ends later counts, then the one of greater bytes. */
function isLater(a: Credential, b: Credential): boolean {
  if (a.body.expires !== b.body.expires) return a.body.expires > b.body.expires;
  return hashHex(encodeCredential(a)) > hashHex(encodeCredential(b));
}
