import type { PeerId } from '@starling/core';
import { sha256 } from '@starling/crypto';
import type { CellEntry, SecaggMessage } from '@starling/protocol-secagg';
import { describe, expect, test } from 'vitest';
import { toBitmap } from '../bitmap.ts';
import { createDice, type Dice } from '../testing/random.ts';
import { assemblyStep } from './assembly.ts';
import { type AssemblyState, createAssembly } from './state.ts';
import type { AssemblyEffect, AssemblyEvent } from './types.ts';

const CELLS = [
  [0, 3, 6, 9],
  [1, 4, 7, 10],
  [2, 5, 8, 11],
];
const MEMBERS = 12;
const cellOf = (member: number): number => member % 3;
const digest = (name: string): Uint8Array => sha256(new TextEncoder().encode(name));
const entryOf = (name: string): CellEntry => ({
  members: toBitmap([0, 1, 2, 3], 4),
  digest: digest(name),
});
const nominationOf = (cell: number): CellEntry => entryOf(`U of ${cell}`);
const openedOf = (cell: number): CellEntry => entryOf(`sum of ${cell}`);

interface Peer {
  readonly index: number;
  state: AssemblyState;
  readonly effects: AssemblyEffect[];
}

/** Twelve members in three cells; nothing is delivered and no timer fires unless a test does it. */
class Roster {
  readonly peers: readonly Peer[];
  readonly said: { readonly from: number; readonly message: SecaggMessage }[] = [];
  readonly #dice: Dice;

  constructor(seed = 1) {
    this.#dice = createDice(seed);
    const roster = Array.from({ length: MEMBERS }, (_, i) => `peer ${i}` as PeerId);
    const timers = { phaseMs: 1000, decideMs: 500 };
    this.peers = roster.map((_, self) => ({
      index: self,
      state: createAssembly({ roster, self, cells: CELLS, digest: digest('cells'), timers }),
      effects: [],
    }));
    for (const peer of this.peers) this.take(peer, { kind: 'start' });
  }

  take(peer: Peer, event: AssemblyEvent): void {
    const { state, effects } = assemblyStep(peer.state, event);
    peer.state = state;
    peer.effects.push(...effects);
    for (const effect of effects) {
      if (effect.kind === 'broadcast') {
        this.said.push({ from: peer.index, message: effect.message });
      }
      if (effect.kind === 'fetch-cell') {
        const { cell, digest } = effect;
        this.take(peer, { kind: 'cell-fetched', cell, digest, result: `sum of ${cell}` });
      }
    }
  }

  nominate(cells: readonly number[]): void {
    for (const peer of this.#of(cells)) {
      this.take(peer, { kind: 'nominated', entry: nominationOf(cellOf(peer.index)) });
    }
  }

  open(cells: readonly number[]): void {
    for (const peer of this.#of(cells)) {
      const cell = cellOf(peer.index);
      const result = `sum of ${cell}`;
      const opened = { members: [0, 1, 2, 3], digest: openedOf(cell).digest, result };
      this.take(peer, { kind: 'cell-opened', ...opened });
    }
  }

  /** What has been said comes to everybody, each time in another order, until nothing new is. */
  talk(isHeard: (message: SecaggMessage) => boolean = () => true): void {
    for (let before = -1; before !== this.said.length; ) {
      before = this.said.length;
      const messages = this.said.filter(({ message }) => isHeard(message));
      for (const peer of this.peers) {
        for (const message of shuffled(messages, this.#dice)) {
          this.take(peer, { kind: 'messages', messages: [message] });
        }
      }
    }
  }

  fire(timer: string): void {
    for (const peer of this.peers) this.take(peer, { kind: 'timer', timer });
  }

  outcomes() {
    return this.peers.map(({ state }) => state.outcome);
  }

  confirmed() {
    return this.peers.map(({ effects }) => {
      const found = effects.filter((effect) => effect.kind === 'confirm');
      expect(found.length).toBeLessThanOrEqual(1);
      return found[0]?.digest;
    });
  }

  #of(cells: readonly number[]): readonly Peer[] {
    return this.peers.filter(({ index }) => cells.includes(cellOf(index)));
  }
}

const shuffled = <T>(items: readonly T[], dice: Dice): readonly T[] =>
  items
    .map((item) => ({ item, rank: dice.below(2 ** 30) }))
    .sort((a, b) => a.rank - b.rank)
    .map(({ item }) => item);

const all = <T>(value: T): readonly T[] => Array.from({ length: MEMBERS }, () => value);
const sumOf = (cell: number) => ({ result: `sum of ${cell}`, survivors: CELLS[cell] });

test('every cell nominates and opens: everybody has all three sums', () => {
  for (let seed = 1; seed <= 10; seed++) {
    const roster = new Roster(seed);
    roster.nominate([0, 1, 2]);
    roster.talk();
    expect(roster.confirmed()).toEqual(
      roster.peers.map(({ index }) => nominationOf(cellOf(index)).digest),
    );
    expect(roster.outcomes()).toEqual(all(undefined));
    roster.open([0, 1, 2]);
    roster.talk();
    expect(roster.outcomes()).toEqual(all({ kind: 'sums', sums: [0, 1, 2].map(sumOf) }));
  }
});

