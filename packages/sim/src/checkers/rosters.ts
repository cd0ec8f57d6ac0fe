import type { PeerId } from '@starling/core';
import { toHex } from '@starling/core';
import type { Envelope } from '@starling/protocol-rounds';
import { cellsDigest, cutCells, rosterDigest } from '@starling/rounds';
import { fromBitmap } from '@starling/secagg';

/** Peers in order; one whose JOIN or ACK travelled by pulls only is unknown, its place counts. */
type Members = readonly (PeerId | undefined)[];

/** Who is in the roster, or in the cell, that an envelope was sent under. */
export class Rosters {
  readonly #cellSize: number;
  readonly #joins = new Map<string, PeerId>();
  readonly #rosters = new Map<string, Members>();
  /** Digest of a roster → sender → what it revealed. */
  readonly #reveals = new Map<string, Map<PeerId, Uint8Array>>();
  /** Digest of a roster's cells → its cells. */
  readonly #cells = new Map<string, readonly Members[]>();

  constructor(cellSize: number) {
    this.#cellSize = cellSize;
  }

  learn({ body, hash, sender, roster }: Envelope): void {
    if (body.kind === 'join') this.#joins.set(hash, sender);
    if (body.kind === 'roster') {
      const members = body.joins.map((join) => this.#joins.get(join));
      this.#rosters.set(toHex(rosterDigest(body.joins)), members);
    }
    if (roster === null) return;
    const name = toHex(roster);
    if (body.kind === 'ack') {
      const reveals = this.#reveals.get(name) ?? new Map<PeerId, Uint8Array>();
      this.#reveals.set(name, reveals.set(sender, body.reveal));
    }
    if (body.kind === 'cells') this.#learnCells(roster, body.acked);
  }

  #learnCells(roster: Uint8Array, acked: Uint8Array): void {
    const members = this.#rosters.get(toHex(roster));
    const listed = members && fromBitmap(acked, members.length);
    const peers = listed?.flatMap((member) => members?.[member] ?? []);
    if (peers === undefined || peers.length !== listed?.length) return;
    const revealed = this.#reveals.get(toHex(roster));
    const reveals = peers.flatMap((peer) => revealed?.get(peer) ?? []);
    if (reveals.length !== peers.length) return;
    const digest = cellsDigest(roster, acked, reveals);
    const cells = cutCells(peers, digest, this.#cellSize);
    const named = cells.map((cell) => cell.map((index) => peers[index]));
    this.#cells.set(toHex(digest), named);
    this.#rosters.set(toHex(digest), peers);
  }

  /** The cell whose messages an envelope is one of, in order; the roster when it has one cell. */
  of({ roster, sender, body }: Envelope): Members | undefined {
    if (roster === null) return undefined;
    const cells = body.kind === 'session' ? this.#cells.get(toHex(roster)) : undefined;
    if (cells === undefined) return this.#rosters.get(toHex(roster));
    return cells.find((cell) => cell.includes(sender));
  }
}
