import { experimentSchema } from '@starling/lab';
import { expect, test } from 'vitest';
import { parseYaml } from '../yaml-file.ts';

const read = (text: string) =>
  parseYaml(text, { file: 'x.yaml', schema: experimentSchema, what: 'experiment' });

const FILE = `name: x
data: {set: mnist}
model: zoo:mlp
clients: 20
training:
  epochs: 1
stop: {rounds: 3}
grid:
  training.epochs: [1, 2]
`;

test('a whole file is read', () => {
  expect(read(FILE).groups.length).toBe(2);
});

test.each([
  ['clients: 20', 'clients: none', /x\.yaml, line 4, clients: /],
  ['  epochs: 1', '  epoch: 1', /x\.yaml, line 6, training\.epoch: there is no such key/],
  ['[1, 2]', '[1, two]', /x\.yaml, line 9, grid\.training\.epochs: /],
  ['stop: {rounds: 3}', '', /x\.yaml, line 1, stop: /],
  ['clients: 20', 'partition: {kind: shard}', /x\.yaml, line 4, partition\.kind: /],
])('%j in place of %j is named by line and key', (good, bad, message) => {
  expect(() => read(FILE.replace(good, bad))).toThrow(message);
});
