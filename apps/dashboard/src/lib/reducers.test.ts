import { ROUND_PHASES } from '@starling/control';
import { expect, test } from 'vitest';
import { curvesOf, hasValues } from './curves.ts';
import { afterEvent, badgeOf, inOrder, needsApproval, secondsLeft, staysOut } from './jobs.ts';
import { participantsOf, stepsOf } from './live.ts';
import { type Link, type Neighbour, neighboursOf, swarmMap } from './swarm-map.ts';
import type { JobView, LiveRound, Round } from './types.ts';

const HASH = 'ab'.repeat(32);

const round = (number: number, change: Partial<Round> = {}): Round => ({
  ...{ round: number, restarts: 0, attempt: 0, participants: 4, survivors: 3 },
  ...{
    loss: 0.5,
    accuracy: 0.8,
    examples: 100,
    metrics: {},
    stateHash: HASH,
    certificate: HASH,
    settled: true,
  },
  ...change,
});

const job = (change: Partial<JobView> = {}): JobView => ({
  ...{ id: HASH, name: 'job', launcher: 'peer', standing: 'participating', detail: 'data set a' },
  ...{ phase: 'training', progress: null, privacy: null, live: null, rounds: [round(1)] },
  ...{ roundsWanted: 5, secondsPerRound: 2, suspects: [], stateHash: HASH },
  ...change,
});

const live = (change: Partial<LiveRound> = {}): LiveRound => ({
  ...{ round: 2, restarts: 0, attempt: 0, phase: 'chunks', joined: null, chunks: null, lost: [] },
  phases: [
    { phase: 'training', startedAt: 1_000, seconds: 3 },
    { phase: 'joining', startedAt: 4_000, seconds: 1 },
    { phase: 'chunks', startedAt: 5_000, seconds: null },
  ],
  ...{ roster: ['a', 'b', 'c', 'd'], survivors: null, cells: [], convicted: [] },
  ...change,
});

test('jobs that wait for their owner come first, and ended ones last', () => {
  const jobs = [
    job({ name: 'ended', phase: 'finished' }),
    job({ name: 'running' }),
    job({ name: 'watched', standing: 'no-data', phase: 'watching' }),
    job({ name: 'asks', standing: 'waiting-for-approval', phase: 'watching' }),
    job({ name: 'too late', standing: 'waiting-for-approval', phase: 'finished' }),
  ];
  expect(inOrder(jobs).map(({ name }) => name)).toEqual([
    ...['asks', 'running', 'watched', 'ended', 'too late'],
  ]);
  expect(jobs.filter((each) => needsApproval(each)).map(({ name }) => name)).toEqual(['asks']);
  expect(needsApproval(jobs[3]!, 'peer')).toBe(false);
  expect(jobs.map(staysOut)).toEqual([undefined, undefined, 'data set a', undefined, undefined]);
  expect(badgeOf(jobs[0]!)).toEqual({ text: 'finished', tone: 'good' });
});

test('what is left follows from the pace of late', () => {
  expect(secondsLeft(job())).toBe(8);
  expect(secondsLeft(job({ secondsPerRound: null }))).toBeNull();
  expect(secondsLeft(job({ phase: 'finished' }))).toBeNull();
  expect(secondsLeft(job({ roundsWanted: 1, rounds: [round(1), round(2)] }))).toBe(0);
});

test('an event brings the view, the running round, or nothing new', () => {
  const event = { job: HASH, kind: 'phase', text: '' };
  const known = job();
  expect(afterEvent(known, event)).toBe(known);
  expect(afterEvent(known, { ...event, live: live() }).live?.round).toBe(2);
  expect(afterEvent({ ...known, live: live() }, { ...event, live: null }).live).toBeNull();
  const view = job({ rounds: [round(1), round(2)] });
  expect(afterEvent(known, { ...event, view, live: null })).toBe(view);
});

