import { assert } from '@starling/core';

/**
 * The Harary graph H(k, n) for even k (Harary 1962, "The maximum connectivity of a graph"): on a
 * ring each member is joined to the k/2 next on either side. No graph with so few edges is harder
 * to cut: k members must go. Over a random order it has, for our purposes, what a random graph has,
 * and everybody can compute everybody's neighbours (Bell et al. 2020, §3).
 */
export interface HararyGraph {
  /** Members in the order of the ring. */
  readonly order: readonly number[];
  readonly degree: number;
  /** Those joined to `member`, in order of the ring, beginning with the farthest before it. */
  neighbours(member: number): readonly number[];
  /** Every edge once, the smaller member first. */
  edges(): readonly Edge[];
}

export type Edge = readonly [smaller: number, larger: number];

/** `order` is a permutation drawn after nobody can choose where on the ring it comes to lie. */
export function hararyGraph(order: readonly number[], degree: number): HararyGraph {
  const size = order.length;
  assert(degree >= 2 && degree < size && degree % 2 === 0, `degree ${degree} of ${size} members`);
  const places = new Map(order.map((member, place) => [member, place]));
  assert(places.size === size, 'a member stands twice on the ring');
  const at = (place: number) => order[(place + size) % size]!;
  const offsets = Array.from({ length: degree / 2 }, (_, i) => i + 1);
  return {
    order,
    degree,
    neighbours(member) {
      const place = places.get(member);
      assert(place !== undefined, `member ${member} is not on the ring`);
      const before = offsets.map((offset) => at(place - offset)).reverse();
      return [...before, ...offsets.map((offset) => at(place + offset))];
    },
    edges: () =>
      order.flatMap((member, place) =>
        offsets.map((offset): Edge => {
          const other = at(place + offset);
          return member < other ? [member, other] : [other, member];
        }),
      ),
  };
}

/** What everybody checks in public before it unmasks; the answer is the same for all. */
export interface Remains {
  /** Members left with fewer than `threshold` neighbours: their secrets cannot be opened. */
  readonly starved: readonly number[];
  /** Whether all that are left hang together: else the sum of a part could be opened. */
  readonly connected: boolean;
}

export function remainsOf(
  graph: HararyGraph,
  lost: ReadonlySet<number>,
  threshold: number,
): Remains {
  const left = graph.order.filter((member) => !lost.has(member));
  const starved = left.filter((member) => {
    const present = graph.neighbours(member).filter((neighbour) => !lost.has(neighbour));
    return present.length < threshold;
  });
  return { starved, connected: isConnectedWithout(graph, lost) };
}

/**
 * A gap is a run of k/2 or more lost members: no edge spans it. One gap makes the ring a path; the
 * second cuts it.
 */
export function isConnectedWithout({ order, degree }: HararyGraph, lost: ReadonlySet<number>) {
  const first = order.findIndex((member) => !lost.has(member));
  if (first < 0) return true;
  // Beginning at a member that is left, no run goes over the end of the list.
  const ring = [...order.slice(first), ...order.slice(0, first)];
  let [gaps, run] = [0, 0];
  for (const member of ring) {
    run = lost.has(member) ? run + 1 : 0;
    if (run === degree / 2) gaps++;
  }
  return gaps < 2;
}
