import { ProtocolError } from '@starling/core';
import { hashHex } from '@starling/crypto';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  applyMean,
  decodeState,
  encodeState,
  initialState,
  type JobState,
  type ServerOptimizer,
} from './index.ts';

const OPTIMIZERS: readonly ServerOptimizer[] = [
  { kind: 'fedavg', learningRate: 1 },
  { kind: 'fedavgm', learningRate: 0.5, momentum: 0.9 },
  { kind: 'fedadam', learningRate: 0.1, beta1: 0.9, beta2: 0.99, tau: 1e-3 },
  { kind: 'nesterov', learningRate: 0.7, momentum: 0.9 },
  { kind: 'fedyogi', learningRate: 0.1, beta1: 0.9, beta2: 0.99, tau: 1e-3 },
  { kind: 'fedadagrad', learningRate: 0.1, beta1: 0, beta2: 0, tau: 1e-3 },
  { kind: 'scaffold', learningRate: 0.9, localRate: 0.1, localSteps: 32, participation: 0.3 },
];

/** A few rounds with means that depend on the round and the coordinate only. */
function run(optimizer: ServerOptimizer, rounds: number): JobState {
  const model = Float32Array.from({ length: 7 }, (_, i) => (i - 3) / 7);
  let state = initialState(model, 5, optimizer);
  for (let round = 0; round < rounds; round++) {
    const mean = Float64Array.from(
      { length: 7 },
      (_, i) => (((i + 1) * (round + 2)) % 5) / 10 - 0.2,
    );
    state = applyMean(state, mean, optimizer);
  }
  return state;
}

describe('server optimisers', () => {
  test('FedAvg with learning rate 1 is the model plus the mean', () => {
    const before = initialState(new Float32Array([1, 2, 3]), 2, OPTIMIZERS[0]!);
    const after = applyMean(before, new Float64Array([0.5, -0.25, 0.125]));
    expect(after).toEqual({
      round: 1,
      model: new Float32Array([1.5, 1.75, 3.125]),
      trainable: 2,
      moments: [],
    });
    expect(before.model).toEqual(new Float32Array([1, 2, 3]));
  });

  test('FedAvgM and FedAdam by hand, buffers take the plain mean', () => {
    const mean = new Float64Array([1, 1]);
    const momentum = OPTIMIZERS[1]!;
    let state = applyMean(initialState(new Float32Array(2), 1, momentum), mean, momentum);
    state = applyMean(state, mean, momentum);
    expect(state.moments[0]![0]).toBe(Math.fround(1.9));
    expect(state.model).toEqual(new Float32Array([0.5 + 0.5 * 1.9, 2]));
    const adam = OPTIMIZERS[2]!;
    state = applyMean(initialState(new Float32Array(2), 1, adam), mean, adam);
    const second = 0.99 * 1e-6 + 0.01;
    expect(state.model[0]).toBeCloseTo((0.1 * 0.1) / (Math.sqrt(second) + 1e-3), 6);
    expect(state.model[1]).toBe(1);
  });

  test('Nesterov looks ahead along its momentum', () => {
    const outer = OPTIMIZERS[3]!;
    const mean = new Float64Array([1]);
    let state = applyMean(initialState(new Float32Array(1), 1, outer), mean, outer);
    expect(state.model[0]).toBe(Math.fround(0.7 * 1.9));
    state = applyMean(state, mean, outer);
    expect(state.moments[0]![0]).toBe(Math.fround(1.9));
    expect(state.model[0]).toBeCloseTo(0.7 * 1.9 + 0.7 * (1 + 0.9 * 1.9), 6);
  });

  test('FedYogi and FedAdagrad differ from FedAdam in the second moment alone', () => {
    const seconds = [2, 4, 5].map((which) => {
      const optimizer = OPTIMIZERS[which]!;
      let state = initialState(new Float32Array(1), 1, optimizer);
      // A large square, then a small one: Yogi gives way slowly, Adagrad never.
      for (const delta of [2, 0.1]) {
        state = applyMean(state, new Float64Array([delta]), optimizer);
      }
      return state.moments[1]![0]!;
    });
    const first = 1e-6;
    const adam = 0.99 * (0.99 * first + 0.01 * 4) + 0.01 * 0.01;
    const yogi = first + 0.01 * 4 - 0.01 * 0.01;
    expect(seconds[0]).toBeCloseTo(adam, 7);
    expect(seconds[1]).toBeCloseTo(yogi, 7);
    expect(seconds[2]).toBeCloseTo(first + 4 + 0.01, 6);
  });

  test('the bits never change: five rounds have a known hash', () => {
    const hashes = OPTIMIZERS.map((optimizer) => hashHex(encodeState(run(optimizer, 5))));
    expect(hashes).toMatchInlineSnapshot(`
      [
        "bb11b2a34f451fa4b6c41a6f32d85db7856d2c63c9d7a2792c1ae06fb61e2542",
        "8e0a4b8432f31c9a7d3e51c5fd808740112cef4b2b6b790484a61bc062adb9d6",
        "d44f0c1d7ff11fe9872fd8d2f53c66760f8360acf941ee6b3fd962160ead5a59",
        "6ebe71c2b21b5b9618253e8053e494a2a75c94d188adebd799225da565d9b2dc",
        "d93ce297eb267c41f74f5eae6d9e069f06faef319d84abc3b7073a1086af22cb",
        "baafd66ae2af1c5b792567e9b5885bc009438d43547e4804bc5a113ad449a18a",
        "379b4f7bfadb5fd94b2a31a82fa4e45c2efe66bd1b4764428c47ee5a946ac2d8",
      ]
    `);
  });

  test('a state of another optimiser or another length is our bug', () => {
    const state = initialState(new Float32Array(2), 2, OPTIMIZERS[0]!);
    expect(() => applyMean(state, new Float64Array(2), OPTIMIZERS[1]!)).toThrow(/another/);
    expect(() => applyMean(state, new Float64Array(2), OPTIMIZERS[2]!)).toThrow(/another/);
    expect(() => applyMean(state, new Float64Array(3))).toThrow(/mean of 3/);
  });
});