test('steps are all phases of a round in their order, with the times they took', () => {
  const steps = stepsOf(live(), 7_500);
  expect(steps.map(({ phase }) => phase)).toEqual(ROUND_PHASES);
  expect(steps.slice(0, 5).map(({ state, seconds }) => [state, seconds])).toEqual([
    ['done', 3],
    ['done', 1],
    ['skipped', null],
    ['now', 2.5],
    ['ahead', null],
  ]);
});

test('a clock that went back shows no negative time', () => {
  expect(stepsOf(live(), 0)[3]).toMatchObject({ state: 'now', seconds: 0 });
});

test('everybody of the roster has a fate', () => {
  expect(participantsOf(live()).map(({ fate }) => fate)).toEqual(new Array(4).fill('in the round'));
  const decided = live({
    survivors: ['a', 'b'],
    cells: [['a'], ['b']],
    convicted: [{ peer: 'd', reason: 'two votes' }],
  });
  expect(participantsOf(decided)).toEqual([
    { peer: 'a', fate: 'in the sum', cell: 1, reason: undefined },
    { peer: 'b', fate: 'in the sum', cell: 2, reason: undefined },
    { peer: 'c', fate: 'dropped', cell: undefined, reason: undefined },
    { peer: 'd', fate: 'convicted', cell: undefined, reason: 'two votes' },
  ]);
});

test('curves have a value or a gap for each round', () => {
  const { rounds, loss, survivors } = curvesOf([round(1), round(2, { loss: null })]);
  expect([rounds, loss.values, survivors.values]).toEqual([
    [1, 2],
    [0.5, null],
    [3, 3],
  ]);
  expect(hasValues(loss)).toBe(true);
  expect(hasValues({ label: '', values: [null] })).toBe(false);
});

const neighbour = (peer: string, link: Link): Neighbour => ({
  ...{ peer, link, address: null, latencyMs: null, detail: '' },
});

test('a peer is once on the map, by the best of its connections', () => {
  const connection = { direction: 'inbound', latencyMs: 5 } as const;
  const found = neighboursOf({
    known: 3,
    outdated: [],
    connected: [
      {
        ...{ peer: 'both', agent: 'starling/1' },
        connections: [
          { ...connection, address: '/relay', relayed: true },
          { ...connection, address: '/direct', relayed: false },
        ],
      },
      {
        ...{ peer: 'far', agent: null },
        connections: [{ ...connection, address: '/relay', relayed: true }],
      },
    ],
    unreachable: [
      { peer: 'far', failures: 1, lastError: 'timeout' },
      { peer: 'gone', failures: 3, lastError: 'refused' },
    ],
  });
  expect(found).toEqual([
    { peer: 'both', link: 'direct', address: '/direct', latencyMs: 5, detail: 'starling/1' },
    { peer: 'far', link: 'relayed', address: '/relay', latencyMs: 5, detail: '' },
    { peer: 'gone', link: 'lost', address: null, latencyMs: null, detail: 'refused' },
  ]);
});

test('the map has a place for each peer, nobody on top of another, nearest inside', () => {
  const direct = Array.from({ length: 30 }, (_, i) => neighbour(`d${i}`, 'direct'));
  const far = [neighbour('r', 'relayed')];
  const { spots, reach, left } = swarmMap([...far, ...direct]);
  expect(left).toBe(0);
  expect(new Set(spots.map(({ x, y }) => `${x}/${y}`)).size).toBe(31);
  const radii = spots.map(({ x, y }) => Math.hypot(x, y));
  expect(Math.max(...radii)).toBeLessThan(reach);
  expect(spots.at(-1)).toMatchObject({ peer: 'r' });
  expect(radii.at(-1)).toBeCloseTo(Math.max(...radii), 0);
  const distances = spots.flatMap((a, i) =>
    spots.slice(i + 1).map((b) => Math.hypot(a.x - b.x, a.y - b.y)),
  );
  expect(Math.min(...distances)).toBeGreaterThan(30);
});

test('a swarm too large for the map is said to be', () => {
  const many = Array.from({ length: 500 }, (_, i) => neighbour(`p${i}`, 'lost'));
  expect(swarmMap(many)).toMatchObject({ left: 410 });
  expect(swarmMap([])).toMatchObject({ spots: [], left: 0 });
});