describe('vouching [S-25]', () => {
  test('a cell that does not nominate is left out when time is over, and not before', () => {
    const roster = new Roster();
    roster.nominate([0, 2]);
    roster.talk();
    expect(roster.confirmed()).toEqual(all(undefined));
    roster.fire('nominations');
    roster.talk();
    expect(roster.confirmed()).toEqual(
      roster.peers.map(({ index }) => (cellOf(index) === 1 ? null : expect.any(Uint8Array))),
    );
    roster.open([0, 2]);
    roster.talk();
    expect(roster.outcomes()).toEqual(all({ kind: 'sums', sums: [0, 2].map(sumOf) }));
  });

  test('nobody votes to leave out a cell that it has heard', () => {
    const roster = new Roster();
    roster.nominate([0, 1, 2]);
    roster.talk(({ kind }) => kind === 'nominate');
    roster.fire('nominations');
    const [voter] = roster.peers as [Peer];
    const proposer = voter.state.assembly.proposers[0]!;
    const cells = [nominationOf(0), null, nominationOf(2)];
    const value = { kind: 'cells', cells } as const;
    const message: SecaggMessage = {
      ...{ kind: 'propose', decision: 'assembly', view: 0, validView: null, value },
    };
    const judge = roster.peers.find(({ index }) => index !== proposer)!;
    roster.take(judge, { kind: 'messages', messages: [{ from: proposer, message }] });
    const votes = judge.effects.flatMap((e) => (e.kind === 'broadcast' ? [e.message] : []));
    expect(votes.filter(({ kind }) => kind === 'prevote')).toEqual([]);
  });

  test('three of four must say the same of their cell; two nominations each do not hide it', () => {
    const roster = new Roster();
    roster.nominate([0, 2]);
    const [liar, second, third] = [1, 4, 7];
    const say = (from: number, name: string) =>
      roster.said.push({ from, message: { kind: 'nominate', ...entryOf(name) } });
    for (const from of [liar, second]) say(from, 'U of 1');
    say(third, 'another');
    roster.talk();
    roster.fire('nominations');
    roster.talk();
    expect(roster.confirmed()[1]).toBeNull();
    const other = new Roster();
    other.nominate([0, 1, 2]);
    other.said.push({ from: liar, message: { kind: 'nominate', ...entryOf('another') } });
    other.talk();
    expect(other.confirmed()[1]).toEqual(nominationOf(1).digest);
  });

  test('a member speaks for no cell but its own, and for no set that does not fit it', () => {
    const roster = new Roster();
    roster.nominate([0, 2]);
    const misfit = { members: toBitmap([0, 9], 10), digest: digest('x') };
    for (const from of [0, 3]) {
      roster.said.push({ from, message: { kind: 'nominate', ...nominationOf(1) } });
    }
    for (const from of CELLS[1]!) {
      roster.said.push({ from, message: { kind: 'nominate', ...misfit } });
    }
    roster.talk();
    roster.fire('nominations');
    roster.talk();
    expect(roster.confirmed()[1]).toBeNull();
  });
});

test('no cell nominates: nothing is opened, and the update may be used again', () => {
  const roster = new Roster();
  roster.fire('nominations');
  roster.talk();
  expect(roster.outcomes()).toEqual(all({ kind: 'retry', reason: 'abort-decided' }));
});

test('a confirmed cell that never opens is left out of the results', () => {
  const roster = new Roster();
  roster.nominate([0, 1, 2]);
  roster.talk();
  roster.open([0, 1]);
  roster.talk();
  expect(roster.outcomes()).toEqual(all(undefined));
  roster.fire('results');
  roster.talk();
  expect(roster.outcomes()).toEqual(all({ kind: 'sums', sums: [0, 1].map(sumOf) }));
});

test('a sum over other members than were confirmed does not count', () => {
  const roster = new Roster();
  roster.nominate([0, 1, 2]);
  roster.talk();
  roster.open([0, 2]);
  const members = toBitmap([0, 1, 2], 4);
  for (const from of CELLS[1]!) {
    roster.said.push({ from, message: { kind: 'opened', members, digest: digest('x') } });
  }
  roster.talk();
  roster.fire('results');
  roster.talk();
  expect(roster.outcomes()[0]).toEqual({ kind: 'sums', sums: [0, 2].map(sumOf) });
});

test('no cell opens, or nobody is heard: the attempt is burnt', () => {
  const roster = new Roster();
  roster.nominate([0, 1, 2]);
  roster.talk();
  roster.fire('results');
  roster.talk();
  expect(roster.outcomes()).toEqual(all({ kind: 'burnt', reason: 'quorum-lost' }));
  const alone = new Roster();
  alone.nominate([0, 1, 2]);
  alone.fire('stall');
  expect(alone.outcomes()).toEqual(all({ kind: 'burnt', reason: 'quorum-lost' }));
});

test('a vote is journalled before it is sent', () => {
  const roster = new Roster();
  roster.nominate([0, 1, 2]);
  roster.talk();
  for (const { effects } of roster.peers) {
    for (const [i, effect] of effects.entries()) {
      if (effect.kind !== 'broadcast') continue;
      const { message } = effect;
      if (message.kind !== 'prevote' && message.kind !== 'precommit') continue;
      const slot = `${message.kind}/${message.decision}/${message.view}`;
      expect(effects[i - 1]).toMatchObject({ kind: 'journal', slot });
    }
  }
});
