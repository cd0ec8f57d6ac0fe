import { expect, test } from 'vitest';
import { network } from './network.ts';

test('a quick run has a row for every contender, each against both comparisons', async () => {
  const { result, lines, columns } = await network.run({ quick: true });
  const rows = result['rows'] as readonly Readonly<Record<string, unknown>>[];
  expect(rows.map(({ name }) => name)).toEqual([
    ...['plain TCP', 'raw libp2p stream', 'one-to-one stream', '8-to-8 chunk exchange'],
    ...['blob from 1 source', 'blob from 2 sources', 'blob from 4 sources'],
  ]);
  for (const row of rows) {
    for (const key of ['bytesPerSecond', 'ratioToRawStream', 'ratioToTcp']) {
      expect(row[key]).toBeGreaterThan(0);
    }
  }
  for (const line of lines) expect(line).toHaveLength(columns.length);
});
