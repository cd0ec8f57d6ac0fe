import { ProtocolError } from '@starling/core';
import { keystream, Secret } from '@starling/crypto';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  decodeMetrics,
  dequantiseSum,
  EXAMPLES_MAX,
  encodeMetrics,
  LOSS_MAX,
  quantise,
  type UpdateCodec,
  updateCodec,
} from './index.ts';
import { NUMBER_MAX } from './numbers.ts';

const uniformOf = (seed: number, count: number): Uint8Array =>
  keystream(new Secret(new Uint8Array(32).fill(seed)), 0, 4 * count);

const codecs = fc
  .record({
    bits: fc.integer({ min: 16, max: 24 }),
    peersMax: fc.integer({ min: 1, max: 128 }),
    clippingNorm: fc.double({ min: 1e-3, max: 1e3, noNaN: true }),
  })
  .map(updateCodec);

/** Sum modulo 2^bits, as the ring gives it. */
function ringSum(parts: readonly Uint32Array[], codec: UpdateCodec): Uint32Array {
  return Uint32Array.from(parts[0]!, (_, i) => {
    const sum = parts.reduce((total, part) => total + part[i]!, 0);
    return sum % 2 ** codec.bits;
  });
}

describe('codec', () => {
  test('widths for the cells that are planned', () => {
    const widths = [
      [24, 64, 18],
      [24, 128, 17],
      [22, 1000, 12],
      [16, 32, 11],
      [24, 3, 18],
      [16, 1, 16],
    ] as const;
    for (const [bits, peersMax, valueBits] of widths) {
      expect(updateCodec({ bits, peersMax, clippingNorm: 1 }).valueBits).toBe(valueBits);
    }
    expect(updateCodec({ bits: 24, peersMax: 64, clippingNorm: 0.1 }).step).toBeCloseTo(7.63e-7, 9);
    const narrow = () => updateCodec({ bits: 8, peersMax: 17, clippingNorm: 1 });
    expect(narrow).toThrow(ProtocolError);
  });

  test('the mean of n peers is off by less than one step in every coordinate', () => {
    fc.assert(
      fc.property(codecs, fc.nat(127), fc.nat(255), (codec, morePeers, seed) => {
        const peers = 1 + (morePeers % codec.peersMax);
        const length = 20;
        const values = new Uint32Array(uniformOf(seed, peers * length).buffer);
        const updates = Array.from({ length: peers }, (_, peer) =>
          Float32Array.from(
            { length },
            (_, i) => (values[peer * length + i]! / 2 ** 31 - 1) * codec.range,
          ),
        );
        const parts = updates.map((update, peer) =>
          quantise(update, codec, uniformOf(peer, length)),
        );
        const mean = dequantiseSum(ringSum(parts, codec), peers, codec);
        for (let i = 0; i < length; i++) {
          const exact = updates.reduce((sum, update) => sum + update[i]!, 0) / peers;
          // Float32Array.from may round a value up over the range, by 2^-24 of it.
          const slack = codec.range * 1e-7;
          expect(Math.abs(mean[i]! - exact)).toBeLessThan(codec.step + slack);
        }
      }),
    );
  });

  test('rounding is unbiased, with the standard error that theory says', () => {
    const codec = updateCodec({ bits: 16, peersMax: 32, clippingNorm: 1 });
    const draws = 200_000;
    for (const value of [-0.9, -1e-4, 0, 0.123456, 0.77]) {
      const update = new Float32Array(draws).fill(value);
      const points = quantise(update, codec, uniformOf(42, draws));
      const mean = points.reduce((sum, point) => sum + point, 0) / draws;
      const error = mean * codec.step - codec.range - update[0]!;
      // At most half a step of deviation per draw; five standard errors.
      expect(Math.abs(error)).toBeLessThan((5 * 0.5 * codec.step) / Math.sqrt(draws));
    }
  });

  test('the ends of the range and beyond stay on the grid', () => {
    fc.assert(
      fc.property(codecs, fc.constantFrom(0x00, 0xff), (codec, fill) => {
        const update = new Float32Array([-1e38, -codec.range, codec.range, 1e38]);
        const points = quantise(update, codec, new Uint8Array(16).fill(fill));
        expect(points[0]).toBe(0);
        expect(points[3]! >= codec.valueMax - 1 && points[3]! <= codec.valueMax).toBe(true);
        for (const point of points) expect(point).toBeLessThanOrEqual(codec.valueMax);
      }),
    );
  });

  test('NaN, Infinity and impossible sums are refused', () => {
    const codec = updateCodec({ bits: 24, peersMax: 8, clippingNorm: 1 });
    for (const value of [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]) {
      const update = new Float32Array([0, value]);
      expect(() => quantise(update, codec, new Uint8Array(8))).toThrow(/coordinate 1/);
    }
    expect(() => quantise(new Float32Array(2), codec, new Uint8Array(4))).toThrow(/4 bytes/);
    const sum = Uint32Array.of(3 * codec.valueMax);
    expect(dequantiseSum(sum, 3, codec)[0]).toBeCloseTo(codec.range, 12);
    sum[0]! += 1;
    expect(() => dequantiseSum(sum, 3, codec)).toThrow(ProtocolError);
    // Of many cells more may be added than one cell has.
    expect(dequantiseSum(sum, 9, codec)[0]).toBeLessThan(0);
    expect(() => dequantiseSum(sum, 2 ** 16, codec)).toThrow(/does not fit/);
  });
});

