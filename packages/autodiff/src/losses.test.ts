import { GraphBuilder, writeModel } from '@starling/onnx';
import { InferenceSession, Tensor } from 'onnxruntime-node';
import { describe, expect, test } from 'vitest';
import { countValue, type LossKind, type LossOptions, lossTerms, targetType } from './losses.ts';
import { Ops } from './ops.ts';
import { createGenerator } from './seeded.ts';
import { referenceLoss } from './testing/reference-losses.ts';

interface LossCase {
  readonly loss: LossKind;
  readonly output: readonly number[];
  /** Labels, for cross-entropy; numbers are drawn. */
  readonly labels?: readonly number[];
  readonly target?: readonly number[];
  readonly options?: LossOptions;
}

const drawn = (count: number, seed: number, scale = 2) => {
  const generator = createGenerator(seed);
  return Array.from({ length: count }, () => Math.fround(scale * (2 * generator.uniform() - 1)));
};

/** The mean loss as a function of the output, and its written gradient. */
async function opened({ loss, output, labels, target = output, options }: LossCase) {
  const g = new Ops(new GraphBuilder());
  const y = g.builder.input('y', { dtype: 'float32', shape: output });
  const dtype = labels === undefined ? 'float32' : 'int32';
  const t = g.builder.input('t', { dtype, shape: target });
  const terms = lossTerms(g, { loss, options, output: y, target: t, examples: output[0]! });
  const share = g.div(g.number(terms.slope), countValue(g, terms.weight));
  const outputs = [
    g.builder.named(terms.mean, 'mean'),
    g.builder.named(g.mul(terms.error(), share), 'gradient'),
    g.builder.named(terms.correct?.() ?? g.number(0), 'correct'),
    g.builder.named(countValue(g, terms.targets), 'targets'),
  ];
  const bytes = writeModel({ graph: g.builder.finish('loss', outputs) });
  const session = await InferenceSession.create(bytes, { logSeverityLevel: 3 });
  const numbers = drawn(
    target.reduce((a, b) => a * b, 1),
    7,
  );
  const fed = loss === 'sigmoid-binary-cross-entropy' ? numbers.map((v) => Number(v > 0)) : numbers;
  return async (values: readonly number[]) => {
    const results = await session.run({
      y: new Tensor('float32', Float32Array.from(values), output),
      t:
        labels === undefined
          ? new Tensor('float32', Float32Array.from(fed), target)
          : new Tensor('int32', Int32Array.from(labels), target),
    });
    const read = (name: string) => Array.from(results[name]!.data as Float32Array);
    const [mean, correct, targets] = ['mean', 'correct', 'targets'].map((name) => read(name)[0]!);
    return { mean: mean!, gradient: read('gradient'), correct: correct!, targets: targets! };
  };
}

const labels = [2, 0, 1, 1];
const many = [2, 0, 1, 1, 0, 2, 2, 2, 1, 0, 0, 1];
const CASES: readonly LossCase[] = [
  { loss: 'softmax-cross-entropy', output: [4, 3], labels, target: [4] },
  ...[
    { labelSmoothing: 0.3 },
    { ignoreIndex: 1 },
    { classWeights: [1, 3, 0.2] },
    { labelSmoothing: 0.3, ignoreIndex: 1, classWeights: [1, 3, 0.2] },
  ].flatMap((options): LossCase[] => [
    { loss: 'softmax-cross-entropy', output: [4, 3], labels, target: [4], options },
    { loss: 'softmax-cross-entropy', output: [2, 3, 6], labels: many, target: [2, 6], options },
    { loss: 'softmax-cross-entropy', output: [2, 6, 3], labels: many, target: [2, 6], options },
  ]),
  { loss: 'softmax-cross-entropy', output: [2, 3, 2, 3], labels: many, target: [2, 2, 3] },
  { loss: 'softmax-cross-entropy', output: [2, 2, 3, 3], labels: many, target: [2, 2, 3] },
  { loss: 'sigmoid-binary-cross-entropy', output: [4, 3] },
  { loss: 'mean-squared-error', output: [4, 3] },
  { loss: 'mean-squared-error', output: [5] },
  { loss: 'mean-absolute-error', output: [4, 3] },
  { loss: 'huber', output: [4, 3], options: { delta: 0.6 } },
  { loss: 'huber', output: [4, 3] },
  { loss: 'smooth-l1', output: [4, 3], options: { delta: 0.6 } },
];

