import { type Envelope, HAVE_BYTES_MAX, sealEnvelope } from '@starling/protocol-rounds';
import { encodeMessage } from '@starling/protocol-secagg';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { haveOf, missingFrom, saltOf } from './have.ts';
import { hashNamed, testKeys } from './testing/fixtures.ts';

const keys = testKeys(20);
const all = keys.flatMap((key) =>
  Array.from({ length: 10 }, (_, view): Envelope => {
    const message = encodeMessage({ kind: 'prevote', decision: 'survivors', view, value: null });
    const context = { roundId: hashNamed('round') as never, attempt: 0 };
    return sealEnvelope(
      { ...context, roster: new Uint8Array(32) },
      { kind: 'session', message },
      key,
    );
  }),
);
const hashes = (envelopes: readonly Envelope[]) => envelopes.map(({ hash }) => hash).sort();

test('over a few pulls a pool gives exactly what the other side lacks', () => {
  fc.assert(
    fc.property(fc.subarray(all), fc.subarray(all), (mine, theirs) => {
      const found = new Set<string>();
      for (let turn = 0; turn < 6; turn++) {
        const have = haveOf(theirs, saltOf(keys[0]!.peerId, turn));
        for (const { hash } of missingFrom(mine, have)) found.add(hash);
      }
      const lacking = mine.filter((envelope) => !theirs.includes(envelope));
      expect([...found].sort()).toEqual(hashes(lacking));
    }),
    { seed: 3, numRuns: 50 },
  );
});

test('one pull shows nearly all of it, and never what is held', () => {
  const [theirs, lacking] = [all.slice(0, 150), all.slice(150)];
  const missing = missingFrom(all, haveOf(theirs, 7));
  expect(missing.length).toBeGreaterThanOrEqual(lacking.length - 1);
  for (const envelope of missing) expect(lacking).toContain(envelope);
});

test('who holds nothing gets everything', () => {
  const nothing = haveOf([], 1);
  expect(nothing.have).toHaveLength(0);
  expect(missingFrom(all, nothing)).toHaveLength(all.length);
});

test('a filter has two bytes an envelope, and a limit', () => {
  expect(haveOf(all, 1).have).toHaveLength(2 * all.length);
  expect(2 * all.length).toBeLessThan(HAVE_BYTES_MAX);
});
