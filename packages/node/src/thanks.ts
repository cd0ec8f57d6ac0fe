import {
  encodeCanonical,
  type JobId,
  type Journal,
  type PeerId,
  type Transport,
  toHex,
} from '@starling/core';
import { type SigningKey, sha256 } from '@starling/crypto';
import {
  type Certificate,
  type CertificateHash,
  gossipCodec,
  jobTopic,
  type Service,
  signThanks,
  statementHash,
  THANKED_MAX,
  THANKS_ANSWER_MAX,
  type Thanks,
  thankersOf,
} from '@starling/protocol-rounds';
import { type Chain, survivorsOf } from '@starling/rounds';

export interface ThanksParts {
  readonly job: JobId;
  readonly key: SigningKey;
  readonly journal: Journal;
  readonly transport: Transport;
  readonly chain: () => Chain;
  readonly inBackground: (work: Promise<void>) => void;
}

/** Thanks for certificates that this peer does not have yet. */
const WAITING_MAX = 256;
const BYTES_MAX = 2 ** 32 - 1;
const ROUND_DIGITS = 7;

type Counts = Record<'sums' | 'blobs' | 'relayed', number>;

/**
 * Who served whom: what this peer was served since its last thanks, and the thanks of others for
 * the rounds of the chain, on disk. They are receipts and decide nothing.
 */
export class ThanksBook {
  readonly #parts: ThanksParts;
  readonly #served = new Map<PeerId, Counts>();
  readonly #waiting = new Map<string, Thanks>();
  #thanked: CertificateHash | undefined;
  /** Of two by one signer the same one is kept everywhere, so they are taken in turn. */
  #turn: Promise<void> = Promise.resolve();

  constructor(parts: ThanksParts) {
    this.#parts = parts;
  }

  /** Counts bytes of a kind as they come from a peer, and for the relay that they came through. */
  counter(kind: 'sums' | 'blobs'): (peer: PeerId, bytes: number) => void {
    return (peer, bytes) => {
      this.#count(peer, kind, bytes);
      const relay = this.#parts.transport.relayOf?.(peer);
      if (relay !== undefined) this.#count(relay, 'relayed', bytes);
    };
  }

  /** The chain has grown: thanks for its last round, if this peer is among those who thank. */
  certified(): void {
    for (const thanks of [...this.#waiting.values()]) this.take(thanks);
    const certificate = this.#parts.chain().at(-1);
    // Who was served nothing says that, too: others count a round when a quorum has spoken.
    if (certificate === undefined) return;
    const { key, transport, job, inBackground } = this.#parts;
    const hash = statementHash(certificate.statement);
    if (hash === this.#thanked || !mayThank(certificate, key.peerId)) return;
    this.#thanked = hash;
    const thanks = signThanks({ certificate: hash, services: this.#services() }, key);
    this.#served.clear();
    this.take(thanks);
    const message = encodeCanonical(gossipCodec, { kind: 'thanks', thanks: thanks.bytes });
    inBackground(transport.publish(jobTopic(job), message));
  }

  /**
   * Keeps what somebody thanks for, if it may; what is about no round of the chain waits.
   * @returns the round
   */
  take(thanks: Thanks): number | undefined {
    const { chain, inBackground } = this.#parts;
    const place = chain().findLastIndex(
      ({ statement }) => statementHash(statement) === thanks.certificate,
    );
    if (place === -1) {
      this.#waiting.set(thanks.hash, thanks);
      if (this.#waiting.size > WAITING_MAX) {
        this.#waiting.delete(this.#waiting.keys().next().value!);
      }
      return undefined;
    }
    this.#waiting.delete(thanks.hash);
    if (!mayThank(chain()[place]!, thanks.signer)) return undefined;
    this.#turn = this.#turn.then(() => this.#keep(place + 1, thanks));
    inBackground(this.#turn);
    return place + 1;
  }

  /** Signed thanks of whole rounds, the earliest first, from a round on. */
  async from(round: number): Promise<readonly Uint8Array[]> {
    const rounds = new Map<number, Uint8Array[]>();
    let count = 0;
    for await (const [key, bytes] of this.#parts.journal.entries(this.#prefix)) {
      const [of, certificate] = this.#placeIn(key);
      if (of < round || !this.#isInChain(of, certificate)) continue;
      if (count >= THANKS_ANSWER_MAX) {
        // The round that does not fit whole is asked for next.
        const last = [...rounds.keys()].at(-1)!;
        if (last === of && rounds.size > 1) rounds.delete(last);
        break;
      }
      rounds.set(of, [...(rounds.get(of) ?? []), bytes]);
      count += 1;
    }
    return [...rounds.values()].flat();
  }

  /** All that is held about the rounds of the chain. */
  async all(): Promise<readonly Uint8Array[]> {
    await this.#turn;
    const held: Uint8Array[] = [];
    for await (const [key, bytes] of this.#parts.journal.entries(this.#prefix)) {
      if (this.#isInChain(...this.#placeIn(key))) held.push(bytes);
    }
    return held;
  }

  async #keep(round: number, thanks: Thanks): Promise<void> {
    const { journal } = this.#parts;
    const digits = String(round).padStart(ROUND_DIGITS, '0');
    const key = `${this.#prefix}${digits}/${thanks.certificate}/${thanks.signer}`;
    const held = await journal.get(key);
    if (held !== undefined && toHex(sha256(held)) <= thanks.hash) return;
    await journal.put(key, thanks.bytes);
  }

  get #prefix(): string {
    return `job/${this.#parts.job}/thanks/`;
  }

  #placeIn(key: string): readonly [round: number, certificate: string] {
    const [digits, certificate] = key.slice(this.#prefix.length).split('/');
    return [Number(digits), certificate!];
  }

  /** Whether a round still is what it was: the chain may have been rolled back. */
  #isInChain(round: number, certificate: string): boolean {
    const now = this.#parts.chain()[round - 1];
    return now !== undefined && statementHash(now.statement) === certificate;
  }

  #count(peer: PeerId, kind: keyof Counts, bytes: number): void {
    if (peer === this.#parts.key.peerId) return;
    const counts = this.#served.get(peer) ?? { sums: 0, blobs: 0, relayed: 0 };
    counts[kind] = Math.min(BYTES_MAX, counts[kind] + bytes);
    this.#served.set(peer, counts);
  }

  /** Those that served the most. */
  #services(): readonly Service[] {
    const all = [...this.#served].map(([peer, counts]) => ({ peer, ...counts }));
    const sum = ({ sums, blobs, relayed }: Service) => sums + blobs + relayed;
    return all
      .filter((service) => sum(service) > 0)
      .toSorted((a, b) => sum(b) - sum(a))
      .slice(0, THANKED_MAX);
  }
}

function mayThank({ statement }: Certificate, peer: PeerId): boolean {
  return thankersOf(statement, survivorsOf(statement)).has(peer);
}
