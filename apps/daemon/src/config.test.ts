import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ConfigError } from '@starling/core';
import { describe, expect, test } from 'vitest';
import { temporaryDirectory } from '../../../test/helpers/temporary.ts';
import {
  configFileOf,
  configSchema,
  limitsOf,
  loadConfig,
  parseConfig,
  policyOf,
  withOverrides,
} from './config.ts';

const PEER = '12D3KooWDpJ7As7BWAwRMfu1VU2WCqNjvq387JEYKDBj4kx6nXTN';
const OTHER = '12D3KooWPjceQrSwdWXPyLLeABRXmuqt69Rg3sBYbU1Nft9HyQ6X';
const defaults = configSchema.parse({});

test('the file is the one named, else that of the state directory, else none', async () => {
  const state = await temporaryDirectory();
  expect(configFileOf(state)).toBeUndefined();
  const own = join(state, 'starling.yaml');
  await writeFile(own, 'network: own\n');
  expect(configFileOf(state)).toBe(own);
  expect(configFileOf(state, '/etc/other.yaml')).toBe('/etc/other.yaml');
});

test('nothing at all is a configuration', async () => {
  expect(loadConfig(undefined)).toEqual(defaults);
  expect(parseConfig('', 'empty.yaml')).toEqual(defaults);
  expect(parseConfig('# only a comment\n', 'empty.yaml')).toEqual(defaults);
  expect(defaults.policy).toEqual({
    ...{ trust: [], minPeers: 3, company: [], minCompany: 0, members: [] },
    ...{ vouching: { voters: [], least: 1 }, privacyBudget: {}, exampleNoise: {} },
  });
});

test('a file is read with defaults for what it leaves out', async () => {
  const file = join(await temporaryDirectory(), 'starling.yaml');
  await writeFile(file, `network: lab\npolicy:\n  trust:\n    - ${PEER}\n`);
  const config = loadConfig(file);
  expect(config).toEqual({
    ...defaults,
    network: 'lab',
    policy: { ...defaults.policy, trust: [PEER] },
  });
  expect(policyOf(config)).toEqual({
    ...{ trust: [PEER], minPeers: 3 },
    company: { peers: [], least: 0 },
    privacyBudgets: new Map(),
    exampleNoise: new Map(),
  });
});

test('a budget of a data set, its delta left out', () => {
  const text =
    'policy:\n  privacyBudget:\n    scans: {epsilon: 4}\n    notes: {epsilon: 1, delta: 1.0e-7}\n';
  expect(policyOf(parseConfig(text, 'a.yaml')).privacyBudgets).toEqual(
    new Map([
      ['scans', { epsilon: 4, delta: 1e-5 }],
      ['notes', { epsilon: 1, delta: 1e-7 }],
    ]),
  );
  const wrong = () => parseConfig('policy:\n  privacyBudget:\n    scans: {epsilon: 0}\n', 'a.yaml');
  expect(wrong).toThrow('a.yaml, line 3, policy.privacyBudget.scans.epsilon');
});

test('noise for the examples of a data set, its norm left out', () => {
  const text = 'policy:\n  exampleNoise:\n    scans: {noiseMultiplier: 1.1}\n';
  expect(policyOf(parseConfig(text, 'a.yaml')).exampleNoise).toEqual(
    new Map([['scans', { clippingNorm: 1, noiseMultiplier: 1.1 }]]),
  );
  const wrong = () => parseConfig(text.replace('1.1', '0'), 'a.yaml');
  expect(wrong).toThrow('a.yaml, line 3, policy.exampleNoise.scans.noiseMultiplier');
});

test.each([
  ['512 MiB', 512 * 2 ** 20],
  ['1.5GiB', 1.5 * 2 ** 30],
  ['1073741824', 2 ** 30],
])('memory of %s', (text, bytes) => {
  const { resources } = parseConfig(`resources:\n  trainer:\n    memory: ${text}\n`, 'a.yaml');
  expect(resources.trainer.memory).toBe(bytes);
});

test('what the owner lets Starling take is read from the file', () => {
  const text = 'resources:\n  upload: 512 KiB/s\n  hours: ["22:00-07:00"]\n  pauseWhenBusy: 0.5\n';
  const config = parseConfig(text, 'a.yaml');
  expect(limitsOf(config)).toEqual({
    ...{ upload: 512 * 2 ** 10, download: undefined, memory: undefined, pauseWhenBusy: 0.5 },
    ...{ hours: [{ from: 22 * 60, to: 7 * 60 }], pauseOnBattery: true },
  });
  expect(config.resources.disk).toBe(20 * 2 ** 30);
});

