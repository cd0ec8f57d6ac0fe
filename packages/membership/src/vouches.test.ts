import type { PeerId } from '@starling/core';
import { signingKeyFromSeed } from '@starling/crypto';
import {
  encodeVouch,
  MEMBERSHIP_LIMITS,
  signVouch,
  swarmIdOf,
  TOLERANCE_SECONDS,
  WITHDRAWN,
} from '@starling/protocol-membership';
import { MemoryJournal } from '@starling/store';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { OwnerList } from './owner-list.ts';
import { DAY, NOW, type TestSwarm, testSwarm } from './testing/swarm-of.ts';
import { Vouches } from './vouches.ts';

const peerOf = (swarm: TestSwarm, index: number): PeerId => swarm.keys[index]!.peerId;
const vouch = (swarm: TestSwarm, by: number, of: number, more = {}): Uint8Array =>
  encodeVouch(
    signVouch(
      {
        swarm: swarmIdOf(swarm.descriptor),
        peer: peerOf(swarm, of),
        ...{ at: NOW, until: NOW + DAY, ...more },
      },
      swarm.keys[by]!,
    ),
  );

/** Those of peer 0, to whose owner 1, 2 and 3 are voters. */
function scene() {
  const swarm = testSwarm(8, 1, 1, 'open');
  const voters = new Set([1, 2, 3].map((index) => peerOf(swarm, index)));
  const vouches = new Vouches({
    swarm: swarmIdOf(swarm.descriptor),
    self: peerOf(swarm, 0),
    voters,
  });
  return { swarm, voters, vouches, newcomer: peerOf(swarm, 4) };
}

describe('what is kept', () => {
  test('voters’ words, those about this peer, its own, and nobody else’s', () => {
    const { swarm, vouches } = scene();
    expect(vouches.take(vouch(swarm, 1, 4))).toEqual({ kind: 'new' });
    expect(vouches.take(vouch(swarm, 1, 4))).toEqual({ kind: 'known' });
    expect(vouches.take(vouch(swarm, 5, 0))).toEqual({ kind: 'new' });
    expect(vouches.take(vouch(swarm, 0, 5))).toEqual({ kind: 'new' });
    expect(vouches.take(vouch(swarm, 5, 6))).toEqual({ kind: 'unneeded' });
    expect(vouches.aboutSelf()).toHaveLength(1);
    expect(vouches.vouchersOf(peerOf(swarm, 0), NOW)).toEqual([]);
  });

  test('nothing forged, of another swarm, or that is no vouch [M-24]', () => {
    const { swarm, vouches } = scene();
    const forged = vouch(swarm, 1, 4);
    forged[forged.length - 1]! ^= 1;
    expect(vouches.take(forged)).toMatchObject({ reason: 'bad-signature' });
    const foreign = { ...swarm, descriptor: { ...swarm.descriptor, name: 'other' } };
    expect(vouches.take(vouch(foreign, 1, 4))).toMatchObject({ reason: 'wrong-swarm' });
    expect(vouches.take(new Uint8Array(3))).toMatchObject({ reason: 'malformed' });
    expect(vouches.all()).toEqual([]);
  });

  test('of one voter so many, which leaves room for the others', () => {
    const most = MEMBERSHIP_LIMITS.vouchesEachMax;
    const { swarm, vouches } = scene();
    const strangers = Array.from({ length: most + 1 }, (_, i) => {
      const seed = new Uint8Array(32).fill(200);
      new DataView(seed.buffer).setUint32(0, i);
      return signingKeyFromSeed(seed).peerId;
    });
    const [last] = strangers.slice(-1);
    const about = (by: number, peer: PeerId) => vouches.take(vouch(swarm, by, 4, { peer })).kind;
    const first = strangers.slice(0, most).map((peer) => about(1, peer));
    expect(new Set(first)).toEqual(new Set(['new']));
    expect(about(1, last!)).toBe('refused');
    expect(about(2, last!)).toBe('new');
  });
});

