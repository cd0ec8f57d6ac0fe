import { fileURLToPath } from 'node:url';
import { abandonsMin, byzantineMax, threshold } from '@starling/protocol-secagg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { missingTools, type Search, searchModel } from './spin.ts';

const MODEL = fileURLToPath(new URL('attempt.pml', import.meta.url));
const isFull = process.env['STARLING_TEST_SIZE'] === 'full';

type Property = 'AGREEMENT' | 'NEVER_BOTH_SHARES' | 'NEVER_BOTH_DIRECT' | 'REUSE';
const ALL: readonly Property[] = ['AGREEMENT', 'NEVER_BOTH_SHARES', 'NEVER_BOTH_DIRECT', 'REUSE'];

interface Variant {
  readonly name: string;
  readonly members: number;
  readonly views?: number;
  readonly properties: readonly Property[];
  /** Rules that differ from ours. */
  readonly rules?: Readonly<Record<string, number | boolean>>;
  readonly holds: boolean;
}

/** Two views of every size, three where that takes seconds. */
const OURS: readonly Variant[] = [
  ...[3, 4, 5, 6, 7, 8].map((members) => ({ members, views: 2 })),
  ...[4, 5].map((members) => ({ members, views: 3 })),
].map((size) => ({ ...size, name: 'our rules', properties: ALL, holds: true }));

const HARMLESS: readonly Variant[] = [
  {
    name: 'ABANDON of one that decided and never precommitted',
    members: 4,
    properties: ALL,
    rules: { ABANDONS_WHEN_DECIDED: true },
    holds: true,
  },
  ...[4, 7].map(
    (members): Variant => ({
      name: 'no locks: shares alone',
      members,
      views: 2,
      properties: ['NEVER_BOTH_SHARES'],
      rules: { LOCKS: false },
      holds: true,
    }),
  ),
  {
    name: 'no locks, reveals confirmed by t',
    members: 4,
    properties: ['NEVER_BOTH_SHARES', 'NEVER_BOTH_DIRECT'],
    rules: { LOCKS: false, CONFIRMS: true },
    holds: true,
  },
];

const broken = (
  name: string,
  property: Property,
  members: number,
  rules: Readonly<Record<string, number | boolean>>,
): Variant => ({ name, members, views: 2, properties: [property], rules, holds: false });

const BROKEN: readonly Variant[] = [
  broken('no locks', 'AGREEMENT', 4, { LOCKS: false }),
  broken('no locks', 'AGREEMENT', 7, { LOCKS: false }),
  broken('no locks: a reveal of its own', 'NEVER_BOTH_DIRECT', 4, { LOCKS: false }),
  broken('no locks: a reveal of its own', 'NEVER_BOTH_DIRECT', 7, { LOCKS: false }),
  broken('no locks, share threshold 2', 'NEVER_BOTH_SHARES', 4, { LOCKS: false, SHARES: 2 }),
  broken('no locks, share threshold 4', 'NEVER_BOTH_SHARES', 7, { LOCKS: false, SHARES: 4 }),
  broken('quorum t − 1', 'AGREEMENT', 4, { QUORUM: 2 }),
  broken('quorum t − 1', 'AGREEMENT', 7, { QUORUM: 4 }),
  broken('f + 1 liars', 'AGREEMENT', 4, { LIARS: 2 }),
  broken('a restart forgets votes', 'AGREEMENT', 4, { FORGETS: true }),
  broken('ABANDON after a precommit', 'REUSE', 4, { ABANDONS_AFTER_PRECOMMIT: true }),
  broken('votes after ABANDON', 'REUSE', 4, { VOTES_AFTER_ABANDON: true }),
  broken('reuse with f + 1 ABANDONs', 'REUSE', 7, { PROOF: 3 }),
  // Also where g is not 3f + 1 and the quorum is larger: one ABANDON less is never enough.
  ...[4, 5, 6, 7, 8].map((members) =>
    broken('reuse with 2f ABANDONs', 'REUSE', members, { PROOF: 2 * byzantineMax(members) }),
  ),
];

/** The sizes that the model works with are the ones that the code works with. */
function search({ members, views = 3, properties, rules }: Variant): Search {
  const checks = Object.fromEntries(properties.map((property) => [property, true]));
  const sizes = { G: members, F: byzantineMax(members), T: threshold(members) };
  const ours = { VIEWS: views, PROOF: abandonsMin(members) };
  return searchModel(MODEL, { ...sizes, ...ours, ...checks, ...rules });
}

describe.runIf(isFull)('one attempt, all states', () => {
  let missing: string | undefined;
  const rows: string[] = [];
  beforeAll(() => {
    missing = missingTools();
  });
  afterAll(() => {
    const table = ['g views states seconds', ...rows].join('\n');
    console.log(missing === undefined ? table : `skipped: ${missing}`);
  });

  for (const variant of [...OURS, ...HARMLESS, ...BROKEN]) {
    const { name, members, views = 3, holds } = variant;
    const outcome = holds ? 'holds' : `breaks ${variant.properties}`;
    test(`${members} members, ${views} views, ${name}: ${outcome}`, (context) => {
      if (missing !== undefined) context.skip(missing);
      const { trace, seconds, states, ...found } = search(variant);
      rows.push(`${members} ${views} ${states} ${seconds.toFixed(1)} ${name}: ${outcome}`);
      expect(found, trace.join('\n')).toEqual({ holds, exhaustive: holds });
      // A fault without a way to it would be one of the checker.
      expect(trace.length > 0).toBe(!holds);
    });
  }
});

test('2f + 1 is the fewest ABANDONs after which no quorum is left, for every size', () => {
  for (let members = 3; members <= 128; members++) {
    const f = byzantineMax(members);
    // All but the honest ones that abandoned can still precommit; liars do both.
    const votersAfter = (abandons: number) => members - (abandons - f);
    expect(votersAfter(abandonsMin(members))).toBeLessThan(threshold(members));
    expect(votersAfter(abandonsMin(members) - 1)).toBeGreaterThanOrEqual(threshold(members));
  }
});
