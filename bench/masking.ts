/**
 * Masking: bytes of mask made and added per second, beside two comparisons measured in the same
 * run: node:crypto's AES-256-CTR keystream alone (the ceiling), and the same work without
 * node:crypto and WASM (ChaCha20 and the addition in plain JavaScript). `npx tsx bench/masking.ts
 * [--json]`.
 */
import { createCipheriv } from 'node:crypto';
// By path: `addMasksWith` and the single kernels are not part of the package's interface.
import { Secret } from '../packages/crypto/src/index.ts';
import {
  addMasksWith,
  type MaskTerm,
  referenceKernel,
  type Sign,
  tileKernel,
  unrolledKernel,
} from '../packages/secagg/src/ring/index.ts';

const WORDS = 1_000_000;
const PEERS = 32;
const REPEATS = 7;
const PIECE = new Uint8Array(128 * 1024);

const seeds = Array.from({ length: PEERS }, (_, i) => new Uint8Array(32).fill(i + 1));
const terms: readonly MaskTerm[] = seeds.map((seed, i) => {
  return { seed: new Secret(seed), sign: (i % 2 === 0 ? 1 : -1) as Sign };
});
const target = new Uint32Array(WORDS);

function rawKeystream(): void {
  for (const seed of seeds) {
    const cipher = createCipheriv('aes-256-ctr', seed, new Uint8Array(16));
    for (let left = 4 * WORDS; left > 0; left -= PIECE.length) {
      cipher.update(PIECE.subarray(0, Math.min(left, PIECE.length)));
    }
  }
}

/** ChaCha20 (RFC 8439 §2.3) keystream added to `into`, 16 words a block. */
function addChaCha20(into: Uint32Array, key: Uint32Array): void {
  const start = new Uint32Array([
    0x61707865,
    0x3320646e,
    0x79622d32,
    0x6b206574,
    ...key,
    0,
    0,
    0,
    0,
  ]);
  const x = new Int32Array(16);
  for (let at = 0; at < into.length; at += 16) {
    x.set(start);
    for (let round = 0; round < 10; round++) {
      quarter(x, 0, 4, 8, 12);
      quarter(x, 1, 5, 9, 13);
      quarter(x, 2, 6, 10, 14);
      quarter(x, 3, 7, 11, 15);
      quarter(x, 0, 5, 10, 15);
      quarter(x, 1, 6, 11, 12);
      quarter(x, 2, 7, 8, 13);
      quarter(x, 3, 4, 9, 14);
    }
    const end = Math.min(16, into.length - at);
    for (let i = 0; i < end; i++) into[at + i] = into[at + i]! + x[i]! + start[i]!;
    start[12] = start[12]! + 1;
  }
}

function quarter(x: Int32Array, a: number, b: number, c: number, d: number): void {
  let [p, q, r, s] = [x[a]!, x[b]!, x[c]!, x[d]!];
  p = (p + q) | 0;
  s ^= p;
  s = (s << 16) | (s >>> 16);
  r = (r + s) | 0;
  q ^= r;
  q = (q << 12) | (q >>> 20);
  p = (p + q) | 0;
  s ^= p;
  s = (s << 8) | (s >>> 24);
  r = (r + s) | 0;
  q ^= r;
  q = (q << 7) | (q >>> 25);
  x[a] = p;
  x[b] = q;
  x[c] = r;
  x[d] = s;
}

const OURS = `addMasks (${tileKernel.name})`;
const RAW = 'raw AES-256-CTR keystream';
const PURE_JS = 'pure JS (ChaCha20)';
const contenders = {
  [OURS]: () => addMasksWith(tileKernel, target, terms, 0),
  'addMasks (unrolled JS)': () => addMasksWith(unrolledKernel, target, terms, 0),
  'addMasks (plain JS)': () => addMasksWith(referenceKernel, target, terms, 0),
  [RAW]: rawKeystream,
  [PURE_JS]: () => {
    for (const seed of seeds) addChaCha20(target, new Uint32Array(seed.buffer));
  },
};

/**
 * Median bytes per second of each; one repeat of all before the next, so that load hits all alike.
 */
function measure(): ReadonlyMap<string, number> {
  const seconds = new Map<string, number[]>(Object.keys(contenders).map((name) => [name, []]));
  for (let repeat = -1; repeat < REPEATS; repeat++) {
    for (const [name, run] of Object.entries(contenders)) {
      const start = performance.now();
      run();
      // The first repeat compiles.
      if (repeat >= 0) seconds.get(name)!.push((performance.now() - start) / 1000);
    }
  }
  return new Map(
    [...seconds].map(([name, taken]) => {
      const median = taken.sort((a, b) => a - b)[Math.floor(taken.length / 2)]!;
      return [name, (4 * WORDS * PEERS) / median] as const;
    }),
  );
}

const rates = measure();
const ours = rates.get(OURS)!;
if (process.argv.includes('--json')) {
  const ratios = {
    ratioToRawKeystream: ours / rates.get(RAW)!,
    ratioToPureJs: ours / rates.get(PURE_JS)!,
  };
  const setting = { kernel: tileKernel.name, words: WORDS, peers: PEERS, repeats: REPEATS };
  console.log(JSON.stringify({ bytesPerSecond: ours, ...ratios, ...setting }));
} else {
  console.log(`${WORDS} words, ${PEERS} masks, median of ${REPEATS}`);
  for (const [name, rate] of rates) {
    const megabytes = (rate / 1e6).toFixed(0).padStart(6);
    console.log(`${name.padEnd(28)} ${megabytes} MB/s  ×${(ours / rate).toFixed(2)}`);
  }
}
