import { equalBytes } from '@starling/core';
import { agreementKeyFromSeed, combineShares, Secret } from '@starling/crypto';
import { byzantineMax, threshold } from '@starling/protocol-secagg';
import { addMasks, chunkLayout, type MaskTerm, maskTo, unpackWords } from '@starling/secagg';
import { describe, expect, test } from 'vitest';
import { edgeSign } from '../../packages/secagg/src/edges.ts';
import { heldShares } from '../../packages/secagg/src/phase-1-shares.ts';
import { edgeSeed, ownEdgeSeed } from '../../packages/secagg/src/secrets.ts';
import { maskSetOf, survivorsOf } from '../../packages/secagg/src/state.ts';
import { type CellOptions, type CellRun, runCell } from '../../packages/secagg/src/testing/cell.ts';
import { sent, violations } from '../../packages/secagg/src/testing/checks.ts';

type Kind = 'selfMask' | 'maskKey';

/**
 * Members that put together all they know: their seeds, the shares dealt to them, all that anybody
 * said, and every masked chunk, since an owner opens one to any member that asks.
 */
class Colluders {
  readonly #run: CellRun;
  readonly #members: readonly number[];
  constructor(run: CellRun, members: readonly number[]) {
    this.#run = run;
    this.#members = members;
  }

  /** The victim's input, as far as they can tell. */
  inputOf(victim: number): Uint32Array {
    const terms: MaskTerm[] = [];
    const selfMask = this.#revealed(victim) ?? this.#secret('selfMask', victim);
    if (selfMask !== undefined) terms.push({ seed: new Secret(selfMask), sign: -1 });
    const { state } = this.#run.members[this.#members[0]!]!;
    for (const other of maskSetOf(state)) {
      const seed = other === victim ? undefined : this.#edge(victim, other);
      if (seed !== undefined) terms.push({ seed, sign: edgeSign(victim, other) === 1 ? -1 : 1 });
    }
    return this.#unmask(victim, terms);
  }

  #unmask(victim: number, terms: readonly MaskTerm[]): Uint32Array {
    const { host, state } = this.#run.members[victim]!;
    const { length, bits, chunkBytes } = state.config.shape;
    const layout = chunkLayout(length, bits, { chunkBytes });
    const words = new Uint32Array(length);
    for (const [chunk, body] of host.masked.entries()) {
      words.set(unpackWords(body, bits, layout.wordsOf(chunk)), layout.offsetOf(chunk));
    }
    addMasks(words, terms, 0);
    maskTo(words, bits);
    return words;
  }

  #revealed(victim: number): Uint8Array | undefined {
    for (const [from, message] of sent(this.#run.deeds)) {
      if (from === victim && message.kind === 'unmask') return message.selfMask;
    }
    return undefined;
  }

  /** One end's own key, a reveal by the other end, or either end's key put together from shares. */
  #edge(victim: number, other: number): Secret | undefined {
    const { config } = this.#run.members[other]!.state;
    if (this.#members.includes(other)) return ownEdgeSeed(config, victim);
    for (const [from, message] of sent(this.#run.deeds)) {
      if (message.kind !== 'unmask' || (from !== victim && from !== other)) continue;
      const edge = message.edges.find((each) => each.with === (from === victim ? other : victim));
      if (edge !== undefined) return new Secret(edge.seed);
    }
    for (const [owner, far] of [
      [victim, other],
      [other, victim],
    ] as const) {
      const key = this.#secret('maskKey', owner);
      if (key !== undefined) return edgeSeed(config, owner, agreementKeyFromSeed(key), far);
    }
    return undefined;
  }

  /** A dealer's secret from all shares there are; undefined when what they open is not it. */
  #secret(kind: Kind, of: number): Uint8Array | undefined {
    const shares = new Map<number, Uint8Array>();
    for (const member of this.#members) {
      const held = heldShares(this.#run.members[member]!.state, of);
      if (held !== undefined) shares.set(member, held[kind]);
    }
    const wireKind = kind === 'selfMask' ? 'self-mask' : 'mask-key';
    for (const [from, message] of sent(this.#run.deeds)) {
      if (message.kind !== 'shares') continue;
      const item = message.items.find((each) => each.of === of && each.kind === wireKind);
      if (item !== undefined) shares.set(from, item.share);
    }
    const { config } = this.#run.members[of]!.state;
    const needed = Math.min(shares.size, threshold(config.members.length));
    const points = [...shares].slice(0, needed).map(([x, share]) => ({ x: x + 1, share }));
    if (needed === 0) return undefined;
    const secret = combineShares(points, needed);
    if (kind === 'selfMask') return secret;
    const { publicKey } = agreementKeyFromSeed(secret);
    return equalBytes(publicKey, config.members[of]!.hello.maskKey) ? secret : undefined;
  }
}

const CELL = { members: 7, length: 80 } as const;
const RUNS: readonly (readonly [string, Partial<CellOptions>])[] = [
  ['everybody there', {}],
  ['one lost before its input was in', { slow: [6] }],
  [
    'one dead before its reveal',
    { crashes: [{ member: 6, phase: 'sums', count: 0 }], hints: true },
  ],
];

describe.each(RUNS)('%s', (_, more) => {
  const runs = [1, 2, 3].map((seed) => runCell({ ...CELL, ...more, seed }));
  const attack = (run: CellRun, count: number) => {
    const { state, host } = run.members[5]!;
    expect(violations(run)).toEqual([]);
    expect(survivorsOf(state)).toContain(5);
    const found = new Colluders(run, [...Array(count).keys()]).inputOf(5);
    return host.input.every((word, i) => word === found[i]);
  };

  test('f colluders with all that was sent cannot tell a survivor’s input', () => {
    for (const run of runs) {
      for (let count = 1; count <= byzantineMax(CELL.members); count++) {
        expect(attack(run, count)).toBe(false);
      }
    }
  });

  test('t colluders can, so the attack is a real one', () => {
    for (const run of runs) expect(attack(run, threshold(CELL.members))).toBe(true);
  });
});
