import { compareText } from '@starling/core';
import type { Certificate, CertificateHash, Statement } from '@starling/protocol-rounds';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  type Chain,
  certificateFault,
  firstDifference,
  headHash,
  isBetter,
  isSettled,
  settledLength,
  signersOf,
  survivorCount,
  verifyChain,
} from './chain.ts';
import { certificateAfter, hashNamed, testJob, testKeys } from './testing/fixtures.ts';

const crowd = testKeys(14);
const keys = crowd.slice(0, 7);
const five = keys.slice(0, 5);
const job = testJob(keys[0]!);
const rules = { jobId: job.id, manifest: job.manifest };

/** A chain with one certificate for each roster given. */
function chainOf(...links: readonly Omit<Parameters<typeof certificateAfter>[1], 'job'>[]): Chain {
  const chain: Certificate[] = [];
  for (const link of links) chain.push(certificateAfter(chain, { job, ...link }));
  return chain;
}

const parent = chainOf({ roster: five });
const child = (changes: Partial<Statement>): Certificate =>
  certificateAfter(parent, { job, roster: five, changes });

describe('certificateFault [R-21]', () => {
  test('there is none in a certificate that follows', () => {
    expect(certificateFault(child({}), parent, rules)).toBeUndefined();
    const quorum = certificateAfter(parent, { job, roster: five, signers: [0, 2, 3, 4] });
    expect(certificateFault(quorum, parent, rules)).toBeUndefined();
  });

  const roster = five.map(({ peerId }) => peerId);
  const faults: readonly [reason: string, certificate: Certificate][] = [
    ['belongs to another job', child({ jobId: testJob(keys[1]!).id })],
    ['round 3 out of order', child({ round: 3 })],
    ['names another parent', child({ parent: hashNamed('other') as string as CertificateHash })],
    ['roster too small', certificateAfter(parent, { job, roster: five.slice(0, 2) })],
    ['roster not in order', child({ roster: [...roster].reverse() })],
    ['roster not in order', child({ roster: [roster[0]!, ...roster.slice(0, 4)] })],
    ['survivor set malformed', child({ survivors: new Uint8Array([0]) })],
    ['survivor set malformed', child({ survivors: new Uint8Array([0b10_0001]) })],
    ['survivor set malformed', child({ survivors: new Uint8Array([1, 0]) })],
    [
      'no quorum of signatures',
      certificateAfter(parent, { job, roster: five, signers: [0, 1, 2] }),
    ],
  ];
  test.each(faults)('%s', (reason, certificate) => {
    expect(certificateFault(certificate, parent, rules)).toBe(reason);
  });

  test('a roster below the job’s own least is too small', () => {
    const strict = testJob(keys[0]!, { admission: { minPeers: 6 } });
    const first = certificateAfter([], { job: strict, roster: five });
    const strictRules = { jobId: strict.id, manifest: strict.manifest };
    expect(certificateFault(first, [], strictRules)).toBe('roster too small');
  });

  test('one signature counts once, under its own statement, from its own member', () => {
    const { statement, signatures } = child({});
    const [first] = signatures;
    const repeated = { statement, signatures: Array.from({ length: 5 }, () => first!) };
    expect(signersOf(repeated).size).toBe(1);
    const borrowed = { statement: child({ round: 2, attempt: 9 }).statement, signatures };
    expect(signersOf(borrowed).size).toBe(0);
    const shifted = signatures.map(({ member, signature }) => ({ member: member + 1, signature }));
    expect(signersOf({ statement, signatures: shifted }).size).toBe(0);
    expect(certificateFault(repeated, parent, rules)).toBe('no quorum of signatures');
  });
});

test('verifyChain tells the first round at fault, and nothing of a sound chain', () => {
  const sound = chainOf({ roster: five }, { roster: five }, { roster: keys });
  expect(verifyChain(sound, rules)).toEqual({ ok: true });
  expect(verifyChain([], rules)).toEqual({ ok: true });
  const cut = [sound[0]!, sound[2]!];
  expect(verifyChain(cut, rules)).toEqual({ ok: false, round: 2, reason: 'round 3 out of order' });
  const unsigned = sound.map((certificate, i) =>
    i === 1 ? { ...certificate, signatures: certificate.signatures.slice(0, 3) } : certificate,
  );
  expect(verifyChain(unsigned, rules)).toMatchObject({ ok: false, round: 2 });
});

