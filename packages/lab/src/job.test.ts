import { expect, test } from 'vitest';
import { labManifest } from './job.ts';
import { clouds, tinyModel, tinySettings } from './testing/tiny.ts';

const DATA = clouds(400);
const manifestOf = (given: object) => labManifest(tinySettings(given), DATA, tinyModel());

test('cells are those that the settings name, and the grid has room for one of them', () => {
  const { aggregation, admission } = manifestOf({ clients: 40, cells: 8 });
  expect(aggregation.cellSize).toBe(5);
  expect(admission.maxPeers).toBe(40);
});

test.each([
  ['cells of two', { clients: 10, cells: 5 }, /cells: .*fewer than 3 in a cell/],
  ['one cell of many', { clients: 200 }, /cells: .*more than 128 in a cell/],
  ['cells smaller than a job may have', { clients: 12, cells: 4 }, /cellSize must be/],
  ['FedProx that is FedAvg', { aggregation: { algorithm: 'fedprox' } }, /training\.proximal: /],
])('%s are refused by their key', (_, given, message) => {
  expect(() => manifestOf(given)).toThrow(message);
});
