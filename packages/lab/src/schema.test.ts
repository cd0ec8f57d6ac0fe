import { expect, test } from 'vitest';
import { experimentSchema } from './schema.ts';

const BASE = { name: 'x', data: { set: 'mnist' }, model: 'zoo:mlp', stop: { rounds: 1 } };

const faultOf = (given: object) => {
  const parsed = experimentSchema.safeParse({ ...BASE, ...given });
  return parsed.success ? undefined : parsed.error.issues[0];
};

test('a grid is the product of its values, in order, each over the rest of the file', () => {
  const { groups, seeds } = experimentSchema.parse({
    ...BASE,
    training: { epochs: 3, batchSize: 10 },
    grid: { 'training.epochs': [1, 5], partition: [{ kind: 'iid' }, { kind: 'shards' }] },
  });
  expect(seeds).toEqual([1]);
  expect(groups.map(({ settings }) => [settings.training.epochs, settings.partition.kind])).toEqual(
    [1, 5].flatMap((epochs) => ['iid', 'shards'].map((kind) => [epochs, kind])),
  );
  for (const { settings } of groups) expect(settings.training.batchSize).toBe(10);
});

test('keys of a grid that go together take their values from lists', () => {
  const grid = {
    'training.steps, stop.rounds': [
      [10, 20],
      [100, 2],
    ],
  };
  const { groups } = experimentSchema.parse({ ...BASE, grid });
  expect(groups.map(({ settings }) => [settings.training.steps, settings.stop.rounds])).toEqual([
    [10, 20],
    [100, 2],
  ]);
  const bad = faultOf({ grid: { 'training.steps, stop.rounds': [[10, 0]] } });
  expect(bad?.path).toEqual(['grid', 'training.steps, stop.rounds']);
});

test('a key inside a map holds, whichever the grid names first', () => {
  const attack = [{ kind: 'free-rider' }, { kind: 'sign-flip', scale: 2 }];
  const { groups } = experimentSchema.parse({
    ...BASE,
    grid: { 'attack.fraction': [0.1, 0.3], attack },
  });
  expect(groups.map(({ settings }) => settings.attack?.fraction)).toEqual([0.1, 0.1, 0.3, 0.3]);
});

test.each([
  ['an unknown key', { clientz: 5 }, [], /unrecognized/i],
  ['a wrong value', { training: { epochs: 0 } }, ['training', 'epochs'], /./],
  [
    'a value of the grid',
    { grid: { 'training.epochs': [1, -1] } },
    ['grid', 'training.epochs'],
    /./,
  ],
  [
    'a key of the grid that there is not',
    { grid: { 'training.epoch': [1] } },
    ['grid', 'training.epoch'],
    /no key/,
  ],
  [
    'a number another algorithm reads',
    { aggregation: { tau: 1 } },
    ['aggregation', 'tau'],
    /fedavg/,
  ],
  ['an attack without a name', { attack: { kind: 'smile' } }, ['attack', 'kind'], /./],
  ['a name that is no name of a file', { name: '../x' }, ['name'], /letters/],
  ['a grid without values', { grid: { clients: [] } }, ['grid', 'clients'], /./],
])('%s is named by its place', (_, given, path, message) => {
  const fault = faultOf(given);
  expect(fault?.path).toEqual(path);
  expect(fault?.message).toMatch(message);
});
