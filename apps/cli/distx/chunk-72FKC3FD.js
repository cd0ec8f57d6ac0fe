import { assert } from './chunk-74QJAORY.js';
import {
  addMasks,
  applyMean,
  chunkLayout,
  decodeMetrics,
  decodeState,
  dequantiseSum,
  encodeMetrics,
  encodeState,
  hashHex,
  keystream,
  METRIC_COORDINATES,
  maskTo,
  packWords,
  quantise,
  ringBudget,
  Secret,
  sha256,
  sumInto,
  unpackWords,
  updateCodec,
} from './chunk-EMDBR6KR.js';

// packages/node/src/compute.ts
var kernels = {
  quantise({ update, metrics, seed, codec }) {
    const grid = updateCodec(codec);
    const uniform = keystream(new Secret(seed), 0, 4 * update.length);
    const words = new Uint32Array(update.length + METRIC_COORDINATES);
    words.set(quantise(update, grid, uniform));
    words.set(encodeMetrics(metrics, grid), update.length);
    return { words };
  },
  mask({ words, terms, shape }) {
    const masked = new Uint32Array(words);
    addMasks(masked, terms.map(secretTerm), 0);
    maskTo(masked, shape.bits);
    const layout = chunkLayout(shape.length, shape.bits, { chunkBytes: shape.chunkBytes });
    const chunks = Array.from({ length: layout.count }, (_, chunk) => {
      const from = layout.offsetOf(chunk);
      return packWords(masked.subarray(from, from + layout.wordsOf(chunk)), shape.bits);
    });
    return { chunks, hashes: chunks.map((chunk) => sha256(chunk)) };
  },
  sum({ parts, shape, peers }) {
    const layout = chunkLayout(shape.length, shape.bits, { chunkBytes: shape.chunkBytes });
    const sums = parts.map(({ chunk, packed }) => {
      const count = layout.wordsOf(chunk);
      const total = new Uint32Array(count);
      for (const bytes2 of packed) sumInto(total, unpackWords(bytes2, shape.bits, count));
      const bytes = packWords(total, ringBudget(shape.bits, peers));
      return { chunk, bytes, hash: sha256(bytes) };
    });
    return { sums };
  },
  unmask({ sums, terms, shape, peers, survivors }) {
    const layout = chunkLayout(shape.length, shape.bits, { chunkBytes: shape.chunkBytes });
    assert(sums.length === layout.count, `${sums.length} chunk sums of ${layout.count}`);
    const words = new Uint32Array(shape.length);
    for (const [chunk, bytes] of sums.entries()) {
      const part = unpackWords(bytes, ringBudget(shape.bits, peers), layout.wordsOf(chunk));
      words.set(part, layout.offsetOf(chunk));
    }
    addMasks(words, terms.map(secretTerm), 0);
    maskTo(words, shape.bits);
    const most = survivors * shape.coordinateMax;
    return { words, inRange: words.every((word) => word <= most) };
  },
  apply({ state, words, survivors, codec }) {
    const grid = updateCodec(codec);
    const before = decodeState(state);
    const split = words.length - METRIC_COORDINATES;
    const metrics = decodeMetrics(words.subarray(split), survivors, grid);
    const mean = dequantiseSum(words.subarray(0, split), survivors, grid);
    const next = encodeState(applyMean(before, mean));
    return { state: next, stateHash: hashHex(next), metrics };
  },
};
var secretTerm = ({ seed, sign }) => ({ seed: new Secret(seed), sign });

export { kernels };
//# sourceMappingURL=chunk-72FKC3FD.js.map
