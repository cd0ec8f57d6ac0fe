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
  PROOF_THANKS_BYTES_MAX,
  proofThanksMax,
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
  #index: { readonly chain: Chain; readonly rounds: ReadonlyMap<string, number> } | undefined;
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
    const round = this.#roundOf(thanks.certificate);
    if (round === undefined) {
      this.#waiting.set(thanks.hash, thanks);
      if (this.#waiting.size > WAITING_MAX) {
        this.#waiting.delete(this.#waiting.keys().next().value!);
      }
      return undefined;
    }
    this.#waiting.delete(thanks.hash);
    if (!mayThank(chain()[round - 1]!, thanks.signer)) return undefined;
    this.#turn = this.#turn.then(() => this.#keep(round, thanks));
    inBackground(this.#turn);
    return round;
  }

  /** Signed thanks of whole rounds, the earliest first, from a round on. */
  async from(round: number): Promise<readonly Uint8Array[]> {
    const rounds = new Map<number, Uint8Array[]>();
    let count = 0;
    for await (const [key, bytes] of this.#entriesFrom(round)) {
      const [of, certificate] = this.#placeIn(key);
      if (!isInChain(this.#parts.chain(), of, certificate)) continue;
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

  /**
   * All that is held about the rounds of a chain; of more than fits into its proof that about the
   * last ones, in whole rounds.
   */
  async all(
    chain: Chain = this.#parts.chain(),
    most: number = proofThanksMax(chain.length),
  ): Promise<readonly Uint8Array[]> {
    await this.#turn;
    const rounds = new Map<number, Uint8Array[]>();
    let [count, size] = [0, 0];
    for await (const [key, bytes] of this.#entriesFrom(1)) {
      const [round, certificate] = this.#placeIn(key);
      if (!isInChain(chain, round, certificate)) continue;
      const held = rounds.get(round) ?? [];
      held.push(bytes);
      rounds.set(round, held);
      count += 1;
      size += bytes.length;
      while (count > most || size > PROOF_THANKS_BYTES_MAX) {
        const [earliest, gone] = rounds.entries().next().value!;
        rounds.delete(earliest);
        count -= gone.length;
        size -= gone.reduce((sum, { length }) => sum + length, 0);
      }
    }
    return [...rounds.values()].flat();
  }

  /** The first round of which not all who may thank have; that after the last where all have. */
  async firstLacking(): Promise<number> {
    await this.#turn;
    const chain = this.#parts.chain();
    let [round, count] = [1, 0];
    for await (const [key] of this.#entriesFrom(1)) {
      const [of, certificate] = this.#placeIn(key);
      if (!isInChain(chain, of, certificate)) continue;
      if (of !== round) break;
      count += 1;
      if (count < thankersIn(chain[of - 1]!).size) continue;
      [round, count] = [of + 1, 0];
    }
    return round;
  }

  async #keep(round: number, thanks: Thanks): Promise<void> {
    const { journal } = this.#parts;
    const key = `${this.#prefix}${digitsOf(round)}/${thanks.certificate}/${thanks.signer}`;
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

  /** Of rounds from one on, in their order. */
  async *#entriesFrom(round: number): AsyncIterable<readonly [key: string, value: Uint8Array]> {
    for (const digits of beginningsFrom(digitsOf(round))) {
      yield* this.#parts.journal.entries(this.#prefix + digits);
    }
  }

  /** In the chain as it is now. */
  #roundOf(certificate: CertificateHash): number | undefined {
    const chain = this.#parts.chain();
    // A chain is never changed, but replaced.
    if (this.#index?.chain !== chain) {
      const rounds = chain.map(({ statement }, i) => [statementHash(statement), i + 1] as const);
      this.#index = { chain, rounds: new Map(rounds) };
    }
    return this.#index.rounds.get(certificate);
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

const thankersIn = ({ statement }: Certificate): ReadonlySet<PeerId> =>
  thankersOf(statement, survivorsOf(statement));

const mayThank = (certificate: Certificate, peer: PeerId): boolean =>
  thankersIn(certificate).has(peer);

/** Whether a round still is what it was: a chain may be rolled back. */
function isInChain(chain: Chain, round: number, certificate: string): boolean {
  const now = chain[round - 1];
  return now !== undefined && statementHash(now.statement) === certificate;
}

const digitsOf = (round: number): string => String(round).padStart(ROUND_DIGITS, '0');

/** How all numbers of as many digits begin that are no smaller, in their order. */
function* beginningsFrom(digits: string): Iterable<string> {
  yield digits;
  for (let at = digits.length - 1; at >= 0; at--) {
    for (let digit = Number(digits[at]) + 1; digit <= 9; digit++) {
      yield `${digits.slice(0, at)}${digit}`;
    }
  }
}
