import type { PeerId } from '@starling/core';
import { expect, test } from 'vitest';
import { Prng } from '../../sim/src/prng.ts';
import { Suspicion } from './suspicion.ts';

const PEERS = Array.from({ length: 24 }, (_, i) => `peer-${i}` as PeerId);
const LIARS = new Set(PEERS.slice(3, 7));

test('over rounds of random cells the liars come first, and nobody else was always there', () => {
  const prng = new Prng(5n);
  const suspicion = new Suspicion();
  for (let round = 0; round < 12; round++) {
    const left = [...PEERS];
    const drawn = () => left.splice(prng.below(left.length), 1)[0]!;
    const cells = Array.from({ length: 8 }, () => [drawn(), drawn(), drawn()]);
    const isSpoilt = (cell: number) => cells[cell]!.some((peer) => LIARS.has(peer));
    suspicion.note(cells, [...cells.keys()].filter(isSpoilt));
  }
  const suspects = suspicion.suspects();
  expect(new Set(suspects.slice(0, LIARS.size).map(({ peer }) => peer))).toEqual(LIARS);
  for (const { peer, rounds, spoilt } of suspects) {
    expect(spoilt === rounds).toBe(LIARS.has(peer));
  }
});

test('without a spoilt cell nobody is suspected', () => {
  const suspicion = new Suspicion();
  suspicion.note([PEERS.slice(0, 3), PEERS.slice(3)], []);
  expect(suspicion.suspects()).toEqual([]);
});