test('the later word of a signer counts, in whatever order they come [M-25]', () => {
  const { swarm, voters } = scene();
  const items = [1, 2, 3].flatMap((by) =>
    [4, 5].flatMap((of) => [
      vouch(swarm, by, of),
      vouch(swarm, by, of, { at: NOW + by, until: by === 2 ? WITHDRAWN : NOW + 2 * DAY }),
      vouch(swarm, by, of, { at: NOW + by, until: NOW + 3 * DAY }),
    ]),
  );
  const fill = (order: readonly number[]) => {
    const self = peerOf(swarm, 0);
    const vouches = new Vouches({ swarm: swarmIdOf(swarm.descriptor), self, voters });
    for (const index of order) vouches.take(items[index]!);
    return vouches;
  };
  const indices = items.map((_, i) => i);
  const all = fill(indices);
  expect(all.all()).toHaveLength(6);
  const orders = fc.tuple(
    fc.shuffledSubarray(indices, { minLength: items.length }),
    fc.array(fc.nat(items.length - 1)),
  );
  fc.assert(
    fc.property(orders, ([order, again]) => {
      const vouches = fill([...again, ...order]);
      expect(vouches.all()).toEqual(all.all());
      expect(vouches.digest()).toEqual(all.digest());
    }),
  );
});

describe('who is dealt with [M-26]', () => {
  async function owner(least: number) {
    const { swarm, voters, newcomer } = scene();
    let now = NOW;
    const journal = new MemoryJournal();
    const members = await swarm.open(0, journal, { now: () => now, voters });
    const allow = new Set([peerOf(swarm, 6)]);
    const list = new OwnerList({ allow, vouching: { voters, least }, members });
    return { swarm, members, list, newcomer, journal, voters, at: (time: number) => (now = time) };
  }

  test('whom the owner has listed, the voters, and for whom enough of them vouch', async () => {
    const { swarm, members, list, newcomer, journal, voters } = await owner(2);
    for (const index of [1, 2, 3, 6]) expect(list.refusal(peerOf(swarm, index))).toBeUndefined();
    expect(list.refusal(newcomer)).toMatch(/^not-listed: .*0 of 2 voters vouch/);
    await members.takeVouches([vouch(swarm, 1, 4), vouch(swarm, 1, 4, { at: NOW + 1 })]);
    await members.takeVouches([vouch(swarm, 5, 4)]);
    expect(list.refusal(newcomer)).toMatch(/1 of 2 voters/);
    await members.takeVouches([vouch(swarm, 3, 4)]);
    expect(list.refusal(newcomer)).toBeUndefined();
    const again = await swarm.open(0, journal, { voters });
    expect(again.vouches.all()).toEqual(members.vouches.all());
  });

  test('not for longer than the vouches hold', async () => {
    const { swarm, members, list, newcomer, at } = await owner(2);
    await members.takeVouches([vouch(swarm, 1, 4), vouch(swarm, 2, 4, { until: NOW + 9 * DAY })]);
    at(NOW + DAY + TOLERANCE_SECONDS);
    expect(list.refusal(newcomer)).toBeUndefined();
    at(NOW + DAY + TOLERANCE_SECONDS + 1);
    expect(list.refusal(newcomer)).toMatch(/^not-listed/);
  });

  test('not by the word of who took it back, or is revoked', async () => {
    const { swarm, members, list, newcomer } = await owner(1);
    await members.takeVouches([vouch(swarm, 1, 4)]);
    const back = { at: NOW + 5, until: WITHDRAWN };
    await members.takeVouches([vouch(swarm, 1, 4, back), vouch(swarm, 1, 4)]);
    expect(list.refusal(newcomer)).toMatch(/^not-listed/);
    await members.takeVouches([vouch(swarm, 2, 4)]);
    expect(list.refusal(newcomer)).toBeUndefined();
    await members.revoke({ kind: 'peer', peer: peerOf(swarm, 2) }, '');
    expect(list.refusal(newcomer)).toMatch(/^not-listed/);
  });

  test('everybody, where the owner names neither list nor voters', async () => {
    const { members, newcomer } = await owner(1);
    expect(new OwnerList({ members }).refusal(newcomer)).toBeUndefined();
  });
});

test('a peer’s own word: told once, later than the one before, and never for itself', async () => {
  const { swarm, newcomer } = scene();
  let now = NOW;
  const members = await swarm.open(0, new MemoryJournal(), { now: () => now });
  const heard: number[] = [];
  members.onVouches((vouches) => heard.push(vouches.length));
  const first = await members.vouch(newcomer, NOW + DAY);
  // The clock was set back.
  now = NOW - 100;
  const second = await members.vouch(newcomer, WITHDRAWN);
  expect(second.body.at).toBeGreaterThan(first.body.at);
  expect(members.vouches.all()).toEqual([second]);
  expect(heard).toEqual([1, 1]);
  await expect(members.vouch(members.self, NOW + DAY)).rejects.toThrow('for itself');
  await expect(members.vouch(newcomer, now)).rejects.toThrow('has passed');
});
