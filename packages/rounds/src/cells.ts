import {
  compareText,
  concatBytes,
  fromHex,
  LIMITS,
  type PeerId,
  remembered,
  toHex,
  utf8,
} from '@starling/core';
import { deriveSecret, hashHex, publicKeyOf, type Secret, sha256 } from '@starling/crypto';
import { type Manifest, ROUNDS_LABEL } from '@starling/protocol-rounds';
import { byzantineMax, survivorsMin, threshold } from '@starling/protocol-secagg';
import { findGraphParameters, hararyGraph, type MaskGraph } from '@starling/secagg';

const CELL_SIZE = 64;

/** Peers of one cell, about. */
export const cellSizeOf = ({ aggregation }: Manifest): number => aggregation.cellSize || CELL_SIZE;

/** Most peers that are one cell, with nothing to confirm it but themselves. */
export const oneCellMax = (manifest: Manifest): number => 2 * cellSizeOf(manifest);

/** Whether a roster of more peers than one cell takes is one sum on a graph, not cut into cells. */
export const isWide = ({ aggregation }: Manifest): boolean => aggregation.graph === 'wide';

/** Most peers whose inputs one sum can hold. */
export function sumPeersMax(manifest: Manifest): number {
  const { maxPeers } = manifest.admission;
  return isWide(manifest) ? maxPeers : Math.min(maxPeers, oneCellMax(manifest));
}

/**
 * Fewest peers of a cell: a roster of more than two cells' size may lose a third before it is cut,
 * and is cut into as many cells as come nearest to the size.
 */
export function smallestCell(manifest: Manifest): number {
  const { minPeers, maxPeers } = manifest.admission;
  const size = cellSizeOf(manifest);
  if (maxPeers <= oneCellMax(manifest) || isWide(manifest)) return minPeers;
  const left = Math.max(minPeers, threshold(oneCellMax(manifest) + 1));
  const cells = Array.from({ length: maxPeers - left + 1 }, (_, i) => {
    return Math.floor((left + i) / Math.max(1, Math.round((left + i) / size)));
  });
  return Math.min(Math.max(3, minPeers), ...cells);
}

/** Peers that one sum's session may have, by all the ways in which a roster can be placed. */
function sessionSizes(manifest: Manifest): ReadonlySet<number> {
  const { minPeers, maxPeers } = manifest.admission;
  const [least, most] = [Math.max(3, minPeers), oneCellMax(manifest)];
  const sizes = new Set<number>();
  for (let size = least; size <= Math.min(most, maxPeers); size++) sizes.add(size);
  // A larger roster may lose a third of its members before it is placed.
  const first = threshold(Math.min(LIMITS.rosterPeersMax, Math.max(least, most + 1)));
  for (let roster = first; maxPeers > most && roster <= maxPeers; roster++) {
    const cells = isWide(manifest) ? 1 : Math.max(1, Math.round(roster / cellSizeOf(manifest)));
    sizes.add(Math.floor(roster / cells)).add(Math.ceil(roster / cells));
  }
  return sizes.size > 0 ? sizes : new Set([least]);
}

/**
 * Fewest updates in any sum that the job may open, and fewest of them that are honest: noise is
 * measured by these. Of g members f may lie, and max(t, f + 2) survive.
 */
export function fewestInSum(manifest: Manifest): {
  readonly survivorsMin: number;
  readonly honestMin: number;
} {
  const sizes = [...sessionSizes(manifest)];
  return {
    survivorsMin: Math.min(...sizes.map(survivorsMin)),
    honestMin: Math.min(...sizes.map((size) => survivorsMin(size) - byzantineMax(size))),
  };
}

/** What a peer reveals in its ACK; nobody can foresee it from the JOIN. */
export const beaconReveal = (seed: Secret): Uint8Array =>
  deriveSecret(seed, utf8(`${ROUNDS_LABEL}/beacon`)).reveal();