describe('metrics', () => {
  const codec = updateCodec({ bits: 24, peersMax: 64, clippingNorm: 1 });

  test('sums of peers are the sums of what they measured', () => {
    const peer = fc.nat(EXAMPLES_MAX).chain((examples) =>
      fc.record({
        examples: fc.constant(examples),
        correct: fc.nat(examples),
        lossSum: fc.nat(LOSS_MAX * examples),
      }),
    );
    fc.assert(
      fc.property(fc.array(peer, { minLength: 1, maxLength: 64, size: 'max' }), (peers) => {
        const parts = peers.map((metrics) => encodeMetrics(metrics, codec));
        for (const part of parts) {
          for (const word of part) expect(word).toBeLessThanOrEqual(codec.valueMax);
        }
        const total = (key: 'lossSum' | 'correct' | 'examples'): number =>
          peers.reduce((sum, metrics) => sum + metrics[key], 0);
        expect(decodeMetrics(ringSum(parts, codec), peers.length, codec)).toEqual({
          lossSum: total('lossSum'),
          correct: total('correct'),
          examples: total('examples'),
          seconds: 0,
        });
      }),
    );
  });

  test('losses are rounded and clamped, a diverged one counts as the greatest', () => {
    const loss = (lossSum: number): number =>
      encodeMetrics({ lossSum, correct: 1, examples: 10 }, codec)[0]!;
    expect(loss(23.4)).toBe(23);
    expect(loss(-1)).toBe(0);
    expect(loss(1e9)).toBe(160);
    expect(loss(Number.NaN)).toBe(160);
    expect(loss(Number.POSITIVE_INFINITY)).toBe(160);
  });

  test('a timed job counts seconds too, each peer as many as a number holds', () => {
    const form = { timed: true } as const;
    const none = { lossSum: 0, correct: 0, examples: 0 };
    const parts = [12.4, 3, 1e9, Number.NaN].map((seconds) => {
      return encodeMetrics({ ...none, seconds }, codec, form);
    });
    expect(parts.map((part) => part.length)).toEqual([4, 4, 4, 4]);
    const { seconds } = decodeMetrics(ringSum(parts, codec), 4, codec, form);
    expect(seconds).toBe(12 + 3 + NUMBER_MAX);
    expect(encodeMetrics({ ...none, seconds: 9 }, codec)).toHaveLength(3);
  });

  test('impossible counts are our bug, impossible sums are theirs', () => {
    const cap = EXAMPLES_MAX;
    expect(cap).toBe(16383);
    const none = { lossSum: 0, correct: 0, examples: 0 };
    expect([...encodeMetrics(none, codec)]).toEqual([0, 0, 0]);
    expect(() => encodeMetrics({ ...none, examples: cap + 1 }, codec)).toThrow(/examples/);
    expect(() => encodeMetrics({ ...none, correct: 1 }, codec)).toThrow(/correct/);
    const sums = Uint32Array.of(codec.valueMax + 1, 0, 0);
    expect(() => decodeMetrics(sums, 1, codec)).toThrow(ProtocolError);
    expect(decodeMetrics(sums, 2, codec).lossSum).toBe(codec.valueMax + 1);
  });
});
