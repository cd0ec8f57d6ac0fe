/**
 * Draws of discrete Gaussian noise a second: `npx tsx bench/noise.ts [--json]`. Beside them the
 * keystream that they eat, which is the ceiling, and how long the table takes to make. Each a
 * median of five after one that is not counted.
 */
import { keystreamFrom, Secret } from '@starling/crypto';
import { discreteGaussian } from '@starling/privacy';

const SIGMAS = [3, 100, 2_000, 16_384];
const PIECE = 32 * 1024;
const PIECES = 320;
const REPEATS = 5;

interface Row {
  readonly sigma: number;
  readonly tableMs: number;
  readonly millionDrawsPerSecond: number;
  /** Of the keystream alone. */
  readonly millionWordsPerSecond: number;
  readonly ratio: number;
}

const stream = () => keystreamFrom(new Secret(new Uint8Array(32).fill(7)), 0);

/** Seconds of the middle one of five runs. */
function seconds(work: () => void): number {
  const runs = Array.from({ length: REPEATS + 1 }, () => {
    const start = performance.now();
    work();
    return (performance.now() - start) / 1000;
  });
  return runs.slice(1).sort((a, b) => a - b)[Math.floor(REPEATS / 2)]!;
}

let unused = 0;
const rows = SIGMAS.map((sigma): Row => {
  const tableMs = 1000 * seconds(() => void discreteGaussian(sigma));
  const { sample } = discreteGaussian(sigma);
  const draws = seconds(() => {
    const source = stream();
    for (let i = 0; i < PIECES; i++) unused += sample(PIECE, source)[0]!;
  });
  const words = seconds(() => {
    const source = stream();
    for (let i = 0; i < PIECES; i++) unused += source.next(4 * PIECE)[0]!;
  });
  const millions = (PIECE * PIECES) / 1e6;
  return {
    ...{ sigma, tableMs, millionDrawsPerSecond: millions / draws },
    ...{ millionWordsPerSecond: millions / words, ratio: words / draws },
  };
});
if (!Number.isFinite(unused)) throw new Error('no draws');
if (process.argv.includes('--json')) console.log(JSON.stringify({ benchmark: 'noise', rows }));
else console.table(rows);