describe('isSettled', () => {
  const others = keys.slice(2);

  test('the first certificate always is', () => {
    expect(isSettled(parent, 0)).toBe(true);
  });

  test('a certificate is when more than half of its parent’s roster signed it', () => {
    const chain = chainOf({ roster: five }, { roster: five, signers: [0, 1, 2] });
    expect(isSettled(chain, 1)).toBe(true);
    const half = chainOf({ roster: keys.slice(0, 4) }, { roster: keys, signers: [2, 3, 4, 5, 6] });
    expect(isSettled(half, 1)).toBe(false);
  });

  test('signers of the child count as well, but not those of the grandchild', () => {
    const start = [{ roster: five }, { roster: others, signers: [1, 2, 3, 4] }];
    expect(isSettled(chainOf(...start), 1)).toBe(false);
    const signed = chainOf(...start, { roster: five, signers: [0, 1, 2, 3] });
    expect(isSettled(signed, 1)).toBe(true);
    const late = chainOf(...start, { roster: others, signers: [1, 2, 3, 4] }, { roster: five });
    expect(isSettled(late, 1)).toBe(false);
  });

  test('the settled beginning ends where the first is not', () => {
    const link = { roster: five };
    const chain = chainOf(link, link, { roster: others, signers: [1, 2, 3, 4] });
    expect(chain.map((_, i) => i < settledLength(chain))).toEqual([true, true, false]);
    expect(chain.map((_, i) => isSettled(chain, i))).toEqual([true, true, false]);
  });
});

interface Link {
  readonly from: number;
  readonly peers: number;
  readonly signers: number;
  readonly survivors: number;
}
const link = fc.record({
  from: fc.integer({ min: 0, max: 2 }),
  peers: fc.integer({ min: 3, max: 4 }),
  signers: fc.integer({ min: 3, max: 4 }),
  survivors: fc.integer({ min: 1, max: 4 }),
});
/** Few choices, so that random chains often begin alike. */
const links = fc.array(link, { maxLength: 4 });

const certificates = new Map<string, Certificate>();
/** The chain of some links; what differs in a link differs in what is signed. */
function grow(all: readonly Link[]): Chain {
  const chain: Certificate[] = [];
  for (const [i, { from, peers, signers, survivors }] of all.entries()) {
    const key = JSON.stringify(all.slice(0, i + 1));
    const roster = keys.slice(from, from + peers);
    const first = (count: number) => [...roster.keys()].slice(0, count);
    const options = { job, roster, signers: first(signers), survivors: first(survivors) };
    const made = certificates.get(key) ?? certificateAfter(chain, { ...options, state: key });
    certificates.set(key, made);
    chain.push(made);
  }
  return chain;
}

describe('fork choice [R-22]', () => {
  test('of two chains that differ exactly one is better, of equal ones none', () => {
    fc.assert(
      fc.property(links, links, links, (prefix, mine, theirs) => {
        const a = grow([...prefix, ...mine]);
        const b = grow([...prefix, ...theirs]);
        const same = firstDifference(a, b) === undefined;
        expect(isBetter(a, b) || isBetter(b, a)).toBe(!same);
        expect(isBetter(a, b) && isBetter(b, a)).toBe(false);
      }),
      { seed: 1, numRuns: 150 },
    );
  });

  test('what is better than a better chain is better', () => {
    fc.assert(
      fc.property(links, links, links, (x, y, z) => {
        const [a, b, c] = [grow(x), grow(y), grow(z)] as const;
        if (isBetter(a, b) && isBetter(b, c)) expect(isBetter(a, c)).toBe(true);
      }),
      { seed: 2, numRuns: 150 },
    );
  });

  const strangers = keys.slice(4);
  const root = { roster: five };

  test('settled certificates count for more than length', () => {
    const settled = chainOf(root, { roster: five });
    const bands = [5, 8, 11].map((from) => ({ roster: crowd.slice(from, from + 3) }));
    // Rosters that have nobody in common with those before them settle nothing.
    const long = chainOf(root, ...bands);
    expect(long.map((_, i) => isSettled(long, i))).toEqual([true, false, false, false]);
    expect(isBetter(settled, long)).toBe(true);
    expect(isBetter(long, settled)).toBe(false);
  });

  test('then length, then survivors where the two part, then the lower hash', () => {
    const two = chainOf(root, { roster: five, state: 'a' });
    const provisional = chainOf(root, { roster: five, state: 'b' }, { roster: strangers });
    expect(isBetter(provisional, two)).toBe(true);
    const few = chainOf(root, { roster: five, survivors: [0, 1, 2, 3] });
    const all = chainOf(root, { roster: five });
    expect(survivorCount(few[1]!.statement)).toBe(4);
    expect(isBetter(all, few)).toBe(true);
    const twin = chainOf(root, { roster: five, state: 'twin' });
    const lower = compareText(headHash(twin, job.id), headHash(all, job.id)) < 0;
    expect(isBetter(twin, all)).toBe(lower);
    expect(isBetter(all, twin)).toBe(!lower);
  });
});
