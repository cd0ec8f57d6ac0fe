import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type HararyGraph, hararyGraph, isConnectedWithout, remainsOf } from './harary.ts';

const check = <T>(arbitrary: fc.Arbitrary<T>, property: (value: T) => void) =>
  fc.assert(fc.property(arbitrary, property), { numRuns: 300, seed: 23 });

/** A ring of 3 to 40 members in any order, of any degree, some of them lost. */
const RING = fc.integer({ min: 3, max: 40 }).chain((size) =>
  fc.record({
    order: fc.shuffledSubarray([...Array(size).keys()], { minLength: size }),
    degree: fc.integer({ min: 1, max: Math.floor((size - 1) / 2) }).map((half) => 2 * half),
    lost: fc.subarray([...Array(size).keys()]).map((members) => new Set(members)),
  }),
);

/** Whom one reaches from any member that is left, by walking edges: all of them or not. */
function isReachable(graph: HararyGraph, lost: ReadonlySet<number>): boolean {
  const left = graph.order.filter((member) => !lost.has(member));
  const reached = new Set(left.slice(0, 1));
  for (const member of reached) {
    for (const next of graph.neighbours(member)) if (!lost.has(next)) reached.add(next);
  }
  return reached.size === left.length;
}

test('every member has `degree` others as neighbours, and is theirs', () => {
  check(RING, ({ order, degree }) => {
    const graph = hararyGraph(order, degree);
    const at = new Map(order.map((member) => [member, new Set(graph.neighbours(member))]));
    const isSound = (member: number, others: ReadonlySet<number>) =>
      others.size === degree &&
      !others.has(member) &&
      [...others].every((other) => at.get(other)?.has(member));
    expect([...at].filter(([member, others]) => !isSound(member, others))).toEqual([]);
  });
});

test('edges are the pairs of neighbours, each once', () => {
  check(RING, ({ order, degree }) => {
    const graph = hararyGraph(order, degree);
    const pairs = order.flatMap((member) =>
      graph.neighbours(member).flatMap((other) => (member < other ? [`${member},${other}`] : [])),
    );
    expect(graph.edges().map(String).sort()).toEqual(pairs.sort());
  });
});

test('connected means that one can walk everywhere', () => {
  let cut = 0;
  check(RING, ({ order, degree, lost }) => {
    const graph = hararyGraph(order, degree);
    const connected = isConnectedWithout(graph, lost);
    expect(connected).toBe(isReachable(graph, lost));
    if (!connected) cut++;
  });
  expect(cut).toBeGreaterThan(20);
});

test('fewer than `degree` losses cut nothing, `degree` well-chosen ones do', () => {
  check(RING, ({ order, degree, lost }) => {
    const graph = hararyGraph(order, degree);
    const few = new Set([...lost].slice(0, degree - 1));
    expect(isConnectedWithout(graph, few)).toBe(true);
    // Two gaps around the first member; somebody must be left behind the second.
    if (degree + 2 > order.length) return;
    expect(isConnectedWithout(graph, new Set(graph.neighbours(order[0]!)))).toBe(false);
  });
});

test('the starved are those with too few neighbours left', () => {
  check(fc.tuple(RING, fc.integer({ min: 1, max: 12 })), ([{ order, degree, lost }, threshold]) => {
    const graph = hararyGraph(order, degree);
    const present = new Map(order.map((member) => [member, 0]));
    for (const [a, b] of graph.edges()) {
      if (!lost.has(a)) present.set(b, present.get(b)! + 1);
      if (!lost.has(b)) present.set(a, present.get(a)! + 1);
    }
    const starved = order.filter((m) => !lost.has(m) && present.get(m)! < threshold);
    expect(remainsOf(graph, lost, threshold).starved).toEqual(starved);
  });
});

test('with degree size − 1 the graph is complete', () => {
  const graph = hararyGraph([4, 0, 3, 1, 2], 4);
  expect(graph.edges().length).toBe(10);
  expect(remainsOf(graph, new Set([0, 1]), 2)).toEqual({ starved: [], connected: true });
  expect(remainsOf(graph, new Set([0, 1]), 3).starved).toEqual([4, 3, 2]);
});

test('an order by hand: two before, two after', () => {
  const graph = hararyGraph([5, 2, 9, 7, 0, 4], 4);
  expect(graph.neighbours(5)).toEqual([0, 4, 2, 9]);
  expect(graph.neighbours(7)).toEqual([2, 9, 0, 4]);
});

test('odd or too large degrees, doubles and strangers are refused', () => {
  for (const degree of [0, 3, 5, 6]) {
    expect(() => hararyGraph([0, 1, 2, 3, 4], degree)).toThrow('degree');
  }
  expect(() => hararyGraph([0, 1, 1, 2], 2)).toThrow('twice');
  expect(() => hararyGraph([0, 1, 2], 2).neighbours(3)).toThrow('not on the ring');
});
