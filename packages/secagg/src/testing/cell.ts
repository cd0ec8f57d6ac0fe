import { type PeerId, toHex, utf8 } from '@starling/core';
import { Secret, sha256 } from '@starling/crypto';
import {
  byzantineMax,
  type CellEntry,
  type SecaggMessage,
  slotOf,
} from '@starling/protocol-secagg';
import { helloOf } from '../secrets.ts';
import { step } from '../session.ts';
import { createSession, digestOf, type SessionState } from '../state.ts';
import type {
  Canary,
  MaskGraph,
  PhaseName,
  ProtectionName,
  RingShape,
  SessionConfig,
  SessionEffect,
  SessionEvent,
  UnmaskingName,
  Veto,
} from '../types.ts';
import { createHost, type Host } from './host.ts';
import { createDice, type Dice } from './random.ts';

/** A member that stops for good: at its `count`-th event or effect in `phase`, or at its end. */
export interface Crash {
  readonly member: number;
  readonly phase: PhaseName;
  readonly count: number;
}

export interface CellOptions {
  readonly members: number;
  readonly seed: number;
  readonly crashes?: readonly Crash[];
  /** Members whose masks take four phases: alive, in V, and not in U. */
  readonly slow?: readonly number[];
  readonly light?: readonly number[];
  /** Weight of each member as an owner, 1 unless told; the light have none. */
  readonly weights?: readonly number[];
  /** Share of broadcasts that are lost on the way to one receiver; pulls bring them later. */
  readonly loss?: number;
  readonly duplication?: number;
  /** Whether the transport tells the others of a crash. */
  readonly hints?: boolean;
  readonly replication?: number;
  readonly protection?: ProtectionName;
  readonly unmasking?: UnmaskingName;
  readonly canary?: Canary;
  readonly length?: number;
  readonly chunkBytes?: number;
  /** A member whose JOIN named keys that are not its own. */
  readonly wrongKeys?: number;
  /** What a member really sends instead of `message`; `undefined` is silence. */
  readonly tamper?: (from: number, message: SecaggMessage) => SecaggMessage | undefined;
  /** Sent beside `message`. */
  readonly extra?: (from: number, message: SecaggMessage) => readonly SecaggMessage[];
  /** A second version of `message` for the members with odd numbers; gossip spreads both. */
  readonly second?: (from: number, message: SecaggMessage) => SecaggMessage | undefined;
  readonly inputs?: (member: number, length: number) => Uint32Array;
  /** Owners that add one to the first word of every sum they commit to and serve. */
  readonly lyingOwners?: readonly number[];
  /** Owners that commit to their sums and give them to nobody. */
  readonly mute?: readonly number[];
  readonly graph?: MaskGraph;
  readonly veto?: (member: number) => Veto | undefined;
  /** One of many cells: what the roster answers to its nomination; nothing when absent. */
  readonly isCell?: boolean;
  readonly confirm?: (entry: CellEntry) => Uint8Array | null;
}

/** What a member did that others could see, or wrote to its journal, in order. */
export interface Deed {
  readonly member: number;
  readonly effect: Extract<SessionEffect, { kind: 'broadcast' | 'journal' | 'convict' }>;
}

export interface CellMember {
  readonly index: number;
  readonly host: Host;
  readonly alive: boolean;
  readonly state: SessionState;
}

export interface CellRun {
  readonly members: readonly CellMember[];
  readonly deeds: readonly Deed[];
  /** Virtual milliseconds until every living member had ended. */
  readonly elapsedMs: number;
}

const PHASE_MS = 1_000;
const DELAY_MS = 60;
const PULL_MS = 150;
/** Far beyond the last burn timer. */
const END_MS = 60 * PHASE_MS;

/** Runs one session per member on virtual time; a pure function of its options. */
export function runCell(options: CellOptions): CellRun {
  return new Cell(options).run();
}

type Peer = { -readonly [K in keyof CellMember]: CellMember[K] } & {
  /** `slot/sender` → message: what this peer could tell another that pulls. */
  readonly known: Map<string, { readonly from: number; readonly message: SecaggMessage }>;
  counted: { phase: PhaseName; count: number };
};

