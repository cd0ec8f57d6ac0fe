import {
  compareText,
  decodeCanonical,
  encodeCanonical,
  fromHex,
  type JobId,
  type Journal,
  type PeerId,
  type RoundId,
  utf8,
} from '@starling/core';
import {
  CERTIFICATE_BYTES_MAX,
  type Certificate,
  certificateCodec,
} from '@starling/protocol-rounds';
import { type Ban, parseBan, parseSlot, type Slot, slotKey } from '@starling/rounds';

export interface Recovered {
  readonly certificates: readonly Certificate[];
  readonly joined: readonly { readonly roundId: RoundId; readonly slot: Slot }[];
  readonly bans: readonly (readonly [PeerId, Ban])[];
  /** The launcher's signature that calls the job off. */
  readonly cancelled: Uint8Array | undefined;
}

/** What one job keeps on disk: its chain, and every promise that outlives a crash. */
export class JobJournal {
  readonly #journal: Journal;
  readonly #prefix: string;

  constructor(journal: Journal, job: JobId) {
    this.#journal = journal;
    this.#prefix = `job/${job}/`;
  }

  async note(key: string, value: string): Promise<void> {
    await this.#journal.put(`${this.#prefix}note/${key}`, utf8(value));
  }

  /** The update with which this peer JOINed a slot. */
  async joinedWith(roundId: RoundId, slot: Slot): Promise<string | undefined> {
    const update = await this.#journal.get(`${this.#prefix}note/join/${roundId}/${slotKey(slot)}`);
    return update && new TextDecoder().decode(update);
  }

  /** Replaces the chain from index `from` on. */
  async storeChain(from: number, certificates: readonly Certificate[]): Promise<void> {
    for (const [i, certificate] of certificates.entries()) {
      const encoded = encodeCanonical(certificateCodec, certificate);
      await this.#journal.put(this.#chainKey(from + i), encoded);
    }
    // A shorter chain of more settled certificates leaves a tail behind.
    const end = this.#chainKey(from + certificates.length);
    for await (const [key] of this.#journal.entries(`${this.#prefix}chain/`)) {
      if (compareText(key, end) >= 0) await this.#journal.deletePrefix(key);
    }
  }

  async recover(): Promise<Recovered> {
    const certificates: Certificate[] = [];
    for await (const [, value] of this.#journal.entries(`${this.#prefix}chain/`)) {
      certificates.push(decodeCanonical(certificateCodec, value, CERTIFICATE_BYTES_MAX));
    }
    const joined: { roundId: RoundId; slot: Slot }[] = [];
    const prefix = `${this.#prefix}note/join/`;
    for await (const [key] of this.#journal.entries(prefix)) {
      const [roundId, ...slot] = key.slice(prefix.length).split('/');
      joined.push({ roundId: roundId as RoundId, slot: parseSlot(slot.join('/')) });
    }
    const word = await this.#journal.get(`${this.#prefix}note/cancelled`);
    const cancelled = word && fromHex(new TextDecoder().decode(word));
    return { certificates, joined, bans: await this.#bans(), cancelled };
  }

  async #bans(): Promise<readonly (readonly [PeerId, Ban])[]> {
    const bans: (readonly [PeerId, Ban])[] = [];
    const prefix = `${this.#prefix}note/ban/`;
    for await (const [key, value] of this.#journal.entries(prefix)) {
      bans.push([key.slice(prefix.length) as PeerId, parseBan(new TextDecoder().decode(value))]);
    }
    return bans;
  }

  #chainKey(index: number): string {
    return `${this.#prefix}chain/${String(index).padStart(8, '0')}`;
  }
}