describe('an error names file, line and key', () => {
  const faults: readonly [text: string, where: string, what: RegExp][] = [
    ['network: "Not A Name"', 'file.yaml, line 1, network', /small letters/],
    ['mdns: true\n\nlight: maybe', 'file.yaml, line 3, light', /boolean/],
    ['listen:\n  - /ip4/1.2.3.4/tcp/1\n  - 5', 'file.yaml, line 3, listen.1', /string/],
    [
      `policy:\n  vouching:\n    voters: [${PEER}]\n    least: 2`,
      ...(['file.yaml, line 4, policy.vouching.least', /policy\.vouching\.voters/] as const),
    ],
    [
      `policy:\n  vouching: {voters: [${PEER}, ${PEER}]}`,
      ...(['file.yaml, line 2, policy.vouching.voters', /twice/] as const),
    ],
    ['policy:\n  minCompany: 1', 'file.yaml, line 2, policy.minCompany', /policy\.company/],
    ['policy:\n  minPeers: 2', 'file.yaml, line 2, policy.minPeers', />=3/],
    ['policy:\n  trust:\n    - nobody', 'file.yaml, line 3, policy.trust.0', /not a peer id/],
    ['log: info\nnetwrok: lab', 'file.yaml, line 2, netwrok', /[Uu]nrecognized key/],
    ['resources:\n  trainer:\n    gpu: yes', 'line 3, resources.trainer.gpu', /[Uu]nrecognized/],
    ['resources:\n  trainer:\n    memory: 1 MiB', 'line 3, resources.trainer.memory', /268435456/],
    ['resources:\n  trainer:\n    memory: much', 'line 3, resources.trainer.memory', /4 GiB/],
    ['resources:\n  trainer:\n    nice: 20', 'line 3, resources.trainer.nice', /19/],
    ['resources:\n  upload: 2 MB', 'line 2, resources.upload', /2 MiB\/s/],
    ['resources:\n  upload: 1 KiB/s', 'line 2, resources.upload', /131072/],
    ['resources:\n  disk: 5 MiB', 'line 2, resources.disk', /1073741824/],
    ['resources:\n  hours: [22-7]', 'line 2, resources.hours.0', /22:00-07:00/],
    ['resources:\n  pauseWhenBusy: 80', 'line 2, resources.pauseWhenBusy', /<=1/],
    ['log: loud', 'file.yaml, line 1, log', /debug/],
    ['just words', 'file.yaml, line 1, configuration', /object/],
    ['- a\n- list', 'file.yaml, line 1, configuration', /object/],
    ['log: info\nlog: warn', 'file.yaml', /unique.*line 2/s],
    ['policy: {', 'file.yaml', /line 1/],
    ['log: *nowhere', 'file.yaml', /nowhere/],
  ];
  test.each(faults)('%j', (text, where, what) => {
    const parse = () => parseConfig(text, 'file.yaml');
    expect(parse).toThrow(ConfigError);
    expect(parse).toThrow(where);
    expect(parse).toThrow(what);
  });

  test('a file that cannot be read is named', async () => {
    const file = join(await temporaryDirectory(), 'missing.yaml');
    expect(() => loadConfig(file)).toThrow(ConfigError);
    expect(() => loadConfig(file)).toThrow(file);
  });
});

describe('withOverrides', () => {
  const file = parseConfig(
    `network: lab\npolicy:\n  trust: [${PEER}]\n  minPeers: 5\n` +
      'resources:\n  trainer:\n    cpuThreads: 2\n',
    'file.yaml',
  );

  test('later keys win, inside policy and resources key by key, and trust adds up', () => {
    const merged = withOverrides(file, [
      JSON.stringify({ network: 'field', resources: { trainer: { nice: 3 } } }),
      JSON.stringify({ network: 'home', policy: { trust: [OTHER] }, light: true }),
    ]);
    expect(merged).toEqual({
      ...file,
      network: 'home',
      light: true,
      policy: { ...file.policy, trust: [PEER, OTHER] },
      resources: {
        ...file.resources,
        trainer: {
          ...{ cpuThreads: 2, cpuShare: 1, device: 'auto', precision: 'float32' },
          ...{ nice: 3, secondsPerStep: 60 },
        },
      },
    });
    expect(withOverrides(file, [])).toEqual(file);
  });

  test('the file’s own configuration stays as it is', () => {
    const before = structuredClone(file);
    withOverrides(file, [JSON.stringify({ policy: { trust: [OTHER], minPeers: 9 } })]);
    expect(file).toEqual(before);
  });

  test.each([
    [{ policy: { minPeers: 1 } }, 'policy.minPeers'],
    [{ network: '' }, 'network'],
    [{ resources: { trainer: { cpuThreads: 0 } } }, 'resources.trainer.cpuThreads'],
    [{ policy: { trust: ['nobody'] } }, 'policy.trust.1'],
    [{ nonsense: 1 }, 'nonsense'],
  ])('an error in %j names the key', (override, key) => {
    const merge = () => withOverrides(file, [JSON.stringify(override)]);
    expect(merge).toThrow(ConfigError);
    expect(merge).toThrow(key);
  });

  test.each(['not json', 'null', '7', '[]'])('%j is not a set of keys', (text) => {
    expect(() => withOverrides(file, [text])).toThrow(ConfigError);
  });
});
