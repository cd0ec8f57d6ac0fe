import type { PeerId } from '@starling/core';
import type { DemoMessage } from '@starling/daemon';
import { slotKey, survivorCount } from '@starling/rounds';
import { fromBitmap } from '@starling/secagg';
import type { PeerProcess } from './peer-process.ts';
import type { PlainFedAvg } from './plain.ts';

export interface DemoRound {
  readonly round: number;
  /** Of the new global model on the 10,000 test images. */
  accuracy: number | null;
  /** Of the model before the round, over the survivors' own validation splits. */
  readonly loss: number;
  readonly participants: number;
  readonly survivors: number;
  readonly attempts: number;
  /** Whether a roster had to be given up: the round was aggregated more than once. */
  readonly restarted: boolean;
  /** Bytes a peer handed to the network in this round, mean over those that certified it. */
  readonly bytesPerPeer: number;
  /** How long the first peer to certify it spent in each phase. */
  readonly phaseSeconds: Readonly<Record<string, number>>;
}

type NoticeMessage = Extract<DemoMessage, { kind: 'notice' }>;

interface PeerTimes {
  phase: string;
  since: number;
  seconds: Record<string, number>;
  bytesBefore: number;
}

/** Follows what the peers tell, and makes the table of rounds of it. */
export class RoundBook {
  readonly #plain: PlainFedAvg;
  readonly #times = new Map<number, PeerTimes>();
  /** Round → slot → peers that began to aggregate there. */
  readonly #slots = new Map<number, Map<string, number>>();
  readonly #bytes = new Map<number, number[]>();
  readonly #onRound: (round: DemoRound, reporter: PeerProcess) => void;
  readonly rounds: DemoRound[] = [];

  constructor(plain: PlainFedAvg, onRound: (round: DemoRound, reporter: PeerProcess) => void) {
    this.#plain = plain;
    this.#onRound = onRound;
  }

  take(peer: PeerProcess, message: DemoMessage): void {
    if (message.kind === 'input') {
      this.#plain.input(peer.peer!, message.round, message.slot, message.words);
    }
    if (message.kind === 'sum') this.#plain.opened(message.round, message.slot, message.hash);
    if (message.kind === 'notice') this.#notice(peer, message);
  }

  bytesPerPeer(round: number): number {
    const bytes = this.#bytes.get(round) ?? [];
    return Math.round(bytes.reduce((sum, b) => sum + b, 0) / Math.max(1, bytes.length));
  }

  #notice(peer: PeerProcess, message: NoticeMessage): void {
    const { notice } = message;
    if (notice.kind === 'session') {
      const slots = this.#slots.get(notice.round) ?? new Map<string, number>();
      const key = slotKey(notice.slot);
      this.#slots.set(notice.round, slots.set(key, (slots.get(key) ?? 0) + 1));
    }
    const phase = phaseOf(message);
    if (phase !== undefined) this.#enter(peer, phase, message.atMs);
    if (notice.kind === 'certified' && notice.own) this.#certified(peer, message);
  }

  #enter(peer: PeerProcess, phase: string, at: number): PeerTimes {
    const times = this.#times.get(peer.index) ?? { phase, since: at, seconds: {}, bytesBefore: 0 };
    this.#times.set(peer.index, times);
    times.seconds[times.phase] = (times.seconds[times.phase] ?? 0) + (at - times.since) / 1000;
    times.phase = phase;
    times.since = at;
    return times;
  }

  #certified(peer: PeerProcess, { notice, atMs, bytesOut }: NoticeMessage): void {
    if (notice.kind !== 'certified') return;
    const { statement } = notice.certificate;
    const { round } = statement;
    const times = this.#enter(peer, 'training', atMs);
    this.#bytes.set(round, [...(this.#bytes.get(round) ?? []), bytesOut - times.bytesBefore]);
    times.bytesBefore = bytesOut;
    const { seconds } = times;
    times.seconds = {};
    if (this.rounds.some((known) => known.round === round)) return;
    const { lossSum, examples } = statement.metrics;
    const slot = { restarts: statement.restarts, attempt: statement.attempt };
    this.#plain.close(round, slot, survivorsOf(statement.roster, statement.survivors));
    // A roster that died with its proposer before anybody else had it was no attempt of the swarm.
    const begun = [...(this.#slots.get(round)?.values() ?? [])].filter((peers) => peers > 1);
    const attempts = Math.max(1, begun.length);
    const record: DemoRound = {
      round,
      accuracy: null,
      loss: examples === 0 ? 0 : lossSum / examples,
      participants: statement.roster.length,
      survivors: survivorCount(statement),
      attempts,
      restarted: attempts > 1,
      bytesPerPeer: 0,
      phaseSeconds: seconds,
    };
    this.rounds.push(record);
    this.#onRound(record, peer);
  }
}

const survivorsOf = (roster: readonly PeerId[], survivors: Uint8Array): readonly PeerId[] =>
  (fromBitmap(survivors, roster.length) ?? []).map((member) => roster[member]!);

/** The phase that begins with a notice. */
function phaseOf({ notice }: NoticeMessage): string | undefined {
  switch (notice.kind) {
    case 'training':
    case 'joining':
      return notice.kind;
    case 'phase':
      return notice.phase === 'ended' ? 'certify' : notice.phase;
    default:
      return undefined;
  }
}