class Cell {
  readonly #options: CellOptions;
  readonly #dice: Dice;
  readonly #peers: readonly Peer[];
  readonly #deeds: Deed[] = [];
  readonly #queue: { at: number; order: number; act: () => void }[] = [];
  #now = 0;
  #order = 0;

  constructor(options: CellOptions) {
    this.#options = options;
    this.#dice = createDice(options.seed);
    const configs = cellConfigs(options);
    this.#peers = configs.map((config, index) => {
      const input = inputOf(options, config.shape, index);
      const lies = options.lyingOwners?.includes(index) ?? false;
      const host = createHost(index, config.shape, input, lies);
      const counted = { phase: 'shares' as PhaseName, count: 0 };
      return { index, host, alive: true, state: createSession(config), known: new Map(), counted };
    });
  }

  run(): CellRun {
    for (const peer of this.#peers) {
      this.#after(this.#dice.below(DELAY_MS), () => this.#deliver(peer, { kind: 'start' }));
      this.#after(PULL_MS, () => this.#pull(peer));
    }
    while (!this.#isOver() && this.#now < END_MS) {
      const next = this.#takeNext();
      this.#now = next.at;
      next.act();
    }
    return { members: this.#peers, deeds: this.#deeds, elapsedMs: this.#now };
  }

  #isOver(): boolean {
    return this.#peers.every(({ alive, state }) => !alive || state.outcome !== undefined);
  }

  #after(ms: number, act: () => void): void {
    this.#queue.push({ at: this.#now + ms, order: this.#order++, act });
  }

  /** By time, then by the order in which they were scheduled. */
  #takeNext() {
    let best = 0;
    for (let i = 1; i < this.#queue.length; i++) {
      const [a, b] = [this.#queue[i]!, this.#queue[best]!];
      if (a.at < b.at || (a.at === b.at && a.order < b.order)) best = i;
    }
    return this.#queue.splice(best, 1)[0]!;
  }

  #delay(): number {
    return 1 + this.#dice.below(DELAY_MS);
  }

  #deliver(peer: Peer, event: SessionEvent): void {
    if (!peer.alive || this.#isDeathDue(peer)) return;
    const { state, effects } = step(peer.state, event);
    peer.state = state;
    for (const effect of effects) {
      if (this.#isDeathDue(peer)) return;
      this.#perform(peer, effect);
    }
  }

  /** Counts one event or effect; true when this peer is dead. */
  #isDeathDue(peer: Peer): boolean {
    if (!peer.alive) return true;
    const { phase } = peer.state;
    const crash = this.#options.crashes?.find(({ member }) => member === peer.index);
    if (crash === undefined) return false;
    const before = peer.counted.phase;
    if (phase !== before) peer.counted = { phase, count: 0 };
    const count = peer.counted.count++;
    const due = phase === crash.phase ? count >= crash.count : before === crash.phase;
    if (due) this.#kill(peer);
    return due;
  }

  #kill(peer: Peer): void {
    peer.alive = false;
    if (!this.#options.hints) return;
    for (const other of this.#peers) {
      if (other === peer) continue;
      const hint = { kind: 'reachable', member: peer.index, reachable: false } as const;
      this.#after(this.#delay(), () => this.#deliver(other, hint));
    }
  }

  #perform(peer: Peer, effect: SessionEffect): void {
    switch (effect.kind) {
      case 'journal':
        this.#deeds.push({ member: peer.index, effect });
        return;
      case 'broadcast':
        this.#broadcast(peer, effect.message);
        return;
      case 'set-timer': {
        const { timer } = effect;
        this.#after(effect.afterMs, () => this.#deliver(peer, { kind: 'timer', timer }));
        return;
      }
      case 'compute': {
        const slow = effect.compute.task === 'mask' && this.#options.slow?.includes(peer.index);
        const answer = peer.host.compute(effect.compute);
        this.#after(slow ? 5 * PHASE_MS : this.#delay(), () => this.#deliver(peer, answer));
        return;
      }
      case 'send-chunk':
        this.#sendChunk(peer, effect);
        return;
      case 'fetch-sum':
        this.#after(this.#delay(), () => this.#fetchSum(peer, effect));
        return;
      case 'fetch-plain':
        this.#after(this.#delay(), () => this.#fetchPlain(peer, effect));
        return;
      case 'fetch-chunk':
        this.#after(this.#delay(), () => this.#fetchChunk(peer, effect));
        return;
      case 'convict':
        this.#deeds.push({ member: peer.index, effect });
        return;
      case 'nominate': {
        const { confirm } = this.#options;
        if (confirm === undefined) return;
        const event = { kind: 'confirmed', digest: confirm(effect.entry) } as const;
        this.#after(this.#delay(), () => this.#deliver(peer, event));
        return;
      }
      case 'phase':
      case 'ended':
    }
  }

  #broadcast(peer: Peer, intended: SecaggMessage): void {
    const { tamper } = this.#options;
    const message = tamper === undefined ? intended : tamper(peer.index, intended);
    if (message === undefined) return;
    if (message !== intended) this.#believe(peer, intended, message);
    const second = this.#options.second?.(peer.index, message);
    const extra = this.#options.extra?.(peer.index, message) ?? [];
    for (const each of [message, ...extra])
      this.#spread(peer, each, (other) => second === undefined || other % 2 === 0);
    if (second !== undefined) this.#spread(peer, second, (other) => other % 2 === 1);
  }

  /** A liar goes on as if its first word had been true, so that its lies fit together. */
  #believe(peer: Peer, intended: SecaggMessage, said: SecaggMessage): void {
    const key = `${slotOf(intended)}/${peer.index}`;
    if (said.kind === 'keyshare') {
      peer.state = { ...peer.state, inbox: new Map(peer.state.inbox).set(key, said) };
    }
  }

  #spread(peer: Peer, message: SecaggMessage, isFor: (member: number) => boolean): void {
    const { loss = 0, duplication = 0 } = this.#options;
    this.#deeds.push({ member: peer.index, effect: { kind: 'broadcast', message } });
    peer.known.set(keyOf(peer.index, message), { from: peer.index, message });
    for (const other of this.#peers) {
      if (!isFor(other.index)) continue;
      if (other === peer || this.#dice.chance(loss)) continue;
      const copies = this.#dice.chance(duplication) ? 2 : 1;
      for (let i = 0; i < copies; i++) {
        this.#after(this.#delay(), () => this.#receive(other, peer.index, message));
      }
    }
  }

  #receive(peer: Peer, from: number, message: SecaggMessage): void {
    const key = keyOf(from, message);
    if (peer.alive && !peer.known.has(key)) peer.known.set(key, { from, message });
    this.#deliver(peer, { kind: 'messages', messages: [{ from, message }] });
  }

  /** Asks one living member for everything, for ever, as the rounds engine does. */
  #pull(peer: Peer): void {
    if (!peer.alive) return;
    this.#after(PULL_MS, () => this.#pull(peer));
    const others = this.#peers.filter((other) => other !== peer && other.alive);
    if (others.length === 0) return;
    const told = [...this.#dice.pick(others).known].filter(([key]) => !peer.known.has(key));
    for (const [, { from, message }] of told) {
      if (from === peer.index) continue;
      this.#after(this.#delay(), () => this.#receive(peer, from, message));
    }
  }

  #sendChunk(peer: Peer, { to, chunk, proof }: Extract<SessionEffect, { kind: 'send-chunk' }>) {
    const body = peer.host.masked[chunk]!;
    const hash = sha256(body);
    const owner = this.#peers[to]!;
    this.#after(this.#delay(), () => {
      owner.host.keepChunk(chunk, peer.index, body);
      this.#deliver(owner, { kind: 'chunk-received', from: peer.index, chunk, hash, proof });
    });
  }

  #fetchSum(peer: Peer, { chunk, hash, from }: Extract<SessionEffect, { kind: 'fetch-sum' }>) {
    const isMute = (member: number) => this.#options.mute?.includes(member) ?? false;
    const holders = from.filter((owner) => this.#peers[owner]!.alive && !isMute(owner));
    const served = holders.map((owner) => this.#peers[owner]!.host.sumOf(chunk, hash));
    const sum = served.find((bytes) => bytes !== undefined);
    if (sum !== undefined) peer.host.keepSum(chunk, sum);
    this.#deliver(peer, { kind: sum ? 'sum-fetched' : 'sum-missing', chunk, hash });
  }

  #fetchPlain(peer: Peer, { chunk, hash, from }: Extract<SessionEffect, { kind: 'fetch-plain' }>) {
    const isMute = (member: number) => this.#options.mute?.includes(member) ?? false;
    const holders = from.filter((member) => this.#peers[member]!.alive && !isMute(member));
    const served = holders.map((member) => this.#peers[member]!.host.plainOf(chunk, hash));
    const words = served.find((held) => held !== undefined);
    if (words !== undefined) peer.host.keepPlain(chunk, words);
    this.#deliver(peer, { kind: words ? 'plain-fetched' : 'plain-missing', chunk, hash });
  }

  #fetchChunk(peer: Peer, { chunk, of, from }: Extract<SessionEffect, { kind: 'fetch-chunk' }>) {
    for (const holder of from) {
      const { alive, host, state } = this.#peers[holder]!;
      const held = state.chunks.get(`${chunk}/${of}`);
      const body = host.chunkOf(chunk, of);
      if (!alive || held === undefined || body === undefined) continue;
      peer.host.keepChunk(chunk, of, body);
      const { proof } = held;
      this.#deliver(peer, { kind: 'chunk-received', from: of, chunk, hash: sha256(body), proof });
      return;
    }
    this.#deliver(peer, { kind: 'chunk-missing', from: of, chunk });
  }
}