/** What a peer's JOIN commits to. */
export const beaconCommitment = (reveal: Uint8Array): Uint8Array =>
  sha256(utf8(`${ROUNDS_LABEL}/beacon-commitment`), reveal);

/**
 * Names a roster that is cut into cells, and is the beacon that cuts it: nobody knows it before
 * the last of those whose ACKs count has revealed its part.
 */
export const cellsDigest = (
  rosterDigest: Uint8Array,
  acked: Uint8Array,
  reveals: readonly Uint8Array[],
): Uint8Array =>
  sha256(utf8(`${ROUNDS_LABEL}/cells`), rosterDigest, acked, concatBytes(...reveals));

/**
 * Cuts a roster into cells of nearly the same size: members in order of H(digest ‖ key), cut where
 * the share of each cell ends. Spec protocols/rounds/spec.md §4.4.
 * @returns indices into `roster`, ascending in each cell
 */
export function cutCells(
  roster: readonly PeerId[],
  digest: Uint8Array,
  cellSize: number,
): readonly (readonly number[])[] {
  const name = `${toHex(digest)}/${roster.length}/${cellSize}`;
  return knownCuts(name, () => cut(roster, digest, cellSize));
}
/** A digest names its roster, too. */
const knownCuts = remembered<readonly (readonly number[])[]>(4);

/** Members in an order that nobody could choose: by H(digest ‖ key). */
function drawnOrder(
  roster: readonly PeerId[],
  digest: Uint8Array,
  use: 'cell-order' | 'graph-order',
): readonly number[] {
  const label = utf8(`${ROUNDS_LABEL}/${use}`);
  const ranked = roster.map((peer, index) => {
    return { index, rank: hashHex(label, digest, publicKeyOf(peer)) };
  });
  ranked.sort((a, b) => compareText(a.rank, b.rank));
  return ranked.map(({ index }) => index);
}

function cut(
  roster: readonly PeerId[],
  digest: Uint8Array,
  cellSize: number,
): readonly (readonly number[])[] {
  const ranked = drawnOrder(roster, digest, 'cell-order');
  const count = Math.max(1, Math.round(roster.length / cellSize));
  const edge = (i: number) => Math.floor((i * roster.length) / count);
  return Array.from({ length: count }, (_, i) => {
    return ranked.slice(edge(i), edge(i + 1)).sort((a, b) => a - b);
  });
}

/** Part of a wide roster that may collude, and that may be lost after shares were dealt. */
const WIDE_FRACTION = 0.1;

/**
 * The mask graph of a wide roster: a Harary graph over a ring in drawn order, of the degree that
 * is safe for this many peers. Undefined when so few need the complete graph. Spec
 * protocols/secagg/spec.md §11.
 */
export function wideGraph(roster: readonly PeerId[], digest: Uint8Array): MaskGraph | undefined {
  const parameters = findGraphParameters({
    peers: roster.length,
    corruptFraction: WIDE_FRACTION,
    dropoutFraction: WIDE_FRACTION,
    adversary: 'lies-about-dropouts',
  });
  if (parameters === undefined || parameters.degree >= roster.length - 1) return undefined;
  const graph = hararyGraph(drawnOrder(roster, digest, 'graph-order'), parameters.degree);
  const neighbours = roster.map((_, member) => [...graph.neighbours(member)].sort((a, b) => a - b));
  return { neighbours, shareThreshold: parameters.threshold };
}

/** What binds the messages and keys of one cell. */
export const cellDigest = (digest: Uint8Array, cell: number): Uint8Array =>
  sha256(utf8(`${ROUNDS_LABEL}/cell/${cell}`), digest);

/** What every message of an attempt is bound to. */
export const rosterDigest = (joins: readonly string[]): Uint8Array =>
  sha256(utf8(`${ROUNDS_LABEL}/roster`), concatBytes(...joins.map(fromHex)));
