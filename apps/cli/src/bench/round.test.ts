import { expect, test } from 'vitest';
import { BenchCell } from './cell.ts';
import { type RoundRow, round } from './round.ts';

const unmasking = 'local';
const KEYS = [
  ...['peers', 'dim', 'bits', 'replication', 'cpuRatioToPlain', 'bytesRatioToPlain'],
  ...['bytesRatioToFloat32AllReduce', 'cpuSecondsPerPeer', 'bytesPerPeer'],
];

test('a quick run has every figure, and a line of the table for each row', async () => {
  const { result, lines, columns } = await round.run({ quick: true });
  const rows = result['rows'] as readonly RoundRow[];
  expect(rows).toHaveLength(2);
  expect(lines).toHaveLength(2);
  for (const line of lines) expect(line).toHaveLength(columns.length);
  for (const row of rows) {
    for (const key of KEYS) expect(row[key as keyof RoundRow]).toBeGreaterThan(0);
    // Shares, reveals and tags are control messages of the secure round only.
    expect(row.bytesRatioToPlain).toBeGreaterThan(1);
    expect(row.bytesPerPeerWithRelays).toBeGreaterThan(row.bytesPerPeer);
  }
});

test.each(['none', 'double-masking'] as const)(
  'a cell under %s opens the exact sum, and counts what it sent',
  async (protection) => {
    const peers = 4;
    const shape = { length: 8_000, bits: 24, coordinateMax: 2 ** 18 - 1, chunkBytes: 6_000 };
    const inputs = Array.from({ length: peers }, (_, i) => new Uint32Array(8_000).fill(1000 * i));
    const cell = new BenchCell({ peers, shape, replication: 1, unmasking, protection, inputs });
    const { control, direct } = await cell.run();
    expect(() => cell.assertExact()).not.toThrow();
    // Sums of 26 bits to all but their owners; members send all they do not own themselves, and
    // one that owns a chunk gives a copy of its own to another. Headers are small.
    const sums = 26_000 * (peers - 1);
    expect(direct).toBeGreaterThanOrEqual(24_000 * (peers - 1) + sums);
    expect(direct).toBeLessThan(24_000 * peers + sums + 6_000);
    expect(control).toBeGreaterThan(0);
  },
);

test('a wrong sum is not passed over', async () => {
  const shape = { length: 10, bits: 24, coordinateMax: 2 ** 18 - 1, chunkBytes: 96 };
  const inputs = Array.from({ length: 4 }, () => new Uint32Array(10).fill(7));
  const cell = new BenchCell({
    peers: 4,
    shape,
    replication: 1,
    unmasking,
    protection: 'none',
    inputs,
  });
  await cell.run();
  inputs[2]![9] = 8;
  expect(() => cell.assertExact()).toThrow(/wrong sum/);
});
