import { type Model, readModel, writeModel } from '@starling/onnx';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { drawn, graphOf, node } from '../../../test/helpers/small-graphs.ts';
import {
  ALL_SHARED,
  applyVector,
  describeModel,
  initialVector,
  VectorSplit,
  vectorState,
  zooModel,
} from './index.ts';

/** Five weights in a row, of 12, 3, 6, 2 and 4 elements. */
const model: Model = {
  graph: graphOf(
    [
      node('MatMul', ['x', 'a'], ['h']),
      node('Add', ['h', 'b'], ['s']),
      node('MatMul', ['s', 'c'], ['t']),
      node('Add', ['t', 'd'], ['u']),
      node('MatMul', ['u', 'e'], ['y']),
    ],
    {
      a: drawn([4, 3], 1),
      b: drawn([3], 2),
      c: drawn([3, 2], 3),
      d: drawn([2], 4),
      e: drawn([2, 2], 5),
    },
    ['batch', 4],
    'y',
  ),
};
const NAMES = ['a', 'b', 'c', 'd', 'e'];
const splitBy = (personal: readonly string[], frozen: readonly string[] = []) =>
  new VectorSplit(model, { frozen, personal });

describe('a vector with personal parts', () => {
  const choices = fc.record({
    personal: fc.subarray(NAMES, { maxLength: 4 }),
    seed: fc.integer({ min: 1, max: 1_000 }),
  });

  test('comes apart and together again, whatever is personal', () => {
    fc.assert(
      fc.property(choices, ({ personal, seed }) => {
        const split = splitBy(personal);
        const whole = Float32Array.from({ length: 27 }, (_, i) => Math.sin(seed + i));
        const [shared, own] = [split.shared(whole), split.own(whole)];
        expect(shared).toHaveLength(split.layout.parameters);
        expect(own).toHaveLength(split.ownLength);
        expect(split.join(shared, own)).toEqual(whole);
        const spread = split.spread(shared.map(() => 1));
        expect(split.shared(spread)).toEqual(shared.map(() => 1));
        expect(split.own(spread)).toEqual(own.map(() => 0));
      }),
    );
  });

  test('has its parts in the order of the model', () => {
    const split = splitBy(['?', '!a', '!d']);
    const whole = initialVector(model);
    expect(split.layout).toEqual({ parameters: 14, buffers: 0 });
    expect([...split.own(whole)]).toEqual([
      ...drawn([3], 2).data,
      ...drawn([3, 2], 3).data,
      ...drawn([2, 2], 5).data,
    ]);
    expect(describeModel(model, { frozen: [], personal: ['?', '!a', '!d'] }).initial).toEqual(
      split.shared(whole),
    );
  });

  test('what is frozen is not personal, and what matches nothing is said', () => {
    const split = splitBy(['d', 'e', 'head*'], ['e']);
    expect(split.ownLength).toBe(2);
    expect(split.layout.parameters).toBe(21);
    const idle = ['e', 'head*'].map(
      (name) => `personal: "${name}" matches no weight that is trained`,
    );
    expect(split.warnings).toEqual(idle);
    expect(describeModel(model, { frozen: ['e'], personal: ['e'] }).warnings).toEqual([idle[0]]);
  });

  test('running statistics can be personal, as weights of a BatchNormalization can', () => {
    const resnet = zooModel('resnet20', 1);
    const [all, some] = [ALL_SHARED, { ...ALL_SHARED, personal: ['*bn*'] }].map(
      (weights) => new VectorSplit(resnet, weights),
    ) as [VectorSplit, VectorSplit];
    expect(all.layout.buffers).toBeGreaterThan(0);
    expect(some.layout.buffers).toBe(0);
    // Scale, shift, mean and variance of each channel.
    expect(some.ownLength).toBe(2 * all.layout.buffers);
    const whole = initialVector(resnet).map((_, i) => i);
    const again = some.join(some.shared(whole), some.own(whole));
    expect(again.every((value, i) => value === i)).toBe(true);
    const spread = some.spread(new Float32Array(some.layout.parameters).fill(1));
    expect(spread).toHaveLength(all.layout.parameters);
  });

  test('in a file, personal weights are as launched, or those that are given', () => {
    const weights = { frozen: [], personal: ['b', 'd'] };
    const split = new VectorSplit(model, weights);
    const bytes = writeModel(model);
    const shared = new Float32Array(split.layout.parameters).fill(2);
    const own = new Float32Array(split.ownLength).fill(3);
    const valuesIn = (file: Uint8Array) => initialVector(readModel(file));
    const plain = valuesIn(applyVector(bytes, shared, weights));
    expect(split.shared(plain)).toEqual(shared);
    expect(split.own(plain)).toEqual(split.own(initialVector(model)));
    expect(valuesIn(applyVector(bytes, shared, weights, own))).toEqual(split.join(shared, own));
    expect(vectorState(model)).toHaveLength(5);
  });

  test('a model of nothing but personal weights, or a wrong length, is refused', () => {
    expect(() => splitBy(['*'])).toThrow('no weight is left to share: * makes all personal');
    expect(() => splitBy(['b'], ['a', 'c', 'd', 'e'])).toThrow('no weight is left to share');
    const split = splitBy(['b']);
    expect(() => split.join(new Float32Array(27), new Float32Array(3))).toThrow(
      'a vector of 27 elements for a model of 24',
    );
    expect(() => split.join(new Float32Array(24), new Float32Array(4))).toThrow(
      'personal weights of 4 elements for a model of 3',
    );
  });
});
