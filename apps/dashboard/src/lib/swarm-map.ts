import type { PeersView } from './types.ts';

/** How a peer is connected to this one, or that it cannot be reached. */
export type Link = 'direct' | 'relayed' | 'lost';

export interface Neighbour {
  readonly peer: string;
  readonly link: Link;
  readonly address: string | null;
  readonly latencyMs: number | null;
  /** What its program calls itself, or why it cannot be reached. */
  readonly detail: string;
}

/** Each peer once; the best of its connections counts. */
export function neighboursOf({ connected, unreachable }: PeersView): readonly Neighbour[] {
  const here = connected.map(({ peer, agent, connections }): Neighbour => {
    const best = connections.find(({ relayed }) => !relayed) ?? connections[0];
    const link = best?.relayed === true ? 'relayed' : 'direct';
    const { address = null, latencyMs = null } = best ?? {};
    return { peer, link, address, latencyMs, detail: agent ?? '' };
  });
  const known = new Set(connected.map(({ peer }) => peer));
  const lost = unreachable
    .filter(({ peer }) => !known.has(peer))
    .map(({ peer, lastError }): Neighbour => {
      return { peer, link: 'lost', address: null, latencyMs: null, detail: lastError };
    });
  return [...here, ...lost];
}

export interface Spot extends Neighbour {
  readonly x: number;
  readonly y: number;
}

/** Peers that fit on one ring before the next one begins. */
const RING_PEERS = 18;
const FIRST_RING = 150;
const RING_STEP = 70;
/** Room for one name. */
const NAME_WIDTH = 92;
/** What is drawn; the list beside it has all. */
export const MAP_PEERS_MAX = 90;

const NEARNESS: Readonly<Record<Link, number>> = { direct: 0, relayed: 1, lost: 2 };

export interface SwarmMap {
  readonly spots: readonly Spot[];
  /** Half the width of the square around this peer, which is at 0, 0. */
  readonly reach: number;
  /** Peers that found no place. */
  readonly left: number;
}

/** Rings around this peer, the nearest kind inside; a function of who is there alone. */
export function swarmMap(neighbours: readonly Neighbour[]): SwarmMap {
  const sorted = [...neighbours].sort(
    (a, b) => NEARNESS[a.link] - NEARNESS[b.link] || (a.peer < b.peer ? -1 : 1),
  );
  const rings = ringsOf(sorted.slice(0, MAP_PEERS_MAX));
  const radii = radiiOf(rings);
  const spots = rings.flatMap((ring, level) => {
    const radius = radii[level]!;
    return ring.map((neighbour, i): Spot => {
      // Every second ring is turned by half a step, so that lines do not run through peers.
      const turn = (i + (level % 2) / 2) / ring.length - 0.25;
      const angle = 2 * Math.PI * turn;
      const [x, y] = [radius * Math.cos(angle), radius * Math.sin(angle)];
      return { ...neighbour, x: rounded(x), y: rounded(y) };
    });
  });
  return {
    spots,
    reach: (radii.at(-1) ?? FIRST_RING) + 60,
    left: Math.max(0, sorted.length - MAP_PEERS_MAX),
  };
}

/** Wide enough for the names on it, and for the ring inside. */
function radiiOf(rings: readonly (readonly Neighbour[])[]): readonly number[] {
  let radius = FIRST_RING - RING_STEP;
  return rings.map(({ length }) => {
    radius = Math.max(radius + RING_STEP, (length * NAME_WIDTH) / (2 * Math.PI));
    return radius;
  });
}

const rounded = (value: number): number => Math.round(value * 10) / 10;

/** Another kind of link begins another ring. */
function ringsOf(sorted: readonly Neighbour[]): readonly (readonly Neighbour[])[] {
  const rings: Neighbour[][] = [];
  for (const neighbour of sorted) {
    const last = rings.at(-1);
    const fits = last !== undefined && last.length < RING_PEERS && last[0]!.link === neighbour.link;
    if (fits) last.push(neighbour);
    else rings.push([neighbour]);
  }
  return rings;
}
