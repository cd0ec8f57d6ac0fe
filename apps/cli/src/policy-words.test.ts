import type { PolicyView } from '@starling/control';
import { expect, test } from 'vitest';
import { changeOf } from './policy-words.ts';

const NOW: PolicyView = {
  ...{ trust: [], minPeers: 3, company: [], minCompany: 0, worseMax: null, members: [] },
  ...{ privacyBudget: { 'scans.v2': { epsilon: 8, delta: 1e-5 } }, exampleNoise: {} },
  ...{ vouching: { voters: [], least: 1 }, set: [] },
};

test.each([
  ['minPeers', '5', { minPeers: 5 }],
  ['worseMax', '1.5', { worseMax: 1.5 }],
  ['worseMax', 'default', { worseMax: null }],
  ['trust', 'a, b', { trust: ['a', 'b'] }],
  ['trust', 'none', { trust: [] }],
  ['trust', 'default', { trust: null }],
  ['privacyBudget', '{}', { privacyBudget: {} }],
  ['privacyBudget.scans.v2', 'default', { privacyBudget: null }],
  [
    'privacyBudget.scans.v2',
    '{epsilon: 4, delta: 1e-6}',
    { privacyBudget: { 'scans.v2': { epsilon: 4, delta: 1e-6 } } },
  ],
  [
    'privacyBudget.b',
    '{epsilon: 2}',
    {
      privacyBudget: {
        'scans.v2': { epsilon: 8, delta: 1e-5 },
        b: { epsilon: 2, delta: 1e-5 },
      },
    },
  ],
  [
    'exampleNoise.b',
    'noiseMultiplier: 2',
    { exampleNoise: { b: { noiseMultiplier: 2, clippingNorm: 1 } } },
  ],
])('policy set %s "%s" means what it says', (key, value, change) => {
  expect(changeOf(key, value, NOW)).toEqual(change);
});

test.each([
  ['members', 'a', /no key "members" to set.*configuration file/],
  ['minPeers', 'many', /policy\.minPeers: .*You wrote many/],
  ['minPeers', '{', /policy\.minPeers: /],
  ['privacyBudget.b', '8', /policy\.privacyBudget\.b: /],
  ['privacyBudget.b', '{epsilon: 2, sigma: 1}', /policy\.privacyBudget\.b: .*sigma/],
])('policy set %s "%s" is refused with the reason', (key, value, message) => {
  expect(() => changeOf(key, value, NOW)).toThrow(message);
});