describe('losses', () => {
  test.each(CASES)('$loss of $output, $options: gradient by differences', async (kase) => {
    const evaluate = await opened(kase);
    const values = drawn(
      kase.output.reduce((a, b) => a * b, 1),
      3,
    );
    const { gradient } = await evaluate(values);
    const step = 2 ** -6;
    for (const [i, value] of values.entries()) {
      const at = async (offset: number) => (await evaluate(values.with(i, value + offset))).mean;
      const numeric = ((await at(step)) - (await at(-step))) / (2 * step);
      expect(Math.abs(gradient[i]! - numeric)).toBeLessThan(2e-4);
    }
  });

  test('right answers and targets are counted, ignored ones are not', async () => {
    const rows = [5, 0, 0, 0, 5, 0, 0, 0, 5, 5, 0, 0];
    const call = { loss: 'softmax-cross-entropy', output: [4, 3], target: [4] } as const;
    const plain = await (await opened({ ...call, labels: [0, 1, 2, 1] }))(rows);
    expect(plain).toMatchObject({ correct: 3, targets: 4 });
    const options = { ignoreIndex: 2 };
    const some = await (await opened({ ...call, labels: [0, 1, 2, 1], options }))(rows);
    expect(some).toMatchObject({ correct: 2, targets: 3 });
    const outside = { ignoreIndex: -100 };
    const masked = { ...call, labels: [0, -100, -100, 1], options: outside };
    expect(await (await opened(masked))(rows)).toMatchObject({ correct: 1, targets: 2 });
  });

  test('a batch in which nothing counts has loss 0 and trains nothing', async () => {
    const call = { loss: 'softmax-cross-entropy', output: [2, 3], target: [2] } as const;
    const options = { ignoreIndex: 9 };
    const { mean, gradient } = await (await opened({ ...call, labels: [9, 9], options }))(
      drawn(6, 1),
    );
    expect(mean).toBe(0);
    expect(gradient.every((value) => value === 0)).toBe(true);
  });

  test('large outputs give finite losses', async () => {
    const call = { loss: 'softmax-cross-entropy', output: [2, 2], target: [2] } as const;
    const evaluate = await opened({ ...call, labels: [0, 1] });
    expect((await evaluate([1000, -1000, 1000, -1000])).mean).toBe(1000);
    const sigmoid = await opened({ loss: 'sigmoid-binary-cross-entropy', output: [1, 2] });
    expect(Number.isFinite((await sigmoid([1000, -1000])).mean)).toBe(true);
  });

  test('values are those of the definitions', async () => {
    for (const kase of CASES.filter(({ output }) => output.length === 2)) {
      const rows = drawn(12, 11);
      const table = [0, 1, 2, 3].map((i) => rows.slice(3 * i, 3 * i + 3));
      const numbers = drawn(12, 7);
      const isShare = kase.loss === 'sigmoid-binary-cross-entropy';
      const fed = isShare ? numbers.map((value) => Number(value > 0)) : numbers;
      const targets = kase.labels ?? [0, 1, 2, 3].map((i) => fed.slice(3 * i, 3 * i + 3));
      const loss = kase.loss === 'model-output' ? 'huber' : kase.loss;
      const wanted = referenceLoss(loss, table, targets, kase.options);
      expect((await (await opened(kase))(rows)).mean).toBeCloseTo(wanted.mean, 5);
    }
  });
});

describe('targets', () => {
  test('classes are on axis 1, or on the last axis where only that fits', () => {
    const type = (output: readonly number[], given?: readonly number[]) =>
      targetType('softmax-cross-entropy', output, given).shape;
    expect(type([8, 10])).toEqual([8]);
    expect(type([8, 10, 5, 5])).toEqual([8, 5, 5]);
    expect(type([8, 7, 50], [8, 7])).toEqual([8, 7]);
    expect(type([8, 50, 7], [8, 7])).toEqual([8, 7]);
    expect(type([8, 7, 7], [8, 7])).toEqual([8, 7]);
  });

  test.each([
    ['softmax-cross-entropy', [8], undefined, 'output [8] has no axis of classes'],
    ['softmax-cross-entropy', [8, 10], [8, 10], 'output [8,10] takes targets of shape [8], not'],
    ['softmax-cross-entropy', [8, 7, 50], [8, 6], 'takes targets of shape [8,50], not [8,6]'],
    ['mean-squared-error', [8, 1], [8], 'output [8,1] takes targets of shape [8,1], not [8]'],
  ] as const)('%s of %j with %j is refused', (loss, output, given, message) => {
    expect(() => targetType(loss, output, given)).toThrow(message);
  });

  test('what does not fit the model is refused', () => {
    const g = new Ops(new GraphBuilder());
    const output = g.builder.input('y', { dtype: 'float32', shape: [4, 3] });
    const target = g.builder.input('t', { dtype: 'int32', shape: [4] });
    const options = { classWeights: [1, 2] };
    const call = { output, target, examples: 4, options };
    const weights = () => lossTerms(g, { ...call, loss: 'softmax-cross-entropy' });
    expect(weights).toThrow('2 class weights for output [4,3], which has 3 classes');
    const own = () => lossTerms(g, { ...call, loss: 'model-output' });
    expect(own).toThrow("the model's output has shape [4,3]; a loss is one number");
  });
});

test('gradients stay off operators that GPUs lack', () => {
  const banned = ['Sign', 'OneHot', 'LogSoftmax', 'Sum', 'Mean', 'Round'];
  for (const { loss, output, labels: given, target = output, options } of CASES) {
    const g = new Ops(new GraphBuilder());
    const y = g.builder.input('y', { dtype: 'float32', shape: output });
    const dtype = given === undefined ? 'float32' : 'int32';
    const t = g.builder.input('t', { dtype, shape: target });
    const terms = lossTerms(g, { loss, options, output: y, target: t, examples: 1 });
    terms.error();
    const ops = g.builder.nodes.map(({ op }) => op);
    expect(ops.filter((op) => banned.includes(op))).toEqual([]);
  }
});
