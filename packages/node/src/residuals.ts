import { assert, type JobId, type Journal, type PeerId, utf8 } from '@starling/core';
import type { Certificate } from '@starling/protocol-rounds';
import { roundIdOf, slotKey, survivorsOf } from '@starling/rounds';

/** Bytes of one entry in the journal. */
const PIECE_BYTES = 1024 * 1024;

/**
 * What one peer's updates left over in one job, on disk: it goes into the next update. It is taken
 * over when a certificate has the very update that left it; until then, and for ever if that update
 * is burnt or loses its round, the one before stays. Never leaves this peer.
 */
export class Residuals {
  readonly #journal: Journal;
  readonly #self: PeerId;
  readonly #job: JobId;
  /** Which update's is held. */
  readonly #held: string;
  /** Updates that may still be certified, each with its data set. */
  readonly #open: string;
  readonly #data: string;
  readonly #notes: string;

  constructor(journal: Journal, job: JobId, self: PeerId) {
    this.#journal = journal;
    this.#self = self;
    this.#job = job;
    this.#held = `job/${job}/residual/held`;
    this.#open = `job/${job}/residual/open/`;
    this.#data = `job/${job}/residual/data/`;
    this.#notes = `job/${job}/note/attempt/`;
  }

  /** What goes into the next update of this data set; undefined when there is nothing. */
  async load(dataset: string): Promise<Float32Array | undefined> {
    const held = await this.#text(this.#held);
    if (held === undefined) return undefined;
    const { update, of } = JSON.parse(held) as Left;
    if (of !== dataset) return undefined;
    const pieces: Uint8Array[] = [];
    for await (const [, piece] of this.#journal.entries(`${this.#data}${update}/`)) {
      pieces.push(piece);
    }
    const bytes = new Uint8Array(pieces.reduce((sum, piece) => sum + piece.length, 0));
    let at = 0;
    for (const piece of pieces) {
      bytes.set(piece, at);
      at += piece.length;
    }
    return new Float32Array(bytes.buffer);
  }

  /** Whether an update waits for its certificate. */
  async isAwaiting(): Promise<boolean> {
    return (await this.#opened()).length > 0;
  }

  /** Keeps what `update` would leave over, on disk when it resolves. */
  async offer(update: string, dataset: string, residual: Float32Array): Promise<void> {
    const { buffer, byteOffset, byteLength } = residual;
    const bytes = new Uint8Array(buffer, byteOffset, byteLength);
    for (let at = 0; at < bytes.length; at += PIECE_BYTES) {
      const number = String(at / PIECE_BYTES).padStart(6, '0');
      const piece = bytes.subarray(at, at + PIECE_BYTES);
      await this.#journal.put(`${this.#data}${update}/${number}`, piece);
    }
    await this.#put(`${this.#open}${update}`, { update, of: dataset });
  }

  /**
   * Takes over what the certified update left, and forgets all others; to be called before the
   * certificates are stored, so that a crash in between forgets nothing.
   * @param late an update of which nothing was ever sent: what is kept of it is taken over when no
   *   other is certified
   */
  async settle(certificates: readonly Certificate[], late?: string): Promise<void> {
    const open = await this.#opened();
    if (open.length === 0) return;
    const unsent = open.find(({ update }) => update === late);
    if (unsent !== undefined) await this.#put(this.#held, unsent);
    for (const certificate of certificates) {
      const update = await this.#certified(certificate);
      const left = open.find((each) => each.update === update);
      if (left !== undefined) await this.#put(this.#held, left);
    }
    const held = await this.#text(this.#held);
    const kept = held && (JSON.parse(held) as Left).update;
    const gone = new Set<string>();
    for await (const [key] of this.#journal.entries(this.#data)) {
      const update = key.slice(this.#data.length).split('/')[0]!;
      if (update !== kept) gone.add(update);
    }
    for (const update of gone) await this.#journal.deletePrefix(`${this.#data}${update}/`);
    await this.#journal.deletePrefix(this.#open);
  }

  /** Forgets all of it: no further update will come. */
  async clear(): Promise<void> {
    await this.#journal.deletePrefix(this.#held);
    await this.#journal.deletePrefix(this.#open);
    await this.#journal.deletePrefix(this.#data);
  }

  /** This peer's update in the sum of a certificate, as noted before it was masked. */
  async #certified({ statement }: Certificate): Promise<string | undefined> {
    assert(statement.jobId === this.#job, 'a certificate of another job');
    if (!survivorsOf(statement).includes(this.#self)) return undefined;
    const { parent, round, restarts, attempt } = statement;
    const roundId = roundIdOf(this.#job, parent, round, restarts);
    return this.#text(`${this.#notes}${roundId}/${slotKey({ restarts, attempt })}/masked`);
  }

  async #opened(): Promise<readonly Left[]> {
    const open: Left[] = [];
    for await (const [, value] of this.#journal.entries(this.#open)) {
      open.push(JSON.parse(new TextDecoder().decode(value)) as Left);
    }
    return open;
  }

  async #text(key: string): Promise<string | undefined> {
    const value = await this.#journal.get(key);
    return value && new TextDecoder().decode(value);
  }

  async #put(key: string, left: Left): Promise<void> {
    await this.#journal.put(key, utf8(JSON.stringify(left)));
  }
}

/** An update that leaves something over, and the data set that it is of. */
interface Left {
  readonly update: string;
  readonly of: string;
}
