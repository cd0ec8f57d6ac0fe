import { sha256 } from '@starling/crypto';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  beaconCommitment,
  cellsDigest,
  cutCells,
  oneCellMax,
  smallestCell,
  sumPeersMax,
  wideGraph,
} from './cells.ts';
import { testKeys, testManifest } from './testing/fixtures.ts';

const roster = testKeys(40).map(({ peerId }) => peerId);
const digestOf = (seed: number) => sha256(Uint8Array.of(seed));

test('every member is in one cell, and the cells differ by one member at most [R-31]', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 3, max: 40 }),
      fc.integer({ min: 4, max: 20 }),
      fc.nat(255),
      (...x) => {
        const [size, cellSize, seed] = x;
        const cells = cutCells(roster.slice(0, size), digestOf(seed), cellSize);
        expect(cells).toHaveLength(Math.max(1, Math.round(size / cellSize)));
        expect(cells.flat().sort((a, b) => a - b)).toEqual([...Array(size).keys()]);
        for (const cell of cells) expect(cell).toEqual([...cell].sort((a, b) => a - b));
        const sizes = cells.map(({ length }) => length);
        expect(Math.max(...sizes) - Math.min(...sizes)).toBeLessThanOrEqual(1);
      },
    ),
    { seed: 5, numRuns: 100 },
  );
});

test('another digest cuts the same roster otherwise', () => {
  const cuts = new Set(
    Array.from({ length: 50 }, (_, seed) => JSON.stringify(cutCells(roster, digestOf(seed), 10))),
  );
  expect(cuts.size).toBe(50);
});

test('two given members share a cell as often as chance has it', () => {
  let together = 0;
  for (let seed = 0; seed < 256; seed++) {
    const cells = cutCells(roster, digestOf(seed), 10);
    if (cells.some((cell) => cell.includes(0) && cell.includes(1))) together += 1;
  }
  // 9 of the 39 others are in the cell: 59 expected, with a standard deviation of 7.
  expect(together).toBeGreaterThan(59 - 4 * 7);
  expect(together).toBeLessThan(59 + 4 * 7);
});

test('every reveal, and whose count, changes the digest', () => {
  const reveals = [1, 2, 3].map((i) => digestOf(i));
  const base = cellsDigest(digestOf(9), Uint8Array.of(0b111), reveals);
  const others = [
    cellsDigest(digestOf(8), Uint8Array.of(0b111), reveals),
    cellsDigest(digestOf(9), Uint8Array.of(0b1011), reveals),
    ...reveals.map((_, i) =>
      cellsDigest(digestOf(9), Uint8Array.of(0b111), reveals.with(i, digestOf(7))),
    ),
  ];
  for (const other of others) expect(other).not.toEqual(base);
});

test('a commitment says nothing of another reveal', () => {
  expect(beaconCommitment(digestOf(1))).not.toEqual(beaconCommitment(digestOf(2)));
  expect(beaconCommitment(digestOf(1))).not.toEqual(digestOf(1));
});

test('one cell has at most twice the cell size; a sum has no more inputs', () => {
  const manifest = testManifest({ admission: { maxPeers: 1000 } });
  expect(oneCellMax(manifest)).toBe(128);
  expect(sumPeersMax(manifest)).toBe(128);
  const small = testManifest({ admission: { maxPeers: 30 }, aggregation: { cellSize: 20 } });
  expect(oneCellMax(small)).toBe(40);
  expect(sumPeersMax(small)).toBe(30);
});

test('no cell is smaller than a volunteer is told', () => {
  const manifest = testManifest({
    ...{ admission: { minPeers: 20, maxPeers: 40 }, aggregation: { cellSize: 8 } },
  });
  const least = smallestCell(manifest);
  expect(least).toBe(6);
  // Whatever is left of a roster of 17 to 40 after a third is gone.
  for (let size = 20; size <= 40; size++) {
    const cells = cutCells(roster.slice(0, size), digestOf(1), 8);
    for (const cell of cells) expect(cell.length).toBeGreaterThanOrEqual(least);
  }
  const oneCell = testManifest({ admission: { minPeers: 5, maxPeers: 64 } });
  expect(smallestCell(oneCell)).toBe(5);
  expect(smallestCell(testManifest({ admission: { minPeers: 3, maxPeers: 1000 } }))).toBe(3);
});

test('a wide roster masks on a connected graph that its digest draws', () => {
  const graphs = [1, 2].map((seed) => wideGraph(roster, digestOf(seed))!);
  for (const { neighbours, shareThreshold } of graphs) {
    // Forty peers, a tenth of whom may collude, and a tenth may be lost: Bell et al. 2020.
    expect(shareThreshold).toBe(10);
    for (const [member, others] of neighbours.entries()) {
      expect(others).toHaveLength(14);
      expect(others).toEqual([...others].sort((a, b) => a - b));
      expect(others).not.toContain(member);
      for (const other of others) expect(neighbours[other]).toContain(member);
    }
  }
  expect(graphs[0]).not.toEqual(graphs[1]);
  // So few would be neighbours of nearly all others: they mask with everybody.
  expect(wideGraph(roster.slice(0, 3), digestOf(1))).toBeUndefined();
});

test('a wide sum holds the inputs of all', () => {
  const aggregation = { graph: 'wide', ringBits: 22 } as const;
  const manifest = testManifest({ admission: { maxPeers: 1_000 }, aggregation });
  expect(sumPeersMax(manifest)).toBe(1_000);
  expect(smallestCell(manifest)).toBe(manifest.admission.minPeers);
});
