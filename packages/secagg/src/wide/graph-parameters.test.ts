import { expect, test } from 'vitest';
import { choose, drawsWithAtLeast, log2OfRatio, upperQuantile } from './exact.ts';
import { findGraphParameters, type GraphRequest } from './graph-parameters.ts';

const PEERS = [64, 100, 200, 500, 1000];
type Row = readonly [corrupt: number, dropout: number, ...parameters: string[]];

/** For 2^−40 and 2^−20: degree, threshold for each of PEERS. */
const TABLE: Readonly<Record<GraphRequest['adversary'], readonly Row[]>> = {
  'semi-honest': [
    [0.05, 0.05, '8,4', '12,6', '20,11', '28,16', '30,17'],
    [0.1, 0.1, '14,7', '22,11', '34,19', '42,24', '48,27'],
    [0.2, 0.2, '26,13', '40,21', '62,34', '88,48', '98,54'],
    [0.33, 0.1, '28,22', '42,32', '66,47', '90,64', '102,72'],
  ],
  'lies-about-dropouts': [
    [0.05, 0.05, '10,7', '16,11', '30,21', '44,31', '52,37'],
    [0.1, 0.1, '20,14', '32,22', '56,39', '82,57', '96,67'],
    [0.2, 0.1, '26,20', '42,32', '76,57', '116,86', '140,104'],
    [0.2, 0.2, '38,26', '62,42', '118,80', '220,150', '302,206'],
  ],
};

const find = (
  peers: number,
  corruptFraction: number,
  dropoutFraction: number,
  adversary: GraphRequest['adversary'],
): string => {
  const found = findGraphParameters({ peers, corruptFraction, dropoutFraction, adversary });
  return found ? `${found.degree},${found.threshold}` : 'none';
};

for (const adversary of ['semi-honest', 'lies-about-dropouts'] as const) {
  for (const [corrupt, dropout, ...wanted] of TABLE[adversary]) {
    test(`${adversary}, ${corrupt} corrupt, ${dropout} lost: the published parameters`, () => {
      expect(PEERS.map((peers) => find(peers, corrupt, dropout, adversary))).toEqual(wanted);
    });
  }
}

/** More of what the test of google-parfait/federated-compute's parameter finder expects. */
test.each([
  [10, 0.33, 0.33, 'semi-honest', '8,4'],
  [10, 0.33, 0.05, 'lies-about-dropouts', '4,4'],
  [100, 0.45, 0.45, 'semi-honest', '92,46'],
  [100, 0, 0, 'semi-honest', '2,2'],
  [100, 0.3, 0.3, 'lies-about-dropouts', '92,62'],
  [1000, 0, 0.33, 'semi-honest', '38,2'],
  [1000, 0.33, 0, 'lies-about-dropouts', '38,37'],
  [1000, 0.45, 0.45, 'semi-honest', '822,417'],
  [1000, 0.5, 0.5, 'semi-honest', 'none'],
  [1000, 0.5, 0.5, 'lies-about-dropouts', 'none'],
] as const)('%i peers, %d corrupt, %d lost, %s: %s', (peers, corrupt, lost, adversary, wanted) => {
  expect(find(peers, corrupt, lost, adversary)).toBe(wanted);
});

test('more security or correctness never asks for fewer neighbours', () => {
  const request = { peers: 200, corruptFraction: 0.1, dropoutFraction: 0.1 } as const;
  const degreeAt = (securityBits: number, correctnessBits: number) =>
    findGraphParameters({
      ...request,
      adversary: 'lies-about-dropouts',
      securityBits,
      correctnessBits,
    })!.degree;
  const levels = [20, 40, 60, 80];
  const bySecurity = levels.map((bits) => degreeAt(bits, 20));
  const byCorrectness = levels.map((bits) => degreeAt(40, bits));
  for (const degrees of [bySecurity, byCorrectness]) {
    expect(degrees).toEqual([...degrees].sort((a, b) => a - b));
    expect(degrees[0]).toBeLessThan(degrees.at(-1)!);
  }
});

test('nonsense is refused', () => {
  const sound = { corruptFraction: 0.1, dropoutFraction: 0.1, adversary: 'semi-honest' } as const;
  for (const peers of [0, 2, 10.5, 1e6]) {
    expect(() => findGraphParameters({ ...sound, peers })).toThrow('peers');
  }
  expect(() => findGraphParameters({ ...sound, peers: 10, dropoutFraction: -1 })).toThrow();
});

test('the quantile is where the sum of the tail says', () => {
  for (const marked of [0, 1, 7, 20, 29]) {
    for (const drawn of [1, 2, 10, 28]) {
      const draw = { population: 30, marked, drawn };
      const all = choose(30, drawn);
      expect(drawsWithAtLeast(draw, 0)).toBe(all);
      for (const odds of [2n, 1000n, 1n << 40n]) {
        const quantile = upperQuantile(draw, odds);
        expect(drawsWithAtLeast(draw, quantile + 1) * odds <= all).toBe(true);
        if (quantile > 0) expect(drawsWithAtLeast(draw, quantile) * odds > all).toBe(true);
      }
    }
  }
});

test('logarithms are right to a 1024th', () => {
  for (const [a, b] of [
    [1, 1],
    [1, 1024],
    [3, 7],
    [1000, 3],
    [1, 3 ** 30],
  ] as const) {
    const error = Math.log2(a / b) - log2OfRatio(BigInt(a), BigInt(b));
    expect(error).toBeGreaterThanOrEqual(0);
    expect(error).toBeLessThan(1.001 / 1024);
  }
  expect(log2OfRatio(1n << 3000n, 1n)).toBe(3000);
  expect(log2OfRatio(0n, 5n)).toBe(Number.NEGATIVE_INFINITY);
});
