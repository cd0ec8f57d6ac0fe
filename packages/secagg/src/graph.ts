import { threshold } from '@starling/protocol-secagg';
import type { SessionConfig } from './types.ts';

/**
 * Who masks with whom and holds whose shares: everybody in a cell, the neighbours on the graph in
 * the wide mode. Spec §3 and §11.
 */

/** Holders of a dealer's shares in order; the one at index i has the coordinate i + 1. */
export function holdersOf({ graph, members }: SessionConfig, dealer: number): readonly number[] {
  return graph === undefined ? indices(members.length) : graph.neighbours[dealer]!;
}

/** Place of `holder` among the dealer's holders; −1 when it holds nothing. */
export function holderIndex(config: SessionConfig, dealer: number, holder: number): number {
  return config.graph === undefined ? holder : holdersOf(config, dealer).indexOf(holder);
}

/** Members that `member` shares a pairwise mask with. */
export function neighboursOf(config: SessionConfig, member: number): readonly number[] {
  const { graph, members } = config;
  if (graph !== undefined) return graph.neighbours[member]!;
  return indices(members.length).filter((other) => other !== member);
}

export const areNeighbours = ({ graph }: SessionConfig, a: number, b: number): boolean =>
  a !== b && (graph === undefined || graph.neighbours[a]!.includes(b));

/** Shares that open a secret. */
export const shareThreshold = ({ graph, members }: SessionConfig): number =>
  graph?.shareThreshold ?? threshold(members.length);

const lists: (readonly number[])[] = [];
function indices(count: number): readonly number[] {
  lists[count] ??= Array.from({ length: count }, (_, i) => i);
  return lists[count];
}
