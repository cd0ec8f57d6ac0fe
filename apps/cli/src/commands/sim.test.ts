import { addCoverage, type SimReport } from '@starling/sim';
import { expect, test } from 'vitest';
import { faultOf } from './sim.ts';

const round = { sumExact: true, survivors: 5, attempts: 1, decision: 'survivors' } as const;

const REPORT: SimReport = {
  ...{ seed: 1, roundsFinished: 2, rounds: [round, round], aborts: {}, faultsInjected: {} },
  ...{ misdeeds: 0, convictions: {}, convicted: [], banned: [] },
  ...{
    adversaries: [],
    updatesCharged: [],
    violations: [],
    traceHash: '00',
    signaturesVerified: 1,
  },
  ...{
    bytesPerPeer: { mean: 1, max: 1 },
    cpuCounted: {
      readings: 0,
      secondsPerReading: 0,
      verifications: 0,
      secondsPerVerification: 0,
    },
    cpuSecondsPerPeer: { mean: 1, max: 1 },
  },
  coverage: addCoverage([]),
  ...{ virtualSeconds: 1, wallSeconds: 1, peakMemoryBytes: 1 },
};

test.each([
  ['a sound run', {}, undefined],
  ['a violation', { violations: ['never-both: x', 'y'] }, '2 violations, the first: never-both: x'],
  ['a round left', { rounds: [round], roundsFinished: 1 }, 'only 1 of 2 rounds finished'],
  [
    'a wrong sum',
    { rounds: [round, { ...round, sumExact: false }] },
    'the sum of round 2 was not seen to be exact',
  ],
])('%s is judged', (_, change, fault) => {
  expect(faultOf({ ...REPORT, ...change }, 2)).toBe(fault);
});
