import { concatBytes, fromHex, type PeerId, toHex, utf8 } from '@starling/core';
import { sha256 } from '@starling/crypto';
import type { Envelope } from '@starling/protocol-rounds';
import { ROUNDS_LABEL } from '@starling/protocol-rounds';

/** Knows who is who in a roster, from the JOINs and ROSTERs that were sent. */
export class Rosters {
  readonly #joins = new Map<string, PeerId>();
  readonly #rosters = new Map<string, readonly (PeerId | undefined)[]>();

  learn({ body, hash, sender }: Envelope): void {
    if (body.kind === 'join') this.#joins.set(hash, sender);
    if (body.kind !== 'roster') return;
    // A JOIN that travelled by pulls only is unknown here; its place in the order still counts.
    const members = body.joins.map((join) => this.#joins.get(join));
    const digest = sha256(utf8(`${ROUNDS_LABEL}/roster`), concatBytes(...body.joins.map(fromHex)));
    this.#rosters.set(toHex(digest), members);
  }

  /** The roster an envelope was sent under, in roster order. */
  of({ roster }: Envelope): readonly (PeerId | undefined)[] | undefined {
    return roster === null ? undefined : this.#rosters.get(toHex(roster));
  }
}
