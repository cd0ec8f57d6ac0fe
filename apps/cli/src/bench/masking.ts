import { createCipheriv } from 'node:crypto';
import { Secret } from '@starling/crypto';
import {
  addMasksWith,
  type MaskTerm,
  referenceKernel,
  type TileKernel,
  tileKernel,
  unrolledKernel,
} from '@starling/secagg';
import { addChaCha20 } from './chacha20.ts';
import { type Contender, interleave, median, medianRatio } from './interleave.ts';
import { type Benchmark, columnsOf } from './registry.ts';

const WORDS = 1_000_000;
const MASKS = 32;
/** Masks of the slow comparisons: rates are compared, and a run shall not take a minute. */
const SLOW_MASKS = 4;
const REPETITIONS = 15;
const QUICK_REPETITIONS = 1;
const PIECE = new Uint8Array(128 * 1024);

const OURS = `addMasks (${tileKernel.name})`;
const UNROLLED = 'addMasks (unrolled JS)';
const PLAIN = 'addMasks (plain JS)';
const RAW = 'AES-256-CTR keystream alone';
const PURE_JS = 'pure JS (ChaCha20 and addition)';

const seeds = Array.from({ length: MASKS }, (_, i) => new Uint8Array(32).fill(i + 1));

/** The ceiling: as many keystream bytes in pieces of 128 KiB, made and dropped. */
function rawKeystream(): void {
  for (const seed of seeds) {
    const cipher = createCipheriv('aes-256-ctr', seed, new Uint8Array(16));
    for (let left = 4 * WORDS; left > 0; left -= PIECE.length) {
      cipher.update(PIECE.subarray(0, Math.min(left, PIECE.length)));
    }
  }
}

function contenders(): readonly Contender[] {
  const target = new Uint32Array(WORDS);
  const terms = seeds.map((seed, i): MaskTerm => {
    return { seed: new Secret(seed), sign: i % 2 === 0 ? 1 : -1 };
  });
  const bytesOf = (masks: number) => 4 * WORDS * masks;
  const masking = (name: string, kernel: TileKernel, masks: number): Contender => ({
    name,
    bytes: bytesOf(masks),
    run: () => addMasksWith(kernel, target, terms.slice(0, masks), 0),
  });
  const pureJs = () => {
    for (const seed of seeds.slice(0, SLOW_MASKS))
      addChaCha20(target, new Uint32Array(seed.buffer));
  };
  return [
    masking(OURS, tileKernel, MASKS),
    { name: RAW, bytes: bytesOf(MASKS), run: rawKeystream },
    masking(UNROLLED, unrolledKernel, SLOW_MASKS),
    masking(PLAIN, referenceKernel, SLOW_MASKS),
    { name: PURE_JS, bytes: bytesOf(SLOW_MASKS), run: pureJs },
  ];
}

/**
 * Bytes of mask made and added per second, beside two comparisons of the same run: the keystream of
 * node:crypto alone, and the same work without node:crypto and WASM.
 */
export const masking: Benchmark = {
  async run({ quick }) {
    const repetitions = quick ? QUICK_REPETITIONS : REPETITIONS;
    const rates = interleave(contenders(), repetitions);
    const lines = [...rates].map(([name, each]) => [
      name,
      (median(each) / 1e6).toFixed(0),
      `×${medianRatio(rates, OURS, name).toFixed(2)}`,
    ]);
    return {
      title: `${WORDS} words, ${MASKS} masks, median of ${repetitions} repetitions`,
      columns: columnsOf(['CONTENDER', 'MB/S', 'OURS IS']),
      lines,
      notes: [],
      result: {
        bytesPerSecond: median(rates.get(OURS)!),
        ratioToRawKeystream: medianRatio(rates, OURS, RAW),
        ratioToPureJs: medianRatio(rates, OURS, PURE_JS),
        ...{ kernel: tileKernel.name, words: WORDS, masks: MASKS, repetitions },
      },
    };
  },
};