describe('job state', () => {
  const states = fc
    .record({ length: fc.nat(20), cut: fc.nat(20), moments: fc.nat(2), round: fc.nat() })
    .chain(({ length, cut, moments, round }) => {
      const trainable = Math.min(cut, length);
      const vector = (size: number): fc.Arbitrary<Float32Array> =>
        fc.float32Array({ noNaN: true, noDefaultInfinity: true, minLength: size, maxLength: size });
      return fc.record({
        round: fc.constant(round),
        trainable: fc.constant(trainable),
        model: vector(length),
        moments: fc.array(vector(trainable), { minLength: moments, maxLength: moments }),
      });
    });

  test('comes back from its bytes', () => {
    fc.assert(
      fc.property(states, (state) => {
        expect(decodeState(encodeState(state))).toEqual(state);
      }),
    );
  });

  test('whatever decodes has exactly these bytes, and nothing else is thrown', () => {
    fc.assert(
      fc.property(states, fc.nat(), fc.nat(255), fc.nat(3), (state, place, value, cut) => {
        const bytes = encodeState(state);
        bytes[place % bytes.length] = value;
        const changed = bytes.subarray(0, bytes.length - cut);
        let decoded: JobState;
        try {
          decoded = decodeState(changed);
        } catch (error) {
          expect(error).toBeInstanceOf(ProtocolError);
          return;
        }
        expect(encodeState(decoded)).toEqual(changed);
      }),
      { numRuns: 500 },
    );
  });

  test('a header that claims more than there is takes no memory', () => {
    const bytes = encodeState(initialState(new Float32Array(2), 2, OPTIMIZERS[0]!));
    new DataView(bytes.buffer).setUint32(8, 0xffffffff, true);
    expect(() => decodeState(bytes)).toThrow(/not possible/);
    expect(() => decodeState(new Uint8Array(19))).toThrow(/no header/);
  });

  test('NaN and Infinity have no state', () => {
    const diverged = initialState(new Float32Array([1, Number.NaN]), 2, OPTIMIZERS[0]!);
    expect(() => encodeState(diverged)).toThrow(/coordinate 1/);
  });
});