/** A message's slot, sender and content: two in one slot both travel on. */
const keyOf = (from: number, message: SecaggMessage): string =>
  `${slotOf(message)}/${from}/${toHex(digestOf(message))}`;

/** Configurations of all members of a cell, for tests that drive sessions themselves. */
export function cellConfigs(options: CellOptions): readonly SessionConfig[] {
  // 24 bytes are 8 words of 24 bits: several chunks even in a short vector.
  const { members: count, seed, length = 40, chunkBytes = 24, canary, wrongKeys } = options;
  const secret = (member: number) => sha256(utf8(`cell/${seed}/${member}`));
  const members = Array.from({ length: count }, (_, member) => ({
    peer: `member-${member}` as PeerId,
    hello: helloOf(new Secret(secret(member))),
    weight: options.light?.includes(member) ? 0 : (options.weights?.[member] ?? 1),
  }));
  const shape: RingShape = { length, bits: 24, coordinateMax: 2 ** 18 - 1, chunkBytes };
  return members.map((_, self) => ({
    roundId: sha256(utf8(`round/${seed}`)),
    attempt: 0,
    members,
    rosterDigest: sha256(utf8(`roster/${seed}`)),
    self,
    context: sha256(utf8('model and codec')),
    shape,
    replication: options.replication ?? byzantineMax(count) + 1,
    timers: { phaseMs: PHASE_MS, decideMs: PHASE_MS / 2 },
    seed: new Secret(secret(self === wrongKeys ? -1 : self)),
    input: 'update',
    protection: options.protection ?? 'double-masking',
    unmasking: options.unmasking ?? 'local',
    ...(canary === undefined ? {} : { canary }),
    ...(options.graph === undefined ? {} : { graph: options.graph }),
    ...vetoOf(options, self),
    ...(options.isCell && { isCell: true }),
  }));
}

const vetoOf = ({ veto }: CellOptions, member: number): { veto?: Veto } => {
  const own = veto?.(member);
  return own === undefined ? {} : { veto: own };
};

function inputOf(options: CellOptions, shape: RingShape, member: number): Uint32Array {
  if (options.inputs !== undefined) return options.inputs(member, shape.length);
  const dice = createDice(options.seed ^ (0x9e3779b9 * (member + 1)));
  return Uint32Array.from({ length: shape.length }, () => dice.below(shape.coordinateMax + 1));
}
