import type { JobId, RoundId } from '@starling/core';
import type { SessionConfig } from '@starling/secagg';
import { expect, test } from 'vitest';
import { ChunkProgress } from './chunk-progress.ts';
import { layoutOf } from './packed.ts';
import { Place } from './session-place.ts';

const shape = { length: 100, bits: 16, coordinateMax: 100, chunkBytes: 64 };
const TOTAL = layoutOf(shape).count;

function placeOf(attempt: number): Place {
  const slot = { restarts: 0, attempt };
  const config = { shape } as SessionConfig;
  return new Place('job' as JobId, `round${attempt}` as RoundId, slot, config);
}

const masked = { kind: 'masked', chunkHashes: [] } as const;

test('a chunk that several owners have counts once', () => {
  const progress = new ChunkProgress();
  const place = placeOf(0);
  progress.enter(1, place);
  for (let chunk = 0; chunk < TOTAL; chunk++) {
    progress.sent(place, chunk);
    progress.sent(place, chunk);
  }
  expect(TOTAL).toBeGreaterThan(1);
  expect(progress.counts).toMatchObject({ round: 1, total: TOTAL, sent: TOTAL });
});

test('an attempt has no counts before it has chunks', () => {
  const progress = new ChunkProgress();
  progress.enter(1, placeOf(0));
  progress.note(placeOf(0), masked);
  expect(progress.counts).toMatchObject({ sent: 0, summed: 0, fetched: 0 });
  progress.enter(1, placeOf(1));
  expect(progress.counts).toBeUndefined();
});

test('what comes late of an attempt before changes nothing', () => {
  const progress = new ChunkProgress();
  progress.enter(1, placeOf(0));
  progress.enter(1, placeOf(1));
  progress.note(placeOf(1), masked);
  const before = progress.counts;
  progress.sent(placeOf(0), 0);
  progress.note(placeOf(0), { kind: 'summed', sums: [{ chunk: 0, hash: new Uint8Array(32) }] });
  expect(progress.counts).toEqual(before);
});
